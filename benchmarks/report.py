"""Rounds of figures in, the Markdown table of ratios out."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.flat_out import FlatOut

PEER = "node"
FLOOR = "floor"
KIB_PER_CALL_LIMIT = 60


@dataclass(frozen=True)
class Round:
    """Figures of one round by server name, always with `PEER`; flat out also with `FLOOR`, or with none at all."""

    paced: dict[str, Figures]
    flat_out: dict[str, FlatOut]


@dataclass(frozen=True)
class Ratio:
    """Row of the table: its title, the goal, and the function from a round and a server's name to one number."""

    title: str
    goal: str
    of: Callable[[Round, str], float]


FLAT_OUT_RATIOS = [
    Ratio(
        "CPU per frame, 100 calls flat out ÷ Node",
        "≤ 0.6",
        lambda of, name: of.flat_out[name].cpu_us_per_frame / of.flat_out[PEER].cpu_us_per_frame,
    ),
    Ratio(
        "CPU per frame, 100 calls flat out ÷ the floor",
        "≤ 2.6",
        lambda of, name: of.flat_out[name].cpu_us_per_frame / of.flat_out[FLOOR].cpu_us_per_frame,
    ),
    Ratio(
        "Frames a second, 100 calls flat out ÷ Node",
        "",
        lambda of, name: of.flat_out[name].frames_per_s / of.flat_out[PEER].frames_per_s,
    ),
]
PACED_RATIOS = [
    Ratio(
        "CPU per frame, 100 paced calls ÷ Node",
        "≤ 0.8",
        lambda of, name: of.paced[name].cpu_us_per_frame / of.paced[PEER].cpu_us_per_frame,
    ),
    Ratio("p99 round trip, 300 paced calls ÷ Node", "≤ 1", lambda of, name: of.paced[name].p99_us / of.paced[PEER].p99_us),
    Ratio("Memory a call, 300 calls ÷ Node", "", lambda of, name: of.paced[name].kib_per_call / of.paced[PEER].kib_per_call),
    Ratio(
        f"Memory a call ÷ {KIB_PER_CALL_LIMIT} KiB",
        "≤ 1",
        lambda of, name: of.paced[name].kib_per_call / KIB_PER_CALL_LIMIT,
    ),
]


def table(rounds: list[Round]) -> str:
    """Return the Markdown table: for each ratio the median of the rounds, with the lowest and the highest of them."""
    servers = [name for name in rounds[0].paced if name != PEER]
    lines = [
        "| | goal | " + " | ".join(servers) + " |",
        "|---|---|" + "---|" * len(servers),
    ]
    for ratio in (FLAT_OUT_RATIOS if rounds[0].flat_out else []) + PACED_RATIOS:
        cells = [_cell([ratio.of(figures, name) for figures in rounds]) for name in servers]
        lines.append(f"| {ratio.title} | {ratio.goal} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def write(document: Path, text: str, section: str = "benchmarks") -> None:
    """Replace the text between the two markers of `section` in `document`. Raises ValueError if a marker is missing."""
    begins, ends = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    head, begin, rest = document.read_text().partition(begins)
    _, end, tail = rest.partition(ends)
    if not (begin and end):
        raise ValueError(f"{document}: the lines {begins} and {ends} must stand in it, in this order")
    document.write_text(f"{head}{begins}\n{text}\n{ends}{tail}")
