"""The calls of each row, and how many of them are placed at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exotel_phone.reach import Unreachable
from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.script import Turn

from benchmarks.ai import speech as flite
from benchmarks.ai.listening import callers
from benchmarks.ai.listening.line import Line
from benchmarks.ai.listening.speech import LEVEL_DB, RATE, said
from benchmarks.ai.listening.voices import Voice
from benchmarks.load import LoadError
from tests.speech.sounds import Echo, babble, level, louder, samples

MOST_S: Final = 90.0
"""Longest duration of a call, in seconds; then it is judged as far as it got."""
AT_ONCE: Final = 5
"""Calls at once where nothing is timed."""
PAUSES_S: Final = (0.3, 0.5, 0.8, 1.2)
OVER_S: Final = 1.0
"""Seconds from the beginning of the bot's answer to a listener's word."""
ECHO_DB, ECHO_S = 20.0, 0.18
STAY_S: Final = 30.0
"""Seconds for which a caller whose line echoes says nothing more."""
BABBLE_DB: Final = 10.0
SECOND_DB: Final = 20.0
_ROOM_S: Final = 20.0
_ASIDE_S: Final = 0.6
"""Seconds between two sentences of the second talker."""
_BREATH_S: Final = 0.6
"""Seconds between two questions of who waits for no answer."""
_AGAIN_S: Final = 5.0
"""Seconds after which a call that was not taken is placed again, once."""
_QUESTION: Final = "When are you open?"


@dataclass(frozen=True)
class Plan:
    """One call: what is said, and its line. ``turn`` is the place in ``script`` of the turn that the row is about."""

    script: Sequence[Said]
    turn: int = 0
    barge_in_s: float | None = None
    background: bytes = b""
    echoes: bool = False


def clean() -> list[Plan]:
    """Return a call for each sentence of the check."""
    return [_one(sentence.text, voice, after=sentence.after) for sentence, voice in callers.SENTENCES]


def remarks() -> list[Plan]:
    """Return a call for each remark and negated wish."""
    return [_one(sentence.text, voice, after=sentence.after) for sentence, voice in callers.REMARKERS]


def listeners() -> list[Plan]:
    """Return a call for each word of a listener, said over the answer to a question."""
    return [Plan([_question(), _said(word, voice)], 1, barge_in_s=OVER_S) for word, voice in callers.LISTENERS]


def pauses(seconds: float) -> list[Plan]:
    """Return a call for each sentence with a pause of ``seconds`` in the middle."""
    silence = bytes(round(seconds * RATE) * 2)
    return [
        Plan([Said(Turn(say=f"{first} … {second}"), said(first, voice) + silence + said(second, voice))])
        for (first, second, _), voice in callers.PAUSING
    ]


def echoes() -> list[Plan]:
    """Return calls whose line brings the bot's voice back; each asks one thing, and stays."""
    stay = bytes(round(STAY_S * RATE) * 2)
    texts = dict.fromkeys(voice for _, _, voice in callers.ASKING)
    asked = [next(one for one in callers.ASKING if one[2] == voice) for voice in list(texts)[:3]]
    return [Plan([_said(text, voice), Said(Turn(say="(silence)"), stay)], echoes=True) for text, _, voice in asked]


def crowded() -> list[Plan]:
    """Return calls from a room in which six people talk, one with each voice that is not theirs."""
    crowd = babble([said(text, voice) for text, voice in callers.CROWD], _ROOM_S, RATE)
    room = louder(crowd, LEVEL_DB - BABBLE_DB - level(samples(crowd), RATE))
    return [Plan(_asking(voice), background=room) for voice in callers.IN_A_ROOM]


def second_talkers() -> list[Plan]:
    """Return calls beside which somebody else talks, to somebody else."""
    plans = []
    for number, (text, voice) in enumerate(callers.SECOND):
        aside = louder(said(text, voice) + bytes(round(_ASIDE_S * RATE) * 2), -SECOND_DB)
        question, _, caller = callers.ASKING[number * 5 % len(callers.ASKING)]
        plans.append(Plan([_said(question, caller)], background=aside))
    return plans


def asking() -> list[Plan]:
    """Return a call with each voice that asks all the easy questions."""
    return [Plan(_asking(voice)) for voice in dict.fromkeys(voice for _, _, voice in callers.ASKING)]


def talkative() -> list[Plan]:
    """Return two calls that ask one thing after the other, and wait for no answer."""
    gap = bytes(round(_BREATH_S * RATE) * 2)
    halves = (callers.ASKING[::4], callers.ASKING[2::4])
    return [
        Plan([Said(Turn(say="(talks all the time)"), b"".join(said(text, voice) + gap for text, _, voice in half))])
        for half in halves
    ]


async def place(url: str, plans: Sequence[Plan], at_once: int = AT_ONCE) -> list[Call]:
    """Place the calls of ``plans``, ``at_once`` at a time. Raises LoadError if one is not taken."""
    places = asyncio.Semaphore(at_once)

    async def one(plan: Plan) -> Call:
        async with places:
            try:
                return await _place(url, plan)
            except Unreachable:  # one busy moment of a server is not worth the half hour before it
                await asyncio.sleep(_AGAIN_S)
                return await _place(url, plan)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(plan)) for plan in plans]
    except ExceptionGroup as failed:
        raise LoadError(f"a call was not taken: {failed.exceptions[0]!r}") from failed
    return [task.result() for task in tasks]


async def _place(url: str, plan: Plan) -> Call:
    echo = Echo(RATE, ECHO_DB, ECHO_S) if plan.echoes else None
    line = Line(url, plan.script, barge_in_s=plan.barge_in_s, background=plan.background, echo=echo)
    asyncio.get_running_loop().call_later(MOST_S, line.give_up)
    return await line.carry_out()


def _one(text: str, voice: Voice, *, after: bool) -> Plan:
    return Plan([*([_question()] if after else []), _said(text, voice)], int(after))


def _asking(voice: Voice) -> list[Said]:
    return [_said(text, voice) for text, _, its in callers.ASKING if its == voice]


def _said(text: str, voice: Voice) -> Said:
    return Said(Turn(say=text), said(text, voice))


def _question() -> Said:
    """Return a question by a voice of flite that is always understood: what matters is what follows its answer."""
    return Said(Turn(say=_QUESTION), flite.spoken(_QUESTION, flite.VOICES[0]))
