"""Times of one server in a round, on a machine that does nothing else."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from exotel_phone.talk.call import Call
from exotel_phone.talk.measure import latency

from benchmarks.ai import calls as telephone
from benchmarks.ai import loads
from benchmarks.ai.figures import figures
from benchmarks.ai.listening import calls
from benchmarks.ai.loads import MANY, Round
from benchmarks.ai.server import Bot
from benchmarks.ai.speech import HOURS, ORDER, script

ROUNDS: Final = 3
_TURNS: Final = 4
_BARGE_INS: Final = 7


@dataclass(frozen=True)
class Times:
    """Times of one server in one round.

    ``ear_ms``: from the end of what a caller says, as sent, to the first sound of the answer; ``asked`` are the turns it is of.
    ``step_ms`` are the same to the first audio with ten calls in step, ``clear_ms`` from a caller's first sound over the bot to
    ``clear``. ``further_mb``: memory of a call after the first. ``talking_cpu``: cores of a call that talks all the time.
    """

    ear_ms: list[float]
    asked: int
    step_ms: list[float]
    clear_ms: list[float]
    further_mb: float
    talking_cpu: float
    late_ms: float
    others_busy: float


async def carry_out(bot: Bot, number: int) -> Times:
    """Put the loads of round ``number`` on a freshly started server; every round has other voices. Raises LoadError."""
    url = bot.url
    first = await loads.watched(bot, lambda: _one(telephone.alone(url, script((HOURS,), 1))))
    ear = await loads.watched(bot, lambda: calls.place(url, calls.asking()[number % ROUNDS :: ROUNDS], 1))
    over = await loads.watched(bot, lambda: _one(telephone.alone(url, script((ORDER,), _BARGE_INS), interrupting=True)))
    step = await loads.watched(bot, lambda: telephone.in_step(url, [script((HOURS, ORDER), _TURNS) for _ in range(MANY)]))
    talking = await loads.watched(bot, lambda: calls.place(url, calls.talkative(), 2))
    every = {"over": over, "step": step}
    parts = await asyncio.to_thread(lambda: figures(Round(0.0, every)).parts)
    heard = [(call, said) for call in ear.calls for said in call.said]
    took = [latency(call, said) for call, said in heard]
    return Times(
        ear_ms=[one * 1000 for one in took if one is not None],
        asked=len(heard) + sum(len(call.unsaid) for call in ear.calls),
        step_ms=parts["step"].to_audio_ms,
        clear_ms=parts["over"].to_clear_ms,
        further_mb=(step.memory_mb - first.memory_mb) / (MANY - 1),
        talking_cpu=talking.cpu_s / talking.seconds / len(talking.calls),
        late_ms=max(call.late_max_ms for load in (ear, over, step) for call in load.calls),
        others_busy=max(load.others_busy for load in (ear, over, step, talking)),
    )


async def _one(call: Awaitable[Call]) -> list[Call]:
    return [await call]
