"""Bad input: a fault is counted and the call goes on, or the connection ends with a close code that says why; never more."""

import asyncio
import contextlib
import json
import signal
import struct
import time

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, RawClient, frame, frame_head, payload
from .process import ServerProcess, eventually

MEGABYTE = 1024 * 1024

MALFORMED = {
    "": "not_json",
    "hello": "not_json",
    '{"event":"media"': "not_json",
    '{"event":"connected"}{"event":"connected"}': "not_json",
    "\ufeff" + wire.connected(): "not_json",
    '{"event":"start","stream_sid":"\\ud800"}': "not_json",
    '{"event":"x","a":' + "[" * 50_000 + "]" * 50_000 + "}": "not_json",
    '{"event":"start","start":{"a":' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}}": "not_json",
    "[]": "bad_type",
    "null": "bad_type",
    '"media"': "bad_type",
    "123": "bad_type",
    '{"event":5}': "bad_type",
    '{"event":null}': "bad_type",
    '{"event":["media"]}': "bad_type",
    '{"event":"media","media":"text"}': "bad_type",
    '{"event":"media","media":{"payload":5}}': "bad_type",
    '{"event":"media","stream_sid":{"a":1},"media":{"payload":"AAAA"}}': "bad_type",
    '{"event":"start","start":[]}': "bad_type",
    '{"event":"stop","stop":"now"}': "bad_type",
    "{}": "no_event",
    '{"Event":"media"}': "no_event",
    wire.message(event="media"): "missing_field",
    wire.message(event="media", media={}): "missing_field",
    wire.message(event="mark"): "missing_field",
    wire.message(event="mark", mark={"name": ""}): "missing_field",
    wire.message(event="start", start={}): "missing_field",
    wire.message(event="mark", mark={"name": "m" * 257}): "too_long",
    wire.message(event="dtmf", dtmf={"digit": "A"}): "bad_digit",
    wire.message(event="dtmf", dtmf={"digit": "12"}): "bad_digit",
    wire.message(event="dtmf"): "bad_digit",
}


@pytest.mark.parametrize(("text", "kind"), MALFORMED.items(), ids=lambda value: repr(value[:40]))
def test_a_malformed_message_is_counted_and_the_call_goes_on(server: ServerProcess, text: str, kind: str) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            await phone.send(text)
            pcm = wire.audio(1)[0]
            assert await phone.echo_of(pcm) == pcm
            await phone.in_order()

    name = f'protocol_faults_total{{kind="{kind}"}}'
    before = server.metric(name)
    asyncio.run(call())
    assert server.metric(name) == before + 1


