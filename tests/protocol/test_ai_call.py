"""Spoken calls with a real server, on both engines, with the embedded services: no key, no network."""

import asyncio
import time
from collections.abc import Callable

import pytest

from . import wire
from .phone import Phone
from .process import ServerProcess
from .speaker import ESPEAK, Caller, spoken

pytestmark = [
    pytest.mark.skipif(not ESPEAK, reason="needs espeak-ng, a voice that is not the bot's: scripts/apt-need espeak-ng"),
    pytest.mark.timeout(180),
]


SAID = ("When are you open?", "Where is my order?", "No thank you.")


@pytest.fixture(scope="module")
def bot(session_server: Callable[..., ServerProcess]) -> ServerProcess:
    return session_server({"mode": "ai"}, "--log-format", "json")


def summary(bot: ServerProcess, sid: str) -> dict[str, str]:
    found = [line for line in bot.fields("summary") if line["stream_sid"] == sid]
    assert len(found) == 1, f"{len(found)} summaries of {sid}"
    return found[0]


async def whole_call(bot: ServerProcess, rate: int, sid: str) -> Caller:
    async with Phone(bot.url(f"/?sample-rate={rate}")) as phone:
        began = time.monotonic()
        await phone.open(sid, rate=str(rate))
        caller = Caller(phone, rate, sid)
        question, order, bye = (spoken(text, rate) for text in ("When are you open?", "Where is my order?", "No thank you."))
        await caller.hears_something()
        assert caller.first_audio_at - began < 0.4
        await caller.hears_nothing()
        assert caller.clears == 0

        caller.say(question)
        await caller.said()
        await caller.hears_something()
        await asyncio.sleep(0.7)
        caller.say(order)
        await caller.until(lambda: caller.clears > 0)
        await caller.said()
        await caller.hears_something()
        await caller.hears_nothing()

        await phone.send(wire.dtmf("1", sid))
        await caller.hears_something()
        await caller.hears_nothing()

        caller.say(bye)
        code, reason = await caller.ended()
        assert (code, reason) == (1000, "hang_up")
        assert caller.played_until <= time.monotonic() + 0.1, "closed before the goodbye was heard"
        await caller.hang_up()
    return caller


def test_a_caller_is_greeted_understood_and_answered_and_can_interrupt(bot: ServerProcess, engine: str) -> None:
    rate = {"picows": 8000, "websockets": 24000}[engine]
    sid = f"whole-{rate}"
    caller = asyncio.run(whole_call(bot, rate, sid))
    assert all(size % 320 == 0 and 3200 <= size <= 100_000 for size in caller.sizes)
    bot.wait_for_log(rf'"event": "summary".*"stream_sid": "{sid}"|"stream_sid": "{sid}".*"event": "summary"')
    told = summary(bot, sid)
    assert told["outcome"] == "hang_up"
    assert told["keys"] == "1"
    assert caller.clears == 1
    assert told["turns"] == "3"
    assert (told["barge_ins"], told["false_barge_ins"]) == ("1", "0")
    assert told["errors"] == "0"


def test_a_caller_who_hangs_up_leaves_nothing_and_the_log_holds_no_word_of_theirs(bot: ServerProcess) -> None:
    async def call(sid: str, hang_up_after_s: float) -> None:
        async with Phone(bot.url()) as phone:
            await phone.open(sid)
            caller = Caller(phone, 8000, sid)
            caller.say(spoken("Where is my parcel?", 8000))
            await asyncio.sleep(hang_up_after_s)
            await phone.send(wire.stop(sid))
            await caller.hang_up()

    async def calls() -> None:
        await asyncio.gather(*(call(f"gone-{at}", at) for at in (0.0, 0.2, 1.5, 4.0)))

    asyncio.run(calls())
    for at in (0.0, 0.2, 1.5, 4.0):
        bot.wait_for_log(rf'"event": "summary".*"stream_sid": "gone-{at}"|"stream_sid": "gone-{at}".*"event": "summary"')
    assert bot.metric("calls_live") == 0
    log = bot.log()
    for word in ("parcel", "order", "opening hours", "HTTP Request", "Traceback"):
        assert word not in log, f"{word!r} is in the log"


def test_media_before_start_make_one_bot_that_greets_once(bot: ServerProcess) -> None:
    sid = "early"

    async def call() -> Caller:
        async with Phone(bot.url()) as phone:
            await phone.send(wire.connected(), *(wire.media(bytes(320), sid, chunk=chunk) for chunk in range(1, 11)))
            await phone.send(wire.start(sid))
            caller = Caller(phone, 8000, sid)
            await caller.hears_something()
            await caller.hears_nothing()
            await phone.send(wire.stop(sid))
            await caller.hang_up()
        return caller

    caller = asyncio.run(call())
    assert caller.clears == 0
    bot.wait_for_log(rf'"event": "summary".*"stream_sid": "{sid}"|"stream_sid": "{sid}".*"event": "summary"')
    assert summary(bot, sid)["turns"] == "0"
    assert [line["kind"] for line in bot.fields("fault")] == ["media_before_start"]
