"""Counts and times in, the table of listening out."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from exotel_phone.echo_meter import percentile

from benchmarks.ai.listening.counts import Count, Counts
from benchmarks.ai.listening.times import Times
from benchmarks.ai.loads import MANY
from benchmarks.ai.server import OURS, PEER

MET, MISSED = "met", "**missed**"


@dataclass(frozen=True)
class Found:
    """Figures of one server. Either part may be missing; its rows say so."""

    counts: Counts | None
    times: Sequence[Times]


@dataclass(frozen=True)
class Row:
    """Row of the table: ``shown`` is its figure as text, ``met`` whether its goal is reached (None: it has no goal)."""

    title: str
    goal: str
    shown: Callable[[Found], str]
    met: Callable[[Found], bool] | None


def table(ours: Found, theirs: Found | None) -> str:
    """Return the table of ours beside pipecat's own path."""
    lines = [f"| | goal | {OURS} | | {PEER} |", "|---|---|---|---|---|"]
    for row in ROWS:
        peer = "" if theirs is None else _shown(row, theirs)
        lines.append(f"| {row.title} | {row.goal} | {_shown(row, ours)} | {_judged(row, ours)} | {peer} |")
    return "\n".join(lines)


def missed(ours: Found) -> list[str]:
    """Return the goals that our server does not reach."""
    return [f"{row.title}: {_shown(row, ours)}" for row in ROWS if _judged(row, ours) == MISSED]


def _shown(row: Row, found: Found) -> str:
    try:
        return row.shown(found)
    except _Unmeasured:
        return "–"


def _judged(row: Row, found: Found) -> str:
    try:
        return "" if row.met is None else MET if row.met(found) else MISSED
    except _Unmeasured:
        return ""


class _Unmeasured(Exception):
    """A row was not measured."""


def _counted(
    title: str, goal: str, of: Callable[[Counts], Count], met: Callable[[Count], bool] | None, *, whole: bool = True
) -> Row:
    def count(found: Found) -> Count:
        one = None if found.counts is None else of(found.counts)
        if one is None or not one.of:
            raise _Unmeasured
        return one

    def shown(found: Found) -> str:
        one = count(found)
        return f"{one.hits} of {one.of}" + (f" ({one.hits / one.of:.0%})" if whole else "")

    return Row(title, goal, shown, None if met is None else lambda found: met(count(found)))


def _timed(title: str, unit: str, most: float | None, of: Callable[[Sequence[Times]], float | None], digits: int = 0) -> Row:
    def value(found: Found) -> float:
        one = of(found.times) if found.times else None
        if one is None:
            raise _Unmeasured
        return one

    goal = "" if most is None else f"≤ {most:g} {unit}"
    return Row(
        title,
        goal,
        lambda found: f"{value(found):.{digits}f} {unit}",
        None if most is None else lambda found: value(found) <= most,
    )


def _percent(of: Callable[[Times], list[float]], percent: float) -> Callable[[Sequence[Times]], float | None]:
    """Return the median over the rounds of a percentile of each."""

    def value(rounds: Sequence[Times]) -> float | None:
        each = [percentile(values, percent) for one in rounds if (values := of(one))]
        return statistics.median(each) if each else None

    return value


def _pauses(seconds: float, most: int | None) -> Row:
    name = f"pause {seconds:g} s"
    title = f"Bot speaks into a pause of {seconds:g} s inside a sentence"
    goal = "" if most is None else f"≤ {most}"
    return _counted(
        title,
        goal,
        lambda counts: counts.into.get(name, Count()),
        None if most is None else lambda one: one.hits <= most,
        whole=False,
    )


def _hole(found: Found) -> float:
    if found.counts is None or not found.counts.holes_s:
        raise _Unmeasured
    return max(found.counts.holes_s)


def _ends(found: Found) -> str:
    if found.counts is None or not found.counts.ends:
        raise _Unmeasured
    return "; ".join(found.counts.ends)


ROWS: Final = (
    _counted("Right answers, clean line", "≥ 85 %", lambda counts: counts.clean, lambda one: one.hits >= 0.85 * one.of),
    _counted("… of them by Indian voices", "≥ 85 %", lambda counts: counts.indian, lambda one: one.hits >= 0.85 * one.of),
    _counted("A remark or a negated wish ends the call", "0", lambda counts: counts.ended, lambda one: not one.hits, whole=False),
    _counted(
        "A listener's word throws the answer away",
        "≤ 1 of 10",
        lambda counts: counts.thrown,
        lambda one: one.hits <= 1,
        whole=False,
    ),
    Row("… the longest hole it makes", "≤ 0.4 s", lambda found: f"{_hole(found):.2f} s", lambda found: _hole(found) <= 0.4),
    _pauses(0.3, None),
    _pauses(0.5, 1),
    _pauses(0.8, 2),
    _pauses(1.2, 4),
    _counted(
        "Halves of these sentences answered alone",
        "≤ 12 of 48",
        lambda counts: counts.halves,
        lambda one: one.hits <= 12,
        whole=False,
    ),
    _timed("Voice to voice for the ear, p50", "ms", 500, _percent(lambda one: one.ear_ms, 50)),
    _timed("Voice to voice for the ear, p95", "ms", 900, _percent(lambda one: one.ear_ms, 95)),
    _counted(
        "Own voice back (−20 dB, 180 ms): turns that it makes",
        "0",
        lambda counts: counts.own,
        lambda one: not one.hits,
        whole=False,
    ),
    Row("… how these calls end", "by silence", _ends, None),
    _counted("Babble of six, 10 dB below: right answers", "", lambda counts: counts.crowded, None, whole=False),
    _counted(
        "… calls in which the caller is told", "all", lambda counts: counts.noisy, lambda one: one.hits == one.of, whole=False
    ),
    _counted(
        "A second talker 20 dB below: the caller is answered",
        "≥ 3 of 4",
        lambda counts: counts.second,
        lambda one: one.hits >= 3,
        whole=False,
    ),
    _timed(f"{MANY} calls in step: voice to voice, p95", "ms", 800, _percent(lambda one: one.step_ms, 95)),
    _timed("Barge-in to `clear`, p95", "ms", 250, _percent(lambda one: one.clear_ms, 95)),
    _timed("Memory: each call after the first", "MB", 5, lambda rounds: statistics.median(one.further_mb for one in rounds), 1),
    _timed(
        "CPU of a call of two that talk all the time",
        "% of a core",
        10,
        lambda rounds: statistics.median(one.talking_cpu for one in rounds) * 100,
        1,
    ),
)
