"""Behind a proxy: the client that it names is who is judged, bounded, logged and shown; nobody else may name one."""

import json
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import RawClient, upgrade_request
from .process import ServerProcess, eventually, fetch_unix
from .tapping import Tap

PROXY, BALANCER, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.4"
CLIENT, OTHER = "198.51.100.7", "2001:db8::7"
KEY = "Authorization: Bearer tok3n-Very-Secret"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def by_header(*entries: str) -> str:
    return f"X-Forwarded-For: {', '.join(entries)}"


def by_protocol(host: str) -> bytes:
    """Return the header of the PROXY protocol, with an addition as balancers send it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = socket.inet_pton(family, host)
    body = address + bytes(len(address)) + struct.pack(">HH", 41234, 8765) + b"\x04\x00\x04noop"
    return SIGNATURE + struct.pack(">BBH", 0x21, 0x21 if ":" in host else 0x11, len(body)) + body


LOCAL = SIGNATURE + struct.pack(">BBH", 0x20, 0, 0)


@pytest.fixture
def behind(start_server: StartServer, tmp_path: Path) -> Callable[..., ServerProcess]:
    """Return a function that starts a server behind `PROXY` and `BALANCER`, with these limits and settings."""
    (tmp_path / "keys").write_text(f"exotel:{KEY.split()[-1]}\n")

    def start(*arguments: str, limits: dict[str, object] | None = None, **settings: object) -> ServerProcess:
        limits = {"proxies": [PROXY, BALANCER]} | (limits or {})
        return start_server({"limits": limits} | settings, "--log-format", "json", *arguments)

    return start


def asks(server: ServerProcess, *headers: str, source: str = PROXY, first: bytes = b"") -> tuple[int, dict[str, str]]:
    """Ask for a WebSocket and leave; return status and header fields of the answer."""
    with RawClient(server.port, source=source) as client:
        client.socket.sendall(first + upgrade_request("/", *headers))
        return client.head()


def reads(server: ServerProcess, target: str, *headers: str, source: str = PROXY, first: bytes = b"") -> int:
    with RawClient(server.port, source=source) as client:
        client.socket.sendall(first)
        return client.fetch(target, *headers)[0]


@pytest.mark.parametrize("way", ["header", "protocol"])
def test_all_that_is_said_of_a_call_names_the_client(behind: Callable[..., ServerProcess], tmp_path: Path, way: str) -> None:
    admin = tmp_path / "a.sock"
    server = behind("--admin-socket", str(admin), proxy_protocol=way == "protocol")
    first = by_protocol(CLIENT) if way == "protocol" else b""
    headers = [by_header("203.0.113.1", CLIENT, BALANCER)] if way == "header" else []
    with Tap(admin) as tap, RawClient(server.port, source=PROXY) as client:
        client.socket.sendall(first + upgrade_request("/", *headers))
        assert client.head()[0] == 101
        client.frame(wire.start())
        client.frame(wire.media(b"abcd"))
        assert json.loads(client.read_frame()[1])["event"] == "media"
        (call,) = fetch_unix(admin, "/status")[1]["calls"]
        assert call["remote"] == CLIENT
        client.socket.close()
        opened = tap.until_closed()[1]
    assert (opened["type"], opened["remote"]) == ("open", CLIENT)
    (closed,) = eventually(lambda: server.fields("close"), "the end of the call")
    assert closed["remote"] == CLIENT
    assert {line["remote"] for line in server.fields("open") if "remote" in line} == {CLIENT}
    assert PROXY not in server.log()


def test_nobody_but_a_proxy_may_name_a_client(behind: Callable[..., ServerProcess]) -> None:
    server = behind()
    assert asks(server, by_header(CLIENT), source=STRANGER)[0] == 101
    assert asks(server, by_header("rubbish"), source=STRANGER)[0] == 101
    lines = eventually(lambda: server.fields("close")[1:] and server.fields("close"), "two ends")
    assert {line["remote"] for line in lines} == {STRANGER}


@pytest.mark.parametrize("value", ["unknown", "", f"{CLIENT},", "fe80::1%eth0", ", ".join([PROXY] * 17)])
def test_a_header_that_names_nobody_is_refused(behind: Callable[..., ServerProcess], value: str) -> None:
    server = behind()
    with RawClient(server.port, source=PROXY) as client:
        assert client.handshake("/", f"X-Forwarded-For: {value}") == 400
        assert b"X-Forwarded-For" in client.rest()
    (line,) = eventually(lambda: server.fields("refused"), "the refusal in the log")
    assert (line["reason"], line["remote"]) == ("bad_forwarded", PROXY)
    assert server.metric('handshakes_rejected_total{reason="bad_forwarded"}') == 1


@pytest.mark.parametrize("way", ["header", "protocol"])
def test_bounds_are_the_clients(behind: Callable[..., ServerProcess], way: str) -> None:
    limits = {"handshakes_burst": 2, "handshakes_per_source_s": 0.001}
    server = behind(limits=limits, proxy_protocol=way == "protocol")

    def status(host: str) -> int:
        return asks(server, first=by_protocol(host))[0] if way == "protocol" else asks(server, by_header(host))[0]

    assert [status(CLIENT) for _ in range(4)] == [101, 101, 429, 429]
    assert status(OTHER) == 101
    (line,) = server.fields("bound")
    assert (line["reason"], line["remote"], line["raised_by"]) == ("handshake_rate", CLIENT, "limits.handshakes_per_source_s")
    metrics = server.metrics()
    assert metrics['exotel_ws_bounds_total{bound="handshake_rate"}'] == 2
    assert not sum(count for name, count in metrics.items() if "handshakes_rejected_total" in name), "counted once, as a bound"


def test_guesses_are_the_clients(behind: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = behind(auth={"required": True, "credential": str(tmp_path / "keys")})
    guess = "Authorization: Bearer guess"
    statuses = []
    for _ in range(60):
        with RawClient(server.port, source=PROXY) as client:
            client.socket.settimeout(0.2)
            try:
                statuses.append(client.handshake("/", guess, by_header(CLIENT)))
            except TimeoutError:
                statuses.append(0)
        if statuses[-1] == 429:
            break
    assert statuses[0] == 401
    assert 0 in statuses, "an answer that came late"
    assert statuses[-1] == 429
    assert asks(server, KEY, by_header(OTHER))[0] == 101
    assert asks(server, guess, by_header("198.51.100.8"))[0] == 401
    assert {line["remote"] for line in server.fields("refused")} == {CLIENT, "198.51.100.8"}


def test_a_proxy_learns_whose_client_has_proven_itself(behind: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = behind(auth={"required": True, "credential": str(tmp_path / "keys")})

    def proven(*headers: str, source: str = PROXY) -> str | None:
        status, fields = asks(server, *headers, source=source)
        assert status == 101
        return fields.get("x-exotel-proven")

    assert proven(by_header(CLIENT)) is None, "a stranger, who may show its credential in the start message"
    assert proven(KEY, by_header(CLIENT)) == "1"
    assert proven(by_header(CLIENT)) == "1", "its source is proven now"
    assert proven(by_header(OTHER)) is None
    assert proven(KEY, by_header(CLIENT), source=STRANGER) is None, "only proxies are told"
    assert proven() is None, "it named nobody"
    assert proven("X-Exotel-Proven: 1", by_header(OTHER)) is None


@pytest.mark.parametrize("path", ["/metrics", "/ready"])
@pytest.mark.parametrize("way", ["header", "protocol"])
def test_metrics_are_for_listed_clients(behind: Callable[..., ServerProcess], path: str, way: str) -> None:
    server = behind(metrics_sources=[CLIENT], proxy_protocol=way == "protocol")

    def status(host: str) -> int:
        if way == "protocol":
            return reads(server, path, first=by_protocol(host))
        return reads(server, path, by_header(host))

    assert status(CLIENT) == 200
    assert status(OTHER) == 404
    assert status("127.0.0.1") == 404, "a loopback, but whose?"
    assert reads(server, path, source="127.0.0.1") == 200
    assert reads(server, path, first=LOCAL if way == "protocol" else b"") == 200, "the proxy itself, on this host"


def test_the_proxy_protocol_is_for_proxies_who_have_to_speak_it(behind: Callable[..., ServerProcess]) -> None:
    server = behind(proxy_protocol=True)
    assert asks(server, first=by_protocol(OTHER))[0] == 101
    assert asks(server, first=LOCAL)[0] == 101
    assert asks(server, source=STRANGER)[0] == 101
    assert asks(server)[0] == 400
    assert asks(server, first=b"PROXY TCP4 198.51.100.7 192.0.2.1 41234 8765\r\n")[0] == 400
    assert asks(server, first=by_protocol(CLIENT).replace(b"\x21\x11", b"\x31\x11"))[0] == 400
    assert asks(server, first=by_protocol(CLIENT), source=STRANGER)[0] == 400
    assert asks(server, first=by_protocol(CLIENT) * 2)[0] == 400
    said = [(line["reason"], line["remote"]) for line in server.fields("refused")]
    assert said == [("proxy_header", PROXY)] * 3 + [("proxy_protocol", STRANGER), ("proxy_protocol", CLIENT)]
    assert server.metric('handshakes_rejected_total{reason="proxy_header"}') == 3


def test_a_header_behind_the_proxy_protocol_is_believed_of_a_proxy_alone(behind: Callable[..., ServerProcess]) -> None:
    """The balancer in front names an HTTP proxy, which is believed, or a client, which is not."""
    server = behind(proxy_protocol=True)
    assert asks(server, by_header(CLIENT), first=by_protocol(BALANCER))[0] == 101
    assert asks(server, by_header(CLIENT), first=by_protocol(OTHER))[0] == 101
    lines = eventually(lambda: server.fields("close")[1:] and server.fields("close"), "two ends")
    assert {line["remote"] for line in lines} == {CLIENT, OTHER}


def test_a_header_of_the_proxy_protocol_may_trickle_in_but_not_for_ever(behind: Callable[..., ServerProcess]) -> None:
    server = behind(proxy_protocol=True, limits={"handshake_timeout_s": 0.3})
    with RawClient(server.port, source=PROXY) as client:
        client.socket.sendall(by_protocol(CLIENT)[:20])
        assert client.rest() == b""
    assert eventually(lambda: server.fields("refused"), "the refusal in the log")[0]["reason"] == "head_timeout"
    server = behind(proxy_protocol=True)
    sent = by_protocol(CLIENT) + upgrade_request()
    with RawClient(server.port, source=PROXY) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(sent), 7):
            client.socket.sendall(sent[at : at + 7])
        assert client.head()[0] == 101


def test_calls_of_one_source_where_they_are_bounded(behind: Callable[..., ServerProcess]) -> None:
    server = behind(limits={"calls_per_source": 1})
    with RawClient(server.port, source=PROXY) as held:
        assert held.handshake("/", by_header(CLIENT)) == 101
        assert asks(server, by_header(CLIENT))[0] == 503
        assert asks(server, by_header(OTHER))[0] == 101
    assert eventually(lambda: server.fields("refused"), "the refusal in the log")[0]["reason"] == "full"
