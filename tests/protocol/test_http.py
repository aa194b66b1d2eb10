"""Plain HTTP on the call port."""

import pytest

from .process import ServerProcess, samples


def test_health_byte_for_byte(server: ServerProcess) -> None:
    status, fields, body = server.fetch("/health")
    assert status == 200
    assert body == b'{"status":"ok","service":"exotel-passthrough","mode":"echo"}'
    assert fields["content-type"] == "application/json"
    assert fields["content-length"] == str(len(body))


@pytest.mark.parametrize("target", ["/health?x=1", "/health?"])
def test_health_with_a_query(server: ServerProcess, target: str) -> None:
    assert server.fetch(target)[0] == 200


def test_health_for_a_client_that_offers_http2(server: ServerProcess) -> None:
    """A client that offers HTTP/2 gets /health: Java's asks for that upgrade with its first request."""
    headers = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAA")
    assert server.fetch("/health", *headers)[0] == 200


def test_ready(server: ServerProcess) -> None:
    status, fields, body = server.fetch("/ready")
    assert (status, fields["content-type"], body) == (200, "application/json", b'{"status":"ready"}')


def test_metrics(server: ServerProcess) -> None:
    status, fields, body = server.fetch("/metrics")
    assert status == 200
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples(body.decode())["exotel_ws_calls_live"] >= 0


@pytest.mark.parametrize(("target", "status"), [("/", 426), ("/favicon.ico", 404), ("/health/", 404), ("/metrics/../x", 404)])
def test_elsewhere_it_says_what_there_is(server: ServerProcess, target: str, status: int) -> None:
    before = server.metric('handshakes_rejected_total{reason="not_websocket"}')
    answered, _, body = server.fetch(target)
    assert answered == status
    assert body == b"Exotel connects here by WebSocket. Over HTTP there are /health, /ready and /metrics.\n"
    assert server.metric('handshakes_rejected_total{reason="not_websocket"}') == before + 1
