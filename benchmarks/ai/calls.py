"""Calls placed together: each by a simulated telephone that speaks, listens in real time and returns marks, as Exotel does."""

import asyncio
from collections.abc import Sequence
from typing import Final

from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.caller import Caller
from exotel_phone.target import Target, parse

from benchmarks.ai.speech import RATE
from benchmarks.load import LoadError

MOST_S: Final = 120.0
"""Longest duration of all calls of a load, in seconds."""
BARGE_IN_S: Final = 0.8
"""Seconds from the bot's first word to the interruption."""


class InStep(Caller):
    """Caller who begins each turn together with all others."""

    def __init__(self, target: Target, script: Sequence[Said], together: asyncio.Barrier) -> None:
        super().__init__(target, RATE, script, strip_query=False, barge_in_s=None)
        self._together = together

    async def _take_turn(self, said: Said, *, last: bool) -> None:
        await self._together.wait()
        await super()._take_turn(said, last=last)


async def alone(url: str, script: Sequence[Said], *, interrupting: bool = False) -> Call:
    """Place one call; ``interrupting``: each turn but the first interrupts the answer to the one before. Raises LoadError."""
    caller = Caller(parse(url), RATE, script, strip_query=False, barge_in_s=BARGE_IN_S if interrupting else None)
    return (await _all([caller], 0))[0]


async def in_step(url: str, scripts: Sequence[Sequence[Said]]) -> list[Call]:
    """Place a call for each script, with all turns in step: the hardest load of this many calls. Raises LoadError."""
    together = asyncio.Barrier(len(scripts))
    return await _all([InStep(parse(url), script, together) for script in scripts], 0)


async def staggered(url: str, scripts: Sequence[Sequence[Said]], apart_s: float) -> list[Call]:
    """Place a call for each script, each ``apart_s`` after the one before. Raises LoadError."""
    return await _all([Caller(parse(url), RATE, script, strip_query=False, barge_in_s=None) for script in scripts], apart_s)


async def _all(callers: Sequence[Caller], apart_s: float) -> list[Call]:
    async def place(number: int, caller: Caller) -> Call:
        await asyncio.sleep(number * apart_s)
        return await caller.carry_out()

    try:
        async with asyncio.timeout(MOST_S), asyncio.TaskGroup() as group:
            tasks = [group.create_task(place(number, caller)) for number, caller in enumerate(callers)]
    except TimeoutError:
        raise LoadError(f"{len(callers)} call(s) were not over after {MOST_S:g} s") from None
    except ExceptionGroup as failed:
        raise LoadError(f"a call was not taken: {failed.exceptions[0]}") from failed
    return [task.result() for task in tasks]
