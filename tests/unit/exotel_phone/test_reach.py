"""Network failures in words: each with a kind of its own and something to do next."""

import socket
import ssl

import pytest
from exotel_phone.http_get import Answer
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
