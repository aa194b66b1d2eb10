"""Run the measurement of listening, of our server and of the peer, and put its text together."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from exotel_ws.ai.embedded.models import example_flow
from exotel_ws.ai.scripted import flow

from benchmarks.__main__ import RAW, free_port
from benchmarks.ai import server
from benchmarks.ai.listening import callers, counts, speech, table, times, voices
from benchmarks.ai.listening.judge import Texts
from benchmarks.ai.listening.table import Found
from benchmarks.ai.server import OURS, PEER
from benchmarks.figures import QUIET_CORES

COUNTS, TIMES = "counts", "times"
PARTS: Final = (COUNTS, TIMES)
_LATE_MS: Final = 40.0
"""Lateness of the callers in ms, two frames, from which they distort what they time."""


def prepare() -> None:
    """Install the voices and make all speech, unless it is there: half an hour once. Raises VoicesError."""
    voices.install()
    made = speech.prepare(callers.speech())
    if made:
        print(f"listening: {made} sentences were spoken, and kept in {voices.PLACE}", flush=True)


def measure(cores: list[int], rounds: int, parts: Sequence[str] = PARTS) -> dict[str, Found]:
    """Measure both servers. Raises LoadError and ServerError."""
    timed: dict[str, list[times.Times]] = {OURS: [], PEER: []}
    for number in range(rounds if TIMES in parts else 0):
        for name in (OURS, PEER) if number % 2 == 0 else (PEER, OURS):
            timed[name].append(_timed(name, cores, number))
            print(f"listening, round {number + 1}/{rounds}  {name:<8}  {_line(timed[name][-1])}", flush=True)
    counted = {name: _counted(name, cores) if COUNTS in parts else None for name in (OURS, PEER)}
    return {name: Found(counted[name], timed[name]) for name in (OURS, PEER)}


def text(found: dict[str, Found]) -> str:
    """Return the table and the conditions in which it was made."""
    rounds = [one for each in found.values() for one in each.times]
    counted = [one.counts.late_ms for one in found.values() if one.counts]
    late_ms = [max((one.late_ms for one in rounds), default=0.0), max(counted, default=0.0)]
    busy = max((one.others_busy for one in rounds), default=0.0)
    how = (
        f"{len(rounds) // 2} rounds of what is timed, the median of them, on {datetime.now(UTC):%Y-%m-%d}; "
        f"the rest is counted once, {len(callers.SENTENCES)} sentences by {len(voices.VOICES)} voices. "
        f"The callers were at most {late_ms[0]:.0f} ms behind their own pace in what is timed and {late_ms[1]:.0f} ms in "
        f"what is counted; other processes used up to {busy:.2f} cores. "
        "Again: `python -m benchmarks.ai --only listening`, half an hour."
    )
    return f"{table.table(found[OURS], found[PEER])}\n\n{how}"


def keep(found: dict[str, Found]) -> Path:
    """Write the raw figures to a file and return it: each case that is not as it should be is told there."""
    RAW.mkdir(exist_ok=True)
    path = RAW / f"listening-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    whole: dict[str, Any] = {name: asdict(one) for name, one in found.items()}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False), "utf-8")
    return path


def _timed(name: str, cores: list[int], number: int) -> times.Times:
    with (
        tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch,
        server.running(name, cores, free_port(), Path(scratch)) as bot,
    ):
        return asyncio.run(times.carry_out(bot, number))


def _counted(name: str, cores: list[int]) -> counts.Counts:
    print(f"listening, counted once  {name}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch,
        server.running(name, cores, free_port(), Path(scratch), short=False) as bot,
    ):
        placed = asyncio.run(counts.place(bot))
        told = bot.told()
    return counts.judged(placed, told, Texts(flow.load(example_flow())))


def _line(one: times.Times) -> str:
    line = f"{len(one.ear_ms)} of {one.asked} answered"
    if one.others_busy > QUIET_CORES:
        line += f"  ⚠️ other processes used {one.others_busy:.2f} cores: repeat this when the machine is quiet"
    if one.late_ms > _LATE_MS:
        line += f"  ⚠️ the callers were up to {one.late_ms:.0f} ms late themselves"
    return line
