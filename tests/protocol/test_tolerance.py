"""Tolerances of a reader of Exotel's stream: each on the wire, with its answer."""

import asyncio
import json
from typing import Any

import pytest

from . import wire
from .phone import Phone
from .process import ServerProcess

PCM = "AQIDBAUGBwg="  # 8 bytes


def media(**more: Any) -> str:
    return wire.message(**({"event": "media", "stream_sid": wire.STREAM, "media": {"payload": PCM}} | more))


ECHO = {"event": "media", "stream_sid": wire.STREAM, "media": {"payload": PCM}}
STARTED = [wire.connected(), wire.start()]

TOLERANCES: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "numbers as strings": (
        [*STARTED, media(sequence_number="3", media={"chunk": "2", "timestamp": "20", "payload": PCM})],
        [ECHO],
    ),
    "numbers as integers": ([*STARTED, media(sequence_number=3, media={"chunk": 2, "timestamp": 20, "payload": PCM})], [ECHO]),
    "numbers as null": (
        [*STARTED, media(sequence_number=None, media={"chunk": None, "timestamp": None, "payload": PCM})],
        [ECHO],
    ),
    "sequence_number absent": ([*STARTED, media()], [ECHO]),
    "sequence_number nonsense": ([*STARTED, media(sequence_number={"a": [1]})], [ECHO]),
    "without newline": ([message.rstrip() for message in (*STARTED, media())], [ECHO]),
    "newlines and spaces around": ([f" \r\n{message}\r\n\n" for message in (*STARTED, media())], [ECHO]),
    "unknown keys": ([*STARTED, media(track="inbound", leg_sid="x", more={"deep": [1, {}]})], [ECHO]),
    "unknown events": ([*STARTED, wire.message(event="heartbeat", data=1), media()], [ECHO]),
    "camelCase at the top": ([wire.message(event="start", streamSid=wire.STREAM, start={}), media()], [ECHO]),
    "camelCase inside start": ([wire.message(event="start", start={"streamSid": wire.STREAM}), media()], [ECHO]),
    "snake_case inside start only": ([wire.message(event="start", start={"stream_sid": wire.STREAM}), media()], [ECHO]),
    "camelCase media": ([*STARTED, wire.message(event="media", streamSid=wire.STREAM, media={"payload": PCM})], [ECHO]),
    "media without an id": ([*STARTED, wire.message(event="media", media={"payload": PCM})], [ECHO]),
    "media of another id": ([*STARTED, media(stream_sid="another")], [ECHO]),
    "media before start": ([wire.connected(), media(), wire.start(), media()], [ECHO, ECHO]),
    "media and no start at all": ([media(), media()], [ECHO, ECHO]),
    "start without connected": ([wire.start(), media()], [ECHO]),
    "connected after start": ([wire.start(), wire.connected(), media()], [ECHO]),
    "connected with a body": ([wire.message(event="connected", protocol="Call", version="1.0.0"), wire.start(), media()], [ECHO]),
    "start twice, the same": ([*STARTED, media(), wire.start(), media()], [ECHO, ECHO]),
    "start twice, another id": (
        [wire.start("first"), media(stream_sid="first"), wire.start(), media()],
        [ECHO | {"stream_sid": "first"}, ECHO],
    ),
    "start with its fields at the top": (
        [wire.message(event="start", stream_sid=wire.STREAM, call_sid="c", media_format={"sample_rate": "16000"}), media()],
        [ECHO],
    ),
    "start without a body": ([wire.message(event="start", stream_sid=wire.STREAM), media()], [ECHO]),
    "start without media_format": ([wire.start(media_format=None), media()], [ECHO]),
    "media_format of another type": ([wire.start(media_format="raw"), media()], [ECHO]),
    "custom_parameters null": (
        [wire.message(event="start", stream_sid=wire.STREAM, start={"custom_parameters": None}), media()],
        [ECHO],
    ),
    "custom_parameters text": ([wire.start(custom_parameters="a=1&b=2"), media()], [ECHO]),
    "custom_parameters a list": ([wire.start(custom_parameters=["a", 1]), media()], [ECHO]),
    "custom_parameters mangled": ([wire.start(custom_parameters={"sample-rate=8000&x": ""}), media()], [ECHO]),
    "custom_parameters numbers": ([wire.start(custom_parameters={"a": 1, "b": None, "c": {"d": 1}}), media()], [ECHO]),
    "ids that are numbers": ([wire.start(call_sid=123, account_sid=None), media()], [ECHO]),
    "encoding raw/slin": ([wire.start(encoding="raw/slin"), media()], [ECHO]),
    "encoding raw": ([wire.start(encoding="raw"), media()], [ECHO]),
    "encoding audio/x-raw": ([wire.start(encoding="audio/x-raw"), media()], [ECHO]),
    "encoding audio/x-mulaw": ([wire.start(encoding="audio/x-mulaw"), media()], [ECHO]),
    "dtmf nested": ([*STARTED, wire.dtmf("#"), media()], [ECHO]),
    "dtmf flat": ([*STARTED, wire.message(event="dtmf", digit="5"), media()], [ECHO]),
    "dtmf as a number": ([*STARTED, wire.message(event="dtmf", dtmf={"digit": 5, "duration": 100}), media()], [ECHO]),
    "dtmf before start": ([wire.dtmf("1"), *STARTED, media()], [ECHO]),
    "mark before start": ([wire.mark("early"), *STARTED, media()], [ECHO]),
    "mark flat": (
        [*STARTED, wire.message(event="mark", name="flat")],
        [{"event": "mark", "stream_sid": wire.STREAM, "mark": {"name": "flat"}}],
    ),
    "clear before start": ([wire.clear(), *STARTED, media()], [ECHO]),
    "one broken message": ([*STARTED, '{"event":"media"', media()], [ECHO]),
}


