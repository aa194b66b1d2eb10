"""Reader of request heads: any input, in any pieces, is a head, an unfinished head, or refused."""

from collections.abc import Callable

import h11
from exotel_ws.engines.head import MOST_HEAD, MOST_TARGET, BadHead, Head, HeadReader
from exotel_ws.metrics.tally import REJECTIONS
from hypothesis import example, given, settings
from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        *(b"GET ", b"HEAD ", b"POST ", b"PROXY ", b"PRI ", b"/", b"/health", b"*", b"ws://a/b?c", b" HTTP/1.1", b" HTTP/1.0"),
        *(b" HTTP/2.0", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"Upgrade: websocket", b"Connection: keep-alive, Upgrade", b"X: "),
        *(b":", b" ", b"\t", b"\0", b"\xff", b"\x16\x03\x01", b"\x00\r\nQUIT\n", b"a" * 3000),
    ]
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(WORDS, max_size=20).map(b"".join))


def outcome(pieces: list[bytes]) -> tuple[str, ...]:
    """Return the result of these pieces: a head, a refusal, or a request for more."""
    reader = HeadReader()
    for at, piece in enumerate(pieces):
        try:
            head = reader.feed(piece) if piece else None
        except BadHead as fault:
            return ("refused", _known(fault))
        if head:
            assert isinstance(head, Head)
            return ("head", head.method, head.target, bytes(reader.data + b"".join(pieces[at + 1 :])).hex())
    assert len(reader.data) <= MOST_HEAD
    return ("waits",)


def _known(fault: BadHead) -> str:
    assert fault.reason in REJECTIONS
    assert fault.status in (0, 400, 414, 431)
    return fault.reason


@settings(max_examples=300)
@example(b"GET " + b"a" * MOST_TARGET * 2 + b"\r\n", [1])
@given(BYTES, st.lists(st.integers(min_value=1, max_value=50), min_size=1, max_size=10))
def test_pieces_make_no_difference(data: bytes, sizes: list[int]) -> None:
    pieces, at = [], 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    assert outcome(pieces) == outcome([data])


names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True)
values = st.from_regex(r"[!-~]{0,20}", fullmatch=True)
targets = st.from_regex(r"/[!-~]{0,40}", fullmatch=True)


@settings(max_examples=200)
@given(st.sampled_from(["GET", "HEAD", "POST"]), targets, st.dictionaries(names, values, max_size=20))
def test_what_h11_reads_is_read_alike(method: str, target: str, fields: dict[str, str]) -> None:
    """Heads that h11 accepts are read as h11 reads them."""
    lines = [f"{method} {target} HTTP/1.1", "Host: a", *(f"{name}: {value}" for name, value in fields.items())]
    data = "\r\n".join([*lines, "", ""]).encode()
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    try:
        read = connection.next_event()
    except h11.RemoteProtocolError:
        return
    assert isinstance(read, h11.Request)
    head = HeadReader().feed(data)
    assert head is not None
    assert (head.method, head.target) == (read.method.decode(), read.target.decode())
    for name, value in read.headers:
        assert value.decode() in head.headers[name.decode()]


def test_a_byte_at_a_time_is_bounded_too() -> None:
    def fed(byte: Callable[[int], bytes]) -> str:
        reader = HeadReader()
        try:
            for at in range(20_000):
                reader.feed(byte(at))
        except BadHead as fault:
            return fault.reason
        raise AssertionError("endless")

    start = b"GET / HTTP/1.1\r\nX: "
    assert fed(lambda at: start[at : at + 1] or b"a") == "head_too_big"
    assert fed(lambda at: b"G") == "not_http"
    assert fed(lambda at: b"GET /"[at : at + 1] or b"a") == "target_too_long"