def test_a_fault_is_said_clearly_and_once(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("clear-fault")
            await phone.send(*[wire.media(b"abc", "clear-fault")] * 10)
            assert [payload(await phone.receive()) for _ in range(10)] == [b"abc"] * 10
            await phone.in_order()

    asyncio.run(call())
    said = [line for line in server.call_log("clear-fault") if line.startswith("⚠️ media")]
    assert said == ["⚠️ media.payload holds 3 bytes, not a whole number of 16-bit samples"]


@pytest.mark.parametrize(
    "text",
    ["", "A", "AQID", "AQI", "AQI=AQI=", "dGVzdF9lbmhhbmNlZF9hdWRpb19jaHVua18=1", "AQ I=", 'AQI="},"event":"x', "ÄÖÜ=", "\\\n\0"],
)
def test_whatever_a_payload_holds_comes_back_and_is_counted(server: ServerProcess, text: str) -> None:
    name = 'protocol_faults_total{kind="bad_payload"}'
    before = server.metric(name)

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            await phone.send(wire.message(event="media", media={"payload": text}))
            answer = await phone.receive()
            assert answer == {"event": "media", "stream_sid": wire.STREAM, "media": {"payload": text}}
            await phone.in_order()

    asyncio.run(call())
    assert server.metric(name) == before + 1


def test_too_many_malformed_messages(start_server: StartServer) -> None:
    server = start_server({"limits": {"max_faults": 5}})

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            # What is odd but tolerated does not count.
            await phone.send(*[wire.message(event="unknown")] * 20, *["{"] * 5)
            await phone.in_order()
            await phone.send("{")
            assert await phone.closed() == (1008, "more than 5 malformed messages within a minute, the last: not_json")

    asyncio.run(call())
    assert "✂️ Closing with 1008: more than 5 malformed messages" in server.log()
    assert server.metric('calls_ended_total{how="closed_by_server"}') == 1
    assert server.metric('protocol_faults_total{kind="not_json"}') == 6
    assert server.metric('bounds_total{bound="malformed"}') == 1


@pytest.mark.parametrize(
    ("data", "code", "kind"),
    [
        (frame(b"\x00\x01", 2), 1003, "binary"),
        (frame(b'{"event":"\xff"}'), 1007, "not_utf8"),
        (frame(b'{"event":', fin=False) + frame(b'"\xff"}', 0), 1007, "not_utf8"),
        (frame(b"x" * (256 * 1024 + 1)), 1009, "too_big"),
        (frame(b"x" * 200_000, fin=False) + frame(b"x" * 200_000, 0), 1009, "too_big"),
        (frame_head(10 * MEGABYTE), 1009, "too_big"),
        (frame_head(1 << 60), 1009, "too_big"),
        (b"\x81\x05hello", 1002, "framing"),  # not masked
        (frame(b"x", 3), 1002, "framing"),  # no such opcode
        (frame(b"x", 0), 1002, "framing"),  # continues nothing
        (frame(b"{", fin=False) + frame(b"}", 1), 1002, "framing"),  # a message inside another
        (b"\xc1\x80" + bytes(4), 1002, "framing"),  # compressed, which was not agreed on
        (frame(b"", 9, fin=False), 1002, "framing"),  # a ping in pieces
        (frame(b"x" * 126, 9), 1002, "framing"),  # a ping that is too long
        (frame(b"x", 8), 1002, "framing"),  # a close frame of one byte
        (frame(struct.pack(">H", 5), 8), 1002, "framing"),  # a close code that does not exist
    ],
)
def test_a_message_that_ends_the_connection(server: ServerProcess, data: bytes, code: int, kind: str) -> None:
    """Such a message ends the connection by a close code, counted, with a line in the log; another call goes on unharmed."""
    before = server.metrics()
    said = len(server.log())

    async def calls() -> None:
        async with Phone(server.url()) as other:
            await other.open("beside")
            frames = wire.audio(20)
            talking = asyncio.create_task(other.converse(frames, "beside", pause_s=0.002))
            assert await asyncio.to_thread(_provoke, server, data) == code
            assert await talking == frames

    asyncio.run(calls())
    name = f'exotel_ws_protocol_faults_total{{kind="{kind}"}}'
    eventually(lambda: server.metrics()[name] == before[name] + 1, "the fault is counted")
    log = server.log()[said:]
    assert "Traceback" not in log
    assert f"with {code}" in log


def _provoke(server: ServerProcess, data: bytes) -> int:
    with server.raw() as client:
        assert client.handshake() == 101
        client.frame(wire.start("provoked"))
        with contextlib.suppress(ConnectionError):
            client.socket.sendall(data)
        return client.close_code()


@pytest.mark.parametrize("code", [1000, 1001, 1005, 3000, 4999])
def test_a_client_may_close_as_it_likes(server: ServerProcess, code: int) -> None:
    said = len(server.log())
    with server.raw() as client:
        assert client.handshake() == 101
        client.frame(wire.start())
        client.frame(b"" if code == 1005 else struct.pack(">H", code) + b"bye", opcode=8)
        assert client.close_code() in (code, 1000)  # an empty close may be answered by an empty one (1005) or by 1000
    log = eventually(lambda: (log := server.log()[said:]).count("👋 Connection closed") and log, "the end of the connection")
    assert "⚠️ Connection lost" not in log
    assert "Traceback" not in log


def _flood(client: RawClient, data: bytes) -> None:
    """Send for a while without ever reading, as much as the server takes."""
    client.socket.settimeout(0.25)
    until = time.monotonic() + 1
    with contextlib.suppress(TimeoutError, ConnectionError):
        while time.monotonic() < until:
            client.socket.sendall(data)


MOST_GROWTH = 16 * MEGABYTE
"""Bytes. One read of an engine, with the allocator's share, came to 10 MB; a second of an unbounded flood to hundreds."""

FLOODS = {
    "media": frame(wire.media(bytes(320))) * 100,
    "big media": frame(wire.media(bytes(180_000))),
    "marks": b"".join(frame(wire.mark(f"mark-{number}")) for number in range(1000)),
    "unknown events": frame('{"event":"x"}') * 1000,
    "broken JSON": frame("{") * 1000,
    "pings": frame(b"x" * 125, 9) * 1000,
    "pongs": frame(b"x" * 125, 10) * 1000,
    "empty fragments": frame(b"", 0, fin=False) * 10_000,
    "fragments of a byte": frame(b"x", 0, fin=False) * 10_000,
    "a message too big": frame_head(1 << 40) + bytes(MEGABYTE),
    "frames that are no frames": b"\xc1\x80\0\0\0\0" * 10_000,
    "zeros": bytes(MEGABYTE),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_client_that_floods_and_never_reads(flooded: ServerProcess, name: str) -> None:
    """A client that floods and never reads fills neither the memory nor the log, and another call does not notice."""
    server = flooded
    before, said = server.memory(), len(server.log())

    async def calls() -> None:
        async with Phone(server.url()) as other:
            await other.open("beside")
            with server.raw(receive_buffer=4096) as client:
                client.request()
                assert client.head()[0] == 101
                client.frame(wire.start("flood"))
                if "fragments" in name:
                    client.frame(b"{", fin=False)
                flooding = asyncio.create_task(asyncio.to_thread(_flood, client, FLOODS[name]))
                frames = wire.audio(15)
                assert await other.converse(frames, "beside", pause_s=0.02) == frames
                await flooding
                assert server.memory() - before < MOST_GROWTH

    asyncio.run(calls())
    assert len(server.log()) - said < 2 * MEGABYTE


def test_a_little_in_makes_no_lot_out(flooded: ServerProcess) -> None:
    """A little in makes no lot out: every answer carries the stream's id, so one of 7,000 characters is not taken."""
    before = flooded.memory()
    with flooded.raw(receive_buffer=4096) as client:
        assert client.handshake() == 101
        client.frame(wire.message(event="start", stream_sid="x" * 7_000))
        client.frame(b"taken?", opcode=9)
        assert client.read_frame() == (10, b"taken?")
        # All of it waits for the server, which then reads it at once.
        flooded.signal(signal.SIGSTOP)
        try:
            _flood(client, frame('{"event":"media","media":{"payload":"AAA="}}') * 100)
        finally:
            flooded.signal(signal.SIGCONT)
        assert flooded.fetch("/health")[0] == 200
        assert flooded.memory() - before < MOST_GROWTH


@pytest.fixture(scope="module")
def flooded(session_server: StartServer) -> ServerProcess:
    """Start a server that logs warnings only, so that a flood's well-formed events add no lines."""
    return session_server({"log": {"level": "warning"}})


def test_strangers_cannot_write_to_the_terminal(server: ServerProcess) -> None:
    """Escape sequences, line breaks and direction marks are made harmless in the log."""
    evil = "\x1b[2J\x1b]0;owned\x07\r\n[conn_fake] 🚀 START EVENT\u202e\u2028\x9b31m"

    async def call() -> None:
        async with Phone(server.url("/%1b[31m?x=%0d%0a")) as phone:
            await phone.open("sid-evil" + evil, call_sid=evil, from_=evil, to=evil, encoding=evil)
            await phone.send(
                wire.mark(evil), wire.message(event=evil), wire.media(b"ab", evil), wire.message(event="dtmf", digit=evil)
            )
            assert (await phone.receive())["mark"] == {"name": evil}
            await phone.receive()
            await phone.send(wire.stop(reason=evil))
            await phone.silence(0.1)

    asyncio.run(call())
    raw = server.log_file.read_bytes().decode()
    assert "sid-evil" in raw
    for character in "\x1b\x07\r\x9b\u202e\u2028":
        assert character not in raw
    assert not [line for line in raw.splitlines() if line.startswith("[conn_fake]")]


def test_json_lines_stay_lines(start_server: StartServer) -> None:
    server = start_server({}, "--log-format", "json")

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open('a"b\n{"c', call_sid="call\n1")
            await phone.in_order()

    asyncio.run(call())
    entries = [json.loads(line) for line in server.log().splitlines()]
    (start,) = [entry for entry in entries if entry["message"].endswith("START EVENT")]
    assert start["event"] == "start"
    assert start["call_sid"] == "call\\n1"
    assert start["conn_id"].startswith("conn_")
    assert start["level"] == "info"
