"""Admission to a WebSocket: paths, capacity, and requests that no proper client sends."""

import asyncio

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, upgrade_request
from .process import ServerProcess, eventually

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize(
    "target", ["/", "/?sample-rate=8000", "/any/path?x=%zz&&=&a", "/?" + "q" * 256, "//[x", "/%ff%fe", "/a%0d%0ab"]
)
def test_any_path_is_served_by_default(server: ServerProcess, target: str) -> None:
    with server.raw() as client:
        assert client.handshake(target) == 101


def test_only_named_paths(start_server: StartServer) -> None:
    server = start_server({"paths": ["/exotel", "/other"]})
    with server.raw() as client:
        assert client.handshake("/exotel?sample-rate=8000") == 101
    with server.raw() as client:
        client.request("/wrong?secret=1")
        status, fields = client.head()
        assert (status, client.rest()) == (404, b"this path is not served; see 'paths' in the settings\n")
        assert fields["content-type"].startswith("text/plain")
    assert "🚫 Refused with 404: this path is not served; see 'paths' in the settings (path /wrong)\n" in server.log()
    assert server.metric('handshakes_rejected_total{reason="path"}') == 1
    assert server.fetch("/health")[0] == 200


def test_full_of_calls(start_server: StartServer) -> None:
    server = start_server({"limits": {"max_calls": 2}})

    async def calls() -> None:
        async with Phone(server.url()) as one, Phone(server.url()) as two, Phone(server.url()) as three:
            for number, phone in enumerate((one, two)):
                await phone.open(f"full-{number}")
                await phone.in_order()
            with server.raw() as client:
                client.request()
                assert client.head()[0] == 503
                assert client.rest() == b"2 live calls, limits.max_calls = 2\n"
            assert server.fetch("/ready")[::2] == (503, b'{"status":"full"}')
            assert server.fetch("/health")[0] == 200
            # The third was connected before the server was full, and starts only now.
            await three.open("full-3")
            assert await three.closed() == (1013, "full: limits.max_calls = 2")
            assert server.metric("calls_live") == 2
            assert server.metric('handshakes_rejected_total{reason="full"}') == 2
            await one.send(wire.stop("full-0"))
            eventually(lambda: server.fetch("/ready")[0] == 200, "ready again once a call has ended")
            frames = wire.audio(5)
            assert await two.converse(frames, "full-1") == frames

    asyncio.run(calls())
    assert "🚫 Refused with 503: 2 live calls" in server.log()


def test_a_burst_does_not_pass_the_limit(start_server: StartServer) -> None:
    """A burst does not pass the limit: connections that come at once are counted one by one."""
    server = start_server({"limits": {"max_connections": 5}})
    clients = [server.raw() for _ in range(50)]
    for client in clients:
        client.socket.sendall(upgrade_request())
    served = [client for client in clients if client.head()[0] == 101]
    assert len(served) >= 5
    eventually(lambda: server.metric("connections_live") == 5, "five connections, not more")
    assert server.metric('handshakes_rejected_total{reason="full"}') == 45
    for client in clients:
        client.socket.close()
    eventually(lambda: server.metric("connections_live") == 0, "no connection left")


@pytest.mark.parametrize(
    "request_bytes",
    [
        upgrade_request().replace(b"Version: 13", b"Version: 99"),
        upgrade_request().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        upgrade_request().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        upgrade_request().replace(KEY, b""),
        upgrade_request().replace(b"GET", b"POST"),
        upgrade_request().replace(b"HTTP/1.1", b"HTTP/9"),
        upgrade_request("/", "Content-Length: 5"),
        upgrade_request("/", "no colon in this line"),
        upgrade_request("/", *[f"X-{number}: a" for number in range(500)]),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\xff\xfe: \xff\r\n\r\n",
    ],
)
def test_what_is_no_handshake_is_refused(server: ServerProcess, request_bytes: bytes) -> None:
    """A bad handshake gets a 4xx or the end of the connection in time; no server error, and no line that looks like one."""
    said = len(server.log())
    timed_out = server.metric('handshakes_rejected_total{reason="head_timeout"}')
    with server.raw() as client:
        client.socket.sendall(request_bytes)
        try:
            status = client.head()[0]
        except (EOFError, ConnectionResetError):
            status = 400
        assert 400 <= status < 500
    assert server.metric('handshakes_rejected_total{reason="head_timeout"}') == timed_out
    assert "Traceback" not in server.log()[said:]
    assert server.fetch("/health")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        ["Connection: keep-alive"],
        ["Authorization: Basic eA==", "Authorization: Basic eQ=="],
        ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"],
        ["Origin: https://example.com"],
        ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 198.51.100.8"],
        ["Cookie: " + "c" * 4000],
    ],
)
def test_extra_headers_do_no_harm(server: ServerProcess, headers: list[str]) -> None:
    with server.raw() as client:
        assert client.handshake("/", *headers) == 101
        client.frame(wire.start())
        client.frame(wire.media(b"ab"))
        assert client.read_frame()[0] == 1
    assert "Traceback" not in server.log()


def test_huge_headers_are_refused(server: ServerProcess) -> None:
    before = server.memory()
    for _ in range(5):
        with server.raw() as client:
            try:
                client.socket.sendall(upgrade_request("/", "X-Big: " + "a" * 2_000_000))
                assert client.head()[0] in (400, 431)
            except (EOFError, ConnectionError):
                pass  # It hung up in the middle: as good an answer.
    assert server.memory() - before < 8_000_000
    assert server.fetch("/health")[0] == 200


def test_a_reset_in_the_handshake_is_no_error(server: ServerProcess) -> None:
    """A reset in the handshake is no error: port scanners and TCP health checks connect and leave."""
    said = len(server.log())
    for data in (b"", b"GET / HT", upgrade_request()):
        client = server.raw()
        client.socket.sendall(data)
        client.socket.close()
    eventually(lambda: server.metric("connections_live") == 0, "no connection left")
    assert "Traceback" not in server.log()[said:]
