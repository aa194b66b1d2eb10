"""The client that a proxy names, by X-Forwarded-For and by the PROXY protocol, and whose account its connection then is."""

import struct

import pytest
from exotel_ws.admission.sources import inside, networks
from exotel_ws.desk import kept_out
from exotel_ws.engines.head import PROXY_V2, BadHead
from exotel_ws.engines.proxy_protocol import MOST, ProxyReader
from exotel_ws.forwarded import MOST_PROXIES, BadForwarded, client
from exotel_ws.settings import SettingsError, check

from .test_admission import A, B, C, Door

PROXIES = networks(["127.0.0.1", "::1", "10.0.0.0/8", "2001:db8:9::/48"], "a test")
PROXY, TCP4, TCP6 = 0x21, 0x11, 0x21


def named(value: str) -> str:
    return client(value, lambda host: inside(host, PROXIES))


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("198.51.100.7", "198.51.100.7"),
        (" 198.51.100.7\t", "198.51.100.7"),
        ("198.51.100.7:41234", "198.51.100.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7, 10.1.2.3:80, ::1", "198.51.100.7"),
        ("198.51.100.7,::ffff:10.1.2.3", "198.51.100.7"),
        ("unknown, <script>, 198.51.100.7", "198.51.100.7"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3, 127.0.0.1", "10.1.2.3"),
        (", ".join(["198.51.100.7"] + ["10.0.0.1"] * (MOST_PROXIES - 1)), "198.51.100.7"),
        ("9," * 5000 + "198.51.100.7", "198.51.100.7"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(value: str, host: str) -> None:
    assert named(value) == host


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "198.51.100.7,",
        "unknown",
        "198.51.100.7, unknown",
        "198.51.100.7, _hidden, 127.0.0.1",
        "198.51.100.007",
        "198.51.100.7:",
        "198.51.100.7:123456",
        "198.51.100.7 198.51.100.8",
        "[198.51.100.7",
        "2001:db8::7]:443",
        '"[2001:db8::7]"',
        "fe80::1%eth0",
        "١٩٨.51.100.7",
        "\udcff",
        "1" * 5000,
        ", ".join(["10.0.0.1"] * (MOST_PROXIES + 1)),
        ", ".join(["198.51.100.7"] + ["10.0.0.1"] * MOST_PROXIES),
    ],
)
def test_a_header_that_names_nobody(value: str) -> None:
    with pytest.raises(BadForwarded) as fault:
        named(value)
    assert "X-Forwarded-For" in str(fault.value)
    assert not value.strip() or value not in str(fault.value)


def header(body: bytes, kind: int = TCP4, version_and_command: int = PROXY, length: int | None = None) -> bytes:
    return PROXY_V2 + struct.pack(">BBH", version_and_command, kind, len(body) if length is None else length) + body


IPV4 = bytes([198, 51, 100, 7, 192, 0, 2, 1]) + struct.pack(">HH", 41234, 8765)
IPV6 = bytes.fromhex("20010db8" + "0" * 23 + "7") + bytes(16) + struct.pack(">HH", 41234, 8765)
MAPPED = bytes(10) + b"\xff\xff" + IPV4[:4] + bytes(16) + struct.pack(">HH", 41234, 8765)
TLV = struct.pack(">BH", 0x04, 7) + bytes(7)


