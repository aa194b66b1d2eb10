"""A proxy's word about its client is an address or a fault; bytes in any pieces are read the same."""

import contextlib
import ipaddress
import struct

from exotel_ws.engines.head import PROXY_V2, BadHead, HeadReader
from exotel_ws.engines.proxy_protocol import MOST, ProxyReader
from exotel_ws.forwarded import BadForwarded, client
from exotel_ws.metrics.tally import REJECTIONS
from hypothesis import given
from hypothesis import strategies as st

addresses = st.ip_addresses().map(str)
entries = st.one_of(
    addresses,
    addresses.map(lambda host: f"[{host}]:443"),
    st.text(alphabet="0123456789abcdef:.[]%, ", max_size=50),
    st.text(max_size=20),
    st.sampled_from(["10.0.0.1", "::1", "unknown", "", "10.0.0.1:80", "\udcff"]),
)


@given(st.lists(entries, max_size=40).map(",".join))
def test_a_client_is_named_or_there_is_a_fault(value: str) -> None:
    with contextlib.suppress(BadForwarded):
        host = client(value, lambda host: host in ("10.0.0.1", "::1"))
        assert host == str(ipaddress.ip_address(host)), "as it is usually spelt"
        assert "%" not in host


@given(st.lists(addresses, max_size=5), addresses, st.lists(st.sampled_from(["10.0.0.1", "::1"]), max_size=15))
def test_nothing_that_a_client_writes_changes_who_it_is(forged: list[str], own: str, proxies: list[str]) -> None:
    named = client(", ".join([*forged, own, *proxies]), lambda host: host in ("10.0.0.1", "::1"))
    if own not in ("10.0.0.1", "::1"):
        assert ipaddress.ip_address(named) in (ipaddress.ip_address(own), getattr(ipaddress.ip_address(own), "ipv4_mapped", None))


@st.composite
def prefaces(draw: st.DrawFn) -> bytes:
    """Draw what is nearly a header of the PROXY protocol, with bytes behind it."""
    body = draw(st.binary(max_size=80))
    length = draw(st.sampled_from([len(body), 0, 12, 36, MOST, MOST + 1, 65_535]))
    command, kind = draw(st.sampled_from([0x20, 0x21, 0x22, 0x11, 0xFF])), draw(st.sampled_from([0x00, 0x11, 0x21, 0x12, 0x31]))
    whole = PROXY_V2 + struct.pack(">BBH", command, kind, length) + body
    at, byte = draw(st.integers(0, len(whole) - 1)), draw(st.binary(max_size=1))
    return whole if draw(st.booleans()) else whole[:at] + byte + whole[at + 1 :]


def outcome(pieces: list[bytes]) -> tuple[str, str | None, bytes]:
    """Feed a reader; return a fault or what it has read, its host, and what it left."""
    reader, done, fault, unread = ProxyReader(), False, None, list(pieces)
    while unread and not done and fault is None:
        try:
            done = reader.feed(piece := unread.pop(0))
        except BadHead as error:
            fault = error
        assert len(reader.data) <= 16 + MOST + len(piece)
    if fault is not None:
        assert (fault.status, fault.reason) == (400, "proxy_header")
        return str(fault), None, b""
    return str(done), reader.host, bytes(reader.data) + b"".join(unread)


@given(prefaces() | st.binary(max_size=60), st.integers(1, 20))
def test_the_proxy_protocol_is_read_alike_in_any_pieces(sent: bytes, size: int) -> None:
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    said, host, _ = whole = outcome([sent] if sent else [])
    assert outcome(pieces) == whole
    if host is not None:
        assert said == "True"
        assert host == str(ipaddress.ip_address(host))


heads = st.one_of(st.just(b"GET / HTTP/1.1\r\n"), st.binary(max_size=30), prefaces())


@given(heads, st.lists(st.binary(max_size=30), max_size=10), st.integers(1, 20))
def test_a_head_is_read_or_refused_with_a_known_reason(first: bytes, lines: list[bytes], size: int) -> None:
    sent = first + b"\r\n".join([*lines, b"", b""])
    reader, head, fault = HeadReader(), None, None
    for at in range(0, len(sent), size):
        try:
            head = reader.feed(sent[at : at + size])
        except BadHead as error:
            fault = error
        if head or fault:
            break
    assert head is None or head.method
    assert fault is None or (fault.reason in REJECTIONS and fault.text)
