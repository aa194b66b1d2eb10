"""Lines that are not PCM16: AI mode decodes µ-law and A-law, or says what it can't; echo mode sends back what comes."""

import asyncio
from collections.abc import Callable

import pytest
from exotel_ws.ai.decoder import roughness
from exotel_ws.encodings import Encoding

from . import wire
from .phone import Phone, payload
from .process import ServerProcess
from .speaker import ESPEAK, Caller, spoken

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def bot(session_server: Callable[..., ServerProcess]) -> ServerProcess:
    return session_server({"mode": "ai"}, "--log-format", "json")


@pytest.mark.skipif(not ESPEAK, reason="needs espeak-ng, a voice that is not the bot's: scripts/apt-need espeak-ng")
@pytest.mark.parametrize(
    ("said", "encoding", "faults"),
    [
        ("audio/x-mulaw", Encoding.MULAW, []),
        ("PCMA", Encoding.ALAW, []),
        ("base64", Encoding.MULAW, ["encoding_mismatch"]),
        ("audio/x-mulaw", Encoding.PCM16, ["encoding_mismatch"]),
    ],
)
def test_a_caller_is_heard_and_hears_in_the_encoding_of_the_line(
    bot: ServerProcess, said: str, encoding: Encoding, faults: list[str]
) -> None:
    sid = f"{said.partition('/')[2] or said}-{encoding.name}"

    async def call() -> Caller:
        async with Phone(bot.url()) as phone:
            await phone.open(sid, encoding=said)
            caller = Caller(phone, 8000, sid, encoding)
            await caller.hears_nothing()
            caller.say(spoken("Where is my order? When are you open?", 8000))
            await caller.said()
            caller.heard.clear()
            await caller.hears_something()
            await caller.hears_nothing()
            await phone.send(wire.stop(sid))
            await caller.hang_up()
            return caller

    caller = asyncio.run(call())
    assert all(size % 320 == 0 and 3200 <= size <= 100_000 for size in caller.sizes)
    assert roughness(bytes(caller.heard)) < 10_000, "noise, not speech"
    bot.wait_for_log(rf'"stream_sid": "{sid}".*"event": "summary"|"event": "summary".*"stream_sid": "{sid}"')
    (told,) = [line for line in bot.fields("summary") if line["stream_sid"] == sid]
    assert int(told["turns"]) >= 1, "deaf"
    assert [line["kind"] for line in bot.fields("fault") if line["stream_sid"] == sid] == faults


def test_what_can_t_be_decoded_is_refused_and_named(bot: ServerProcess) -> None:
    async def call() -> tuple[int, str]:
        async with Phone(bot.url()) as phone:
            await phone.open("opus", encoding="audio/opus")
            return await phone.closed()

    before = bot.metric('protocol_faults_total{kind="unsupported_encoding"}')
    code, reason = asyncio.run(call())
    assert (code, "audio/opus" in reason) == (1003, True)
    assert bot.metric('protocol_faults_total{kind="unsupported_encoding"}') == before + 1
    assert bot.metric("calls_live") == 0
    assert [line["kind"] for line in bot.fields("fault") if line["stream_sid"] == "opus"] == ["unsupported_encoding"]


def test_an_echo_sends_any_encoding_back_as_it_came(session_server: Callable[..., ServerProcess]) -> None:
    echo = session_server({})

    async def call() -> list[bytes]:
        async with Phone(echo.url()) as phone:
            await phone.open("echo", encoding="audio/opus")
            for count, data in enumerate((bytes(range(160)), b"\x7f" * 160, b"odd"), 1):
                await phone.send(wire.media(data, "echo", chunk=count))
            return [payload(await phone.receive()) for _ in range(3)]

    assert asyncio.run(call()) == [bytes(range(160)), b"\x7f" * 160, b"odd"]