@pytest.mark.parametrize(
    ("sent", "host"),
    [
        (header(IPV4), "198.51.100.7"),
        (header(IPV4 + TLV * 100), "198.51.100.7"),
        (header(IPV4 + bytes(MOST - len(IPV4))), "198.51.100.7"),
        (header(IPV6, TCP6), "2001:db8::7"),
        (header(IPV6 + TLV, TCP6), "2001:db8::7"),
        (header(MAPPED, TCP6), "198.51.100.7"),
        (header(b"", 0x00, 0x20), None),
        (header(IPV4, TCP4, 0x20), None),
        (header(b"rubbish", 0xFF, 0x20), None),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_the_proxy_protocol_names_the_client(sent: bytes, host: str | None, at_once: bool) -> None:
    reader = ProxyReader()
    if at_once:
        assert reader.feed(sent + b"GET /")
        assert reader.data == b"GET /", "what follows is the request's"
    else:
        assert [reader.feed(sent[at : at + 1]) for at in range(len(sent))] == [False] * (len(sent) - 1) + [True]
        assert not reader.data
    assert reader.host == host


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"GET / HTTP/1.1\r\n", "no header"),
        (b"P0", "no header"),
        (b"\x16\x03\x01", "no header"),
        (b"\r\nG", "no header"),
        (b"PROXY TCP4 198.51.100.7 192.0.2.1 41234 8765\r\n", "version 1 "),
        (b"PROXY UNKNOWN\r\n", "version 1 "),
        (header(IPV4, TCP4, 0x11), "version 1 "),
        (header(IPV4, TCP4, 0x31), "version 3 "),
        (header(IPV4, TCP4, 0x22), "command 2"),
        (header(b"", TCP4), "without the client's address"),
        (header(IPV4[:-1], TCP4), "without the client's address"),
        (header(IPV4, TCP6), "without the client's address"),
        (header(IPV4, 0x12), "without the client's address"),
        (header(bytes(216), 0x31), "without the client's address"),
        (header(IPV4, 0x00), "without the client's address"),
        (header(b"", TCP4, length=MOST + 1), f"{MOST + 1} bytes"),
        (header(b"", TCP4, 0x20, length=65_535), "65535 bytes"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_header_of_the_proxy_protocol_that_is_refused(sent: bytes, says: str, at_once: bool) -> None:
    pieces = [sent] if at_once else [sent[at : at + 1] for at in range(len(sent))]
    with pytest.raises(BadHead, match=says) as fault:
        list(map(ProxyReader().feed, pieces))
    assert (fault.value.status, fault.value.reason) == (400, "proxy_header")


@pytest.mark.parametrize("sent", [b"P", b"PROXY", b"\r\n", PROXY_V2, header(IPV4)[:-1], header(IPV4 + TLV)[:-1]])
def test_a_header_that_is_not_whole_is_waited_for(sent: bytes) -> None:
    assert not ProxyReader().feed(sent)


def test_the_proxy_protocol_needs_a_proxy() -> None:
    with pytest.raises(SettingsError, match=r"proxy_protocol: true, but limits\.proxies names no proxy"):
        check({"proxy_protocol": True})
    assert check({"proxy_protocol": True, "limits": {"proxies": ["192.0.2.0/24"]}}).proxy_protocol


def behind(**limits: object) -> Door:
    return Door(proxies=[C], **limits)


def test_a_connection_moves_to_the_client_that_its_proxy_names() -> None:
    door = behind()
    ticket = door.enter(C)
    assert ticket.trusted, "a proxy is not bounded itself"
    assert ticket.move(A) == ""
    assert (ticket.host, ticket.source.name, ticket.source.held) == (A, A, 1)
    assert not ticket.trusted
    assert door.admission.places()["top"] == {"source": A, "count": 1}
    ticket.close()
    assert ticket.source.held == 0
    assert door.admission.places()["unproven_sockets"] == 0


def test_the_bounds_of_a_source_are_the_clients() -> None:
    door = behind(unproven_per_source=2)
    held = [door.enter(C) for _ in range(3)]
    assert [ticket.move(A) for ticket in held] == ["", "", ""]
    assert door.dropped == held[:1]
    assert door.enter(C).move(B) == ""
    assert door.dropped == held[:1]


def test_the_rate_of_a_source_is_the_clients() -> None:
    door = behind(handshakes_burst=2, handshakes_per_source_s=1)
    assert [door.enter(C).move(A) for _ in range(3)] == ["", "", "handshake_rate"]
    assert door.enter(C).move(B) == ""
    assert door.tally.bounds["handshake_rate"] == 1


def test_failures_are_the_clients() -> None:
    door = behind()
    ticket = door.enter(C)
    ticket.move(A)
    for _ in range(20):
        ticket.fail()
    assert ticket.source.delay_s(door.now) > 0
    kept_out_again = door.enter(C)
    bound = kept_out_again.move(A)
    assert (bound, kept_out(bound).status) == ("barred", 429)
    assert kept_out_again.host == A, "what is logged of it is of the client"
    kept_out_again.close()
    assert kept_out_again.source.held == 1
    assert door.enter(C).move(B) == ""


def test_a_full_crowd_turns_the_client_away() -> None:
    door = behind(unproven_total=2)
    for _ in range(2):
        assert door.enter(C).move(A) == ""
    bound = door.enter(C).move(B)
    assert (bound, kept_out(bound).status) == ("unproven_total", 503)
    assert door.dropped == []


def test_what_the_client_proves_is_proven_of_it_alone() -> None:
    door = behind()
    ticket = door.enter(C)
    ticket.move(A)
    ticket.prove()
    again, other = door.enter(C), door.enter(C)
    again.move(A)
    other.move(B)
    assert (again.trusted, other.trusted) == (True, False)


def test_a_neighbour_of_a_proxy_is_no_proxy() -> None:
    """A proxy's neighbours in its /64 network are not believed, whoever of them came first."""
    proxy, neighbour = "2001:db8::1", "2001:db8::2"
    door = Door(proxies=[proxy])
    assert door.enter(proxy).source.proxy
    assert not door.enter(neighbour).source.proxy
    assert door.enter(proxy).source.proxy


def test_connections_of_one_source_where_they_are_bounded() -> None:
    door = behind(calls_per_source=2)
    held = [door.enter(A) for _ in range(3)]
    assert [ticket.open() for ticket in held] == ["", "", "2 connections of one source, limits.calls_per_source = 2"]
    assert door.enter(B).open() == ""
    assert [door.enter(C).open() for _ in range(3)] == [""] * 3
    held[0].close()
    assert door.enter(A).open() == ""
