"""A call that the bot placed: a machine that answers is told from a person, and is left a message after its tone, or nothing."""

import asyncio
from typing import Any

import numpy as np
import pytest
from exotel_ws.ai.phase import Phase
from exotel_ws.ai.settings import Ai, Outbound, Silence
from exotel_ws.ai.tone import Tone
from exotel_ws.ai.wishes import fill
from exotel_ws.protocol import Start

from .ai_call import RATE, Call, at_once

MESSAGE = "Your order comes tomorrow."
MACHINE = "Hi, you have reached Asha. Please leave a message after the tone."
LEAVES = Ai(outbound=Outbound(voicemail="leave_message", message=MESSAGE))


def sound(seconds: float, *notes: float, loud: float = 0.3) -> Any:
    time = np.arange(int(seconds * RATE)) / RATE
    return sum((np.sin(2 * np.pi * note * time) for note in notes), np.zeros(len(time))) * loud


def voice(seconds: float) -> Any:
    """Return vowels of a voice that glides from 110 to 160 Hz, eight harmonics each."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(np.linspace(110, 160, len(time))) / RATE
    return 0.2 * np.sum([np.sin(k * phase) / k for k in range(1, 9)], axis=0)


def pcm(*sounds: Any) -> bytes:
    return bytes((np.concatenate(sounds) * 32767).astype("<i2").tobytes())


def heard(*sounds: Any) -> float | None:
    """Return the second at which the tone is over, None if it never is. Audio comes in frames of 20 ms."""
    tone, said = Tone(RATE), pcm(*sounds)
    frames = (said[at : at + 320] for at in range(0, len(said), 320))
    return next((number / 50 for number, frame in enumerate(frames, 1) if tone.over(frame)), None)


@pytest.mark.parametrize("note", [425.0, 1000.0, 1400.0])
@pytest.mark.parametrize("seconds", [0.25, 0.6, 2.0])
def test_a_message_begins_as_the_tone_ends(note: float, seconds: float) -> None:
    over = heard(voice(1.0), sound(0.3), sound(seconds, note), sound(1.0))
    assert over is not None
    assert 1.3 + seconds - 0.05 <= over <= 1.3 + seconds + 0.1


def test_a_machine_without_a_tone_is_left_a_message_when_it_is_silent() -> None:
    over = heard(voice(1.0), sound(3.0))
    assert over == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(
    "sounds",
    [
        (voice(6.0),),
        (sound(4.0, 120.0),),
        (sound(0.1, 1000.0), voice(1.0), sound(0.1, 1000.0), voice(1.0)),
        (sound(3.0, 697.0, 1209.0),),
        (np.random.default_rng(1).normal(0, 0.1, 4 * RATE),),
        (),
    ],
    ids=["a voice", "a hum", "clicks", "a key", "noise", "nothing"],
)
def test_no_tone(sounds: tuple[Any, ...]) -> None:
    assert heard(sound(0.02), *sounds) is None


def test_a_person_is_talked_to() -> None:
    async def call() -> None:
        call = Call(LEAVES, outbound=True)
        await call.say("Hello, who is it?")
        await call.until(6.0)
        assert call.services.asked == ["Hello, who is it?"]
        assert call.conversation._phases.now is not Phase.MACHINE
        call.conversation.stopped()

    at_once(call)


def test_a_machine_is_hung_up_on_at_once() -> None:
    async def call() -> None:
        call = Call(outbound=True)
        await call.say(MACHINE, seconds=0.5)
        assert await call.end(within_s=0.2) == "voicemail"
        await asyncio.sleep(0)
        assert (call.story.outcome, call.services.asked) == ("voicemail", [])

    at_once(call)


def test_a_machine_is_left_a_message_after_its_tone_and_nothing_before_it() -> None:
    async def call() -> None:
        call = Call(LEAVES, outbound=True)
        await call.say(MACHINE, seconds=0.5)
        assert not call.bot_speaks
        await call.say("This mailbox belongs to Asha.")
        call.press("1")
        call.hear(pcm(voice(0.5), sound(0.5, 1000.0)))
        await asyncio.sleep(0.5)
        assert not call.bot_speaks
        call.hear(pcm(sound(0.1)))
        assert await call.end() == "voicemail"
        await asyncio.sleep(0)
        assert call.story.said[-1] == (MESSAGE, True)
        assert (call.story.outcome, call.services.asked) == ("voicemail", [])

    at_once(call)


def test_a_machine_that_talks_on_is_left_a_message_all_the_same() -> None:
    async def call() -> None:
        call = Call(LEAVES, outbound=True)
        await call.say(MACHINE, seconds=0.5)
        asked = call.at
        assert await call.end(within_s=60.0) == "voicemail"
        assert call.story.said[-1] == (MESSAGE, True)
        assert call.hung_up_at - asked == pytest.approx(30.0 + len(MESSAGE) * 0.05 + 0.1, abs=1.0)

    at_once(call)


@pytest.mark.parametrize(
    ("settings", "outbound", "late_s"),
    [(LEAVES, False, 0.0), (Ai(outbound=Outbound(voicemail="ignore")), True, 0.0), (LEAVES, True, 25.0)],
    ids=["a caller", "machines are to be ignored", "long after the start"],
)
def test_who_is_no_machine_may_say_what_machines_say(settings: Ai, outbound: bool, late_s: float) -> None:
    async def call() -> None:
        call = Call(settings, outbound=outbound, silence=Silence(after_s=600.0))
        await call.until(max(3.0, late_s))
        await call.say("Can I leave a message?")
        await asyncio.sleep(5.0)
        assert call.services.asked == ["Can I leave a message?"]
        call.conversation.stopped()

    at_once(call)


def test_a_machine_is_not_told_that_it_was_not_understood() -> None:
    async def call() -> None:
        call = Call(LEAVES, outbound=True, silence=Silence(after_s=600.0))
        await call.until(2.5)
        await call.say(MACHINE)
        said = len(call.story.said)
        call.conversation.say("Sorry, I did not catch that.", b"\2\2" * RATE)
        await asyncio.sleep(3)
        assert len(call.story.said) == said
        assert not call.bot_speaks
        call.conversation.stopped()

    at_once(call)


def test_a_call_that_fails_while_a_machine_talks_leaves_no_apology_on_it() -> None:
    async def call() -> None:
        call = Call(LEAVES, outbound=True, silence=Silence(after_s=600.0))
        await call.until(2.5)
        await call.say(MACHINE)
        said = len(call.story.said)
        call.rescue.give_up("nothing works")
        assert await call.end() == "hang_up"
        assert len(call.story.said) == said

    at_once(call)


def test_a_stream_that_ends_while_a_machine_talks_leaves_no_task_and_no_timer() -> None:
    async def call() -> None:
        before = asyncio.all_tasks()
        call = Call(LEAVES, outbound=True)
        await call.say(MACHINE, seconds=0.5)
        call.conversation.stopped()
        await asyncio.sleep(100.0)
        assert call.story.outcome == "caller"
        assert asyncio.all_tasks() == before

    at_once(call)


def test_the_prompt_knows_who_called() -> None:
    assert fill("The call is {direction}.", Start("s1")) == "The call is inbound."
    called = Start("s1", custom_parameters={"direction": "outbound"})
    assert fill("The call is {direction}.", called) == "The call is outbound."
