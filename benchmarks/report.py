"""Rounds of figures in, the Markdown table of ratios out."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figures

PEER = "node"
KIB_PER_CALL_LIMIT = 60

Round = dict[str, Figures]
"""The figures of one round by server name; always with those of PEER."""


@dataclass(frozen=True)
class Ratio:
    """A row: what is compared, the goal, and how a server's figures become one number."""

    title: str
    goal: str
    of: Callable[[Figures, Figures], float]


RATIOS = [
    Ratio("Frames a second, 100 calls flat out ÷ Node", "", lambda ours, node: ours.frames_per_s / node.frames_per_s),
    Ratio(
        "CPU per frame, 100 paced calls ÷ Node",
        "≤ 0.8",
        lambda ours, node: ours.cpu_us_per_frame / node.cpu_us_per_frame,
    ),
    Ratio("p99 round trip, 300 paced calls ÷ Node", "≤ 1", lambda ours, node: ours.p99_us / node.p99_us),
    Ratio("Memory a call, 300 calls ÷ Node", "", lambda ours, node: ours.kib_per_call / node.kib_per_call),
    Ratio(
        f"Memory a call ÷ {KIB_PER_CALL_LIMIT} KiB",
        "≤ 1",
        lambda ours, _: ours.kib_per_call / KIB_PER_CALL_LIMIT,
    ),
]


def table(rounds: list[Round]) -> str:
    """The Markdown table: for each ratio the median of the rounds, with the lowest and the highest of them."""
    servers = [name for name in rounds[0] if name != PEER]
    lines = [
        "| | goal | " + " | ".join(servers) + " |",
        "|---|---|" + "---|" * len(servers),
    ]
    for ratio in RATIOS:
        cells = [_cell([ratio.of(figures[name], figures[PEER]) for figures in rounds]) for name in servers]
        lines.append(f"| {ratio.title} | {ratio.goal} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def write(document: Path, text: str, section: str = "benchmarks") -> None:
    """Replace what stands between the two markers of `section` in `document`. Raises ValueError when a marker is missing."""
    begins, ends = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    head, begin, rest = document.read_text().partition(begins)
    _, end, tail = rest.partition(ends)
    if not (begin and end):
        raise ValueError(f"{document}: the lines {begins} and {ends} must stand in it, in this order")
    document.write_text(f"{head}{begins}\n{text}\n{ends}{tail}")