@pytest.mark.parametrize("name", TOLERANCES)
def test_tolerance(server: ServerProcess, name: str) -> None:
    messages, expected = TOLERANCES[name]

    async def call() -> list[dict[str, Any]]:
        async with Phone(server.url()) as phone:
            await phone.send(*messages)
            answers = [await phone.receive() for _ in expected]
            await phone.in_order()
            return answers

    assert asyncio.run(call()) == expected


@pytest.mark.parametrize(
    ("said", "query", "parameters", "rate"),
    [
        ("16000", "", None, 16000),
        (24000, "", None, 24000),
        ("8000", "?sample-rate=16000", None, 8000),
        ("16000", "?sample-rate=8000", {"sample-rate": "24000"}, 16000),
        (None, "?sample-rate=16000", None, 16000),
        (None, "?sample_rate=24000", None, 24000),
        (None, "?sample-rate=16000", {"sample-rate": "24000"}, 16000),
        (None, "", {"sample-rate": "24000"}, 24000),
        (None, "", {"sample_rate": "16000"}, 16000),
        ("44100", "?sample-rate=16000", None, 16000),
        ("16 kHz", "", None, 16000),
        ("16000Hz", "?sample-rate=8000", None, 16000),
        (None, "", {"sample-rate:24000=": ""}, 24000),
        ("fast", "?sample-rate=11025", {"sample-rate": "x"}, 8000),
        (None, "", None, 8000),
    ],
)
def test_the_sample_rate_is_resolved_in_order(
    server: ServerProcess, said: Any, query: str, parameters: Any, rate: int, request: pytest.FixtureRequest
) -> None:
    """``start`` decides the sample rate before the URL, whose query Exotel strips: the URL alone would give a wrong pitch."""
    sid = f"rate-{request.node.callspec.id}"

    async def call() -> None:
        async with Phone(server.url(f"/{query}")) as phone:
            await phone.open(sid, rate=said, custom_parameters=parameters)
            await phone.in_order()

    asyncio.run(call())
    assert f"   Format: base64 @ {rate}Hz" in server.call_log(sid)


def test_an_odd_thing_is_said_once_and_counted_each_time(server: ServerProcess) -> None:
    before = server.metric('protocol_faults_total{kind="other_stream"}')

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("odd")
            await phone.send(*[media(stream_sid="another")] * 70, "broken", *[media(stream_sid="another")] * 10)
            for _ in range(80):
                await phone.receive()
            await phone.in_order()

    asyncio.run(call())
    assert server.metric('protocol_faults_total{kind="other_stream"}') == before + 80
    assert sum("another stream" in line for line in server.call_log("odd")) == 1


def test_a_start_after_early_media_is_not_a_second_one(server: ServerProcess) -> None:
    before = server.metrics()

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.send(media(), wire.connected(), wire.start())
            await phone.receive()
            await phone.in_order()

    asyncio.run(call())
    changed = {name: value - before[name] for name, value in server.metrics().items() if "protocol_faults" in name}
    assert {name: value for name, value in changed.items() if value} == {
        'exotel_ws_protocol_faults_total{kind="media_before_start"}': 1
    }


def test_messages_in_several_frames(server: ServerProcess) -> None:
    """A message may come in several frames: Go's common client splits at its write buffer's size of 4096 bytes."""
    pcm = wire.audio(1, size=9600)[0]
    data = wire.media(pcm).encode()
    with server.raw() as client:
        assert client.handshake() == 101
        client.frame(wire.start())
        client.frame(data[:4096], fin=False)
        client.frame(b"are you there", opcode=9)
        client.frame(data[4096:8192], opcode=0, fin=False)
        client.frame(data[8192:], opcode=0)
        assert client.read_frame() == (10, b"are you there")
        assert json.loads(client.read_frame()[1])["media"]["payload"] == json.loads(data)["media"]["payload"]
