"""Loads on a server in a round, one after the other, and readings meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotel_phone.talk.call import Call

from benchmarks.ai import calls, hostile
from benchmarks.ai.server import OURS, Bot, Told
from benchmarks.ai.speech import HOURS, ORDER, script
from benchmarks.figures import machine_s
from benchmarks.server import Server

FEW: Final = 5
MANY: Final = 10
APART_S: Final = 0.37
_SAMPLE_S: Final = 0.5
_HAMMERED_S: Final = 2.0
"""Seconds of attack before the call beside it begins."""
_WRITTEN_S: Final = 0.5
"""Seconds until a server has written down a call that is over."""


@dataclass(frozen=True)
class Size:
    """Number of turns of a call in each load."""

    alone: int
    interrupting: int
    together: int


FULL: Final = Size(alone=4, interrupting=7, together=4)
QUICK: Final = Size(alone=1, interrupting=2, together=1)


@dataclass(frozen=True)
class Load:
    """Load that is over. ``cpu_s`` is the server's; ``memory_mb`` its largest PSS, in MB of a million bytes.

    ``own_s`` is the CPU time of the callers, ``others_busy`` the cores that all other processes used meanwhile.
    """

    calls: list[Call]
    told: Mapping[str, Told]
    seconds: float
    cpu_s: float
    memory_mb: float
    own_s: float
    others_busy: float


@dataclass(frozen=True)
class Round:
    """Round of one server: its memory when idle, and the loads by name."""

    idle_mb: float
    loads: Mapping[str, Load]


async def carry_out(bot: Bot, size: Size) -> Round:
    """Put all loads on a freshly started server. Raises LoadError if calls do not come to their end."""
    url, idle_mb = bot.url, memory_mb(bot.server)
    step = [script((HOURS, ORDER), size.together) for _ in range(MANY)]
    mixed = [script((HOURS, ORDER), size.together, caller=number) for number in range(MANY)]
    todo: dict[str, Callable[[], Awaitable[list[Call]]]] = {
        "alone": lambda: _one(calls.alone(url, script((HOURS,), size.alone))),
        "interrupting": lambda: _one(calls.alone(url, script((ORDER,), size.interrupting), interrupting=True)),
        "few": lambda: calls.staggered(url, [script((HOURS,), 1, caller=number) for number in range(FEW)], APART_S),
        "in step": lambda: calls.in_step(url, step),
        "staggered": lambda: calls.staggered(url, mixed, APART_S),
    }
    if bot.server.name == OURS:  # the peer has no bounds: there is nothing to compare
        todo["beside"] = lambda: _beside(url, size.alone)
    return Round(idle_mb, {name: await watched(bot, place) for name, place in todo.items()})


async def _beside(url: str, turns: int) -> list[Call]:
    """Measure the call of "alone" again, beside a hostile caller."""
    hammering = asyncio.create_task(hostile.caller(url))
    try:
        await asyncio.sleep(_HAMMERED_S)
        return [await calls.alone(url, script((HOURS,), turns))]
    finally:
        hammering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hammering


async def _one(call: Awaitable[Call]) -> list[Call]:
    return [await call]


async def watched(bot: Bot, place: Callable[[], Awaitable[list[Call]]]) -> Load:
    """Carry out ``place``, and read the server's figures meanwhile. Raises LoadError."""
    samples: list[float] = []
    sampling = asyncio.create_task(_sample(bot.server, samples))
    machine, cpu, own, begun = machine_s(), bot.server.cpu_s(), time.process_time(), time.monotonic()
    try:
        placed = await place()
    finally:
        sampling.cancel()
    seconds = time.monotonic() - begun
    machine, cpu, own = machine_s() - machine, bot.server.cpu_s() - cpu, time.process_time() - own
    await asyncio.sleep(_WRITTEN_S)
    return Load(placed, bot.told(), seconds, cpu, max(samples), own, max(0.0, machine - cpu - own) / seconds)


async def _sample(server: Server, samples: list[float]) -> None:
    """Sample the memory in a thread, because the kernel adds up pages and the callers must keep their pace meanwhile."""
    while True:
        samples.append(await asyncio.to_thread(memory_mb, server))
        await asyncio.sleep(_SAMPLE_S)


def memory_mb(server: Server) -> float:
    """Return the server's PSS in MB of a million bytes."""
    lines = Path(f"/proc/{server.pid}/smaps_rollup").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
