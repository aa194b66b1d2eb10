"""Heads of requests from any client or proxy: accepted as RFC 9112 and RFC 6455 define them, else refused with a reason.

Each refusal is one line and one count, on both engines.
"""

import contextlib
import time

import pytest

from . import wire
from .conftest import StartServer
from .phone import RawClient, upgrade_request
from .process import ServerProcess, eventually

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


def _without(*parts: str) -> bytes:
    lines = upgrade_request().decode().split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(parts)).encode()


def _with(replaced: str, by: str) -> bytes:
    return upgrade_request().replace(replaced.encode(), by.encode())


ACCEPTED = {
    "keep-alive and upgrade": _with("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
    "two Connection lines": _with("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"),
    "upgrade first": _with("Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings"),
    "any case": _with("Connection: Upgrade", "CONNECTION: uPGRADE").replace(b"Upgrade: websocket", b"upgrade: WebSocket"),
    "upgrade among others": _with("Upgrade: websocket", "Upgrade: h2c, websocket"),
    "no blank after the colon": _with("Connection: Upgrade", "Connection:Upgrade"),
    "blanks around": _with("Connection: Upgrade", "Connection: \t Upgrade \t"),
    "an empty line first": b"\r\n" + upgrade_request(),
    "LF alone": upgrade_request().replace(b"\r\n", b"\n"),
    "a whole URL": _with("GET / ", "GET ws://exotel.example/path?sample-rate=16000 "),
    "a body of no length": upgrade_request("/", "Content-Length: 0"),
    "no Host": _without("Host"),
    "two Cookie lines": upgrade_request("/", "Cookie: a=1", "Cookie: b=2"),
    "bytes of Latin-1 in a header": upgrade_request("/", "X-Name: J\xfcrgen"),
    "4,000 bytes of cookies": upgrade_request("/", "Cookie: " + "c" * 4000),
    "40 headers of proxies": upgrade_request("/", *[f"X-Hop-{number}: a" for number in range(40)]),
    "2,000 bytes of path": upgrade_request("/" + "a" * 2000),
}


@pytest.mark.parametrize("request_bytes", ACCEPTED.values(), ids=ACCEPTED)
def test_a_valid_handshake_is_accepted(server: ServerProcess, request_bytes: bytes) -> None:
    with server.raw() as client:
        client.socket.sendall(request_bytes)
        status, fields = client.head()
        assert (status, fields["sec-websocket-accept"]) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        assert fields["server"] == "exotel-voicebot"
        client.frame(wire.start())
        client.frame(wire.media(b"ab"))
        assert client.read_frame()[0] == 1


V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x50\x22\x3d"
REFUSED: dict[str, tuple[bytes, int, str]] = {
    "no Upgrade": (_without("Upgrade"), 400, "upgrade_lost"),
    "no Connection": (_without("Connection"), 400, "upgrade_lost"),
    "neither": (_without("Upgrade", "Connection"), 400, "upgrade_lost"),
    "nginx by default": (_without("Upgrade", "Connection").replace(b"HTTP/1.1", b"HTTP/1.0"), 400, "upgrade_lost"),
    "Connection: close": (_with("Connection: Upgrade", "Connection: close"), 400, "upgrade_lost"),
    "HTTP/1.0": (_with("HTTP/1.1", "HTTP/1.0"), 400, "http_version"),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "http_version"),
    "HTTP/9": (_with("HTTP/1.1", "HTTP/9"), 400, "http_version"),
    "PROXY v1": (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 8765\r\n" + upgrade_request(), 400, "proxy_protocol"),
    "PROXY v1, unknown": (b"PROXY UNKNOWN\r\n" + upgrade_request(), 400, "proxy_protocol"),
    "PROXY v2": (V2 + upgrade_request(), 400, "proxy_protocol"),
    "a head of 20,000 bytes": (upgrade_request("/", "X: " + "a" * 20_000), 431, "head_too_big"),
    "a head of 500 fields": (upgrade_request("/", *[f"X-{number}: a" for number in range(500)]), 431, "head_too_big"),
    "a head without end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000, 431, "head_too_big"),
    "fields without end": (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 5_000, 431, "head_too_big"),
    "a path of 16,000 bytes": (upgrade_request("/" * 16_000), 414, "target_too_long"),
    "a query of 16,000 bytes": (upgrade_request("/?" + "&" * 16_000), 414, "target_too_long"),
    "a path without end": (b"GET /" + b"a" * 100_000, 414, "target_too_long"),
    "POST": (_with("GET", "POST"), 405, "bad_method"),
    "POST without upgrade": (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na=1", 405, "bad_method"),
    "CONNECT": (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 405, "bad_method"),
    "no key": (_without("Sec-WebSocket-Key"), 400, "bad_handshake"),
    "two keys": (upgrade_request("/", KEY), 400, "bad_handshake"),
    "a short key": (_with("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400, "bad_handshake"),
    "version 8": (_with("Version: 13", "Version: 8"), 426, "bad_handshake"),
    "a body": (upgrade_request("/", "Content-Length: 5"), 400, "bad_handshake"),
    "a line without a colon": (upgrade_request("/", "no colon in this line"), 400, "bad_request"),
    "a blank before the colon": (upgrade_request("/", "X : a"), 400, "bad_request"),
    "a folded line": (upgrade_request("/", "X: a", " b"), 400, "bad_request"),
    "a NUL in a header": (upgrade_request("/", "X: a\0b"), 400, "bad_request"),
    "a CR in a header": (upgrade_request("/", "X: a\rb"), 400, "bad_request"),
    "two words": (b"GET /\r\n\r\n", 400, "bad_request"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", 400, "not_http"),
    "RDP": (b"\x03\x00\x00\x13\x0e\xe0\x00\x00", 400, "not_http"),
    "SMTP": (b"EHLO there\r\n", 400, "not_http"),
}


@pytest.fixture(scope="module")
def told(session_server: StartServer) -> ServerProcess:
    """Start a server whose log is read."""
    return session_server({}, "--log-format", "json")


def _rejected(server: ServerProcess) -> dict[str, float]:
    return {name: value for name, value in server.metrics().items() if name.startswith("exotel_ws_handshakes_rejected_total")}


@pytest.mark.parametrize(("request_bytes", "status", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_one_count_and_one_line_with_its_reason(
    told: ServerProcess, request_bytes: bytes, status: int, reason: str
) -> None:
    before, said = _rejected(told), len(told.fields("refused"))
    with told.raw() as client:
        with contextlib.suppress(ConnectionError):  # it may be refused before all of it is sent
            client.socket.sendall(request_bytes)
        answered, fields = client.head()
        assert answered == status
        assert fields["connection"] == "close"
        assert len(client.rest()) == int(fields["content-length"])
    lines = eventually(lambda: told.fields("refused")[said:], "the refusal in the log")
    assert [(line["reason"], line["remote"]) for line in lines] == [(reason, "127.0.0.1")]
    more = {name: value - before[name] for name, value in _rejected(told).items() if value != before[name]}
    assert more == {f'exotel_ws_handshakes_rejected_total{{reason="{reason}"}}': 1}


def test_the_version_that_we_speak_is_told(server: ServerProcess) -> None:
    with server.raw() as client:
        client.socket.sendall(_with("Version: 13", "Version: 8"))
        assert client.head()[1]["sec-websocket-version"] == "13"


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_is_not_finished_has_a_reason(start_server: StartServer, sent: bytes) -> None:
    server = start_server({"limits": {"handshake_timeout_s": 0.3}}, "--log-format", "json")
    with server.raw() as client:
        client.socket.sendall(sent)
        assert client.rest() == b""
    said = eventually(lambda: server.fields("refused"), "the refusal in the log")
    assert [line["reason"] for line in said] == ["head_timeout"]
    assert server.metric('handshakes_rejected_total{reason="head_timeout"}') == 1


def test_who_leaves_before_asking_is_not_refused(start_server: StartServer) -> None:
    """A client that leaves before asking is not refused: it is the TCP check of a load balancer."""
    server = start_server({"limits": {"handshake_timeout_s": 0.3}})
    for _ in range(5):
        server.raw().socket.close()
    time.sleep(0.5)
    assert "Refused" not in server.log()
    assert server.metric('handshakes_rejected_total{reason="head_timeout"}') == 0


def _fetch(client: RawClient, request: bytes) -> tuple[int, dict[str, str], bytes]:
    client.socket.sendall(request)
    status, fields = client.head()
    return status, fields, client.rest()


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/", "/nothing"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_head_and_http_1_0(server: ServerProcess, path: str, version: str) -> None:
    """HEAD and HTTP/1.0 are answered: uptime monitors use one, HAProxy the other."""
    answers = []
    for method in ("GET", "HEAD"):
        with server.raw() as client:
            answers.append(_fetch(client, f"{method} {path} HTTP/{version}\r\n\r\n".encode()))
    got, head = answers
    assert got[0] == head[0] == {"/": 426, "/nothing": 404}.get(path, 200)
    assert int(got[1]["content-length"]) == len(got[2])
    assert head[2] == b""
    if path != "/metrics":  # they have moved on
        assert head[1]["content-length"] == got[1]["content-length"]
    for fields in (got[1], head[1]):
        assert fields["connection"] == "close"
        assert fields["server"] == "exotel-voicebot"


def test_head_of_ready_while_full(start_server: StartServer) -> None:
    server = start_server({"limits": {"max_connections": 1}})
    with server.raw() as held, server.raw() as client:
        assert held.handshake() == 101
        assert _fetch(client, b"HEAD /ready HTTP/1.0\r\n\r\n")[::2] == (503, b"")
