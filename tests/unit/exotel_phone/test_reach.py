"""Network failures in words: each with a kind of its own and something to do next."""

import re
import socket
import ssl

import pytest
from exotel_phone.http_request import Answer
from exotel_phone.reach import NotHttp, explain
from exotel_phone.target import parse
from exotelctl.health import judge_health, judge_ready

TARGET = parse("wss://key:hush@voice.example.com:8765/p?token=hush")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "refused"),
        (socket.gaierror(-2, "Name or service not known"), "dns"),
        (TimeoutError(), "timeout"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "tls"),
        (NotHttp("it begins 'SSH-2.0'"), "not-http"),
        (ConnectionResetError(104, "reset"), "reset"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "reset"),
        (EOFError(), "reset"),
        (OSError(113, "No route to host"), "unreachable"),
        (OSError(24, "Too many open files"), "error"),
    ],
)
def test_explained(error: BaseException, kind: str) -> None:
    fault = explain(error, TARGET, 5)
    assert fault.kind == kind
    assert "voice.example.com" in fault.cause
    assert fault.next
    assert "hush" not in fault.cause + fault.next


@pytest.mark.parametrize(
    ("error", "edge", "server"),
    [
        (
            ConnectionRefusedError(),
            "systemctl status haproxy.service; ss -ltnp 'sport = :8765'",
            "systemctl status exotel-ws.socket; exotelctl port",
        ),
        (ConnectionResetError(), "sudo exotelctl edge, which names who is put out; ws:// where", "wss:// if it wants TLS"),
        (ssl.SSLEOFError(), "sudo exotelctl edge, which names who is put out; ws:// where", None),
        (TimeoutError(), "ss -ltnp 'sport = :8765'", "exotelctl port-clean --port 8765 --dry-run"),
        (NotHttp("x"), "ss -ltnp 'sport = :8765'", "exotelctl port-clean --port 8765 --dry-run"),
    ],
)
def test_an_edge_is_looked_at_by_other_commands_than_a_server(error: BaseException, edge: str, server: str | None) -> None:
    told = explain(error, TARGET, 5).next
    assert edge in told
    assert not re.search("exotel-ws|port-clean", told)
    if server:
        told = explain(error, parse("ws://voice.example.com:8765"), 5).next
        assert server in told
        assert not re.search("haproxy|exotelctl edge", told)


def test_who_gets_no_answer_to_tls_was_put_out_or_met_a_server_without_an_edge() -> None:
    why = "its edge has put this machine out, or it speaks no TLS"
    assert why in explain(ConnectionResetError(), TARGET, 5).cause
    assert why not in explain(ConnectionResetError(), parse("ws://voice.example.com"), 5).cause


@pytest.mark.parametrize(
    ("status", "body", "healthy", "ready"),
    [
        (200, '{"status":"ok"}', None, None),
        (200, '{"status":"ready"}', "unhealthy", None),
        (503, '{"status":"draining"}', "unhealthy", "draining"),
        (503, '{"status":"full"}', "unhealthy", "full"),
        (503, "nginx", "unhealthy", "not-ready"),
        (404, "", "unhealthy", None),
    ],
)
def test_health_and_ready(status: int, body: str, healthy: str | None, ready: str | None) -> None:
    answer = Answer("http://h/health", status, body, 1.0)
    for judge, kind in ((judge_health, healthy), (judge_ready, ready)):
        fault = judge(answer)
        assert (fault.kind if fault else None) == kind
