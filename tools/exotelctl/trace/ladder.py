"""The steps of a call as the rows of a ladder, and a row as a line between Exotel and the server. Pure."""

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal

from exotel_phone.captures.calls import decode
from exotel_phone.captures.records import Message, Side
from exotel_phone.text import plural
from rich.cells import cell_len, set_cell_size

from exotelctl.trace import message
from exotelctl.trace.call import Call
from exotelctl.trace.steps import Moment, Run, kept

MARGIN: Final = 19
"""Columns before the ladder itself: the time since the call began, and the gap."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of a ladder: a single message, a run of media, messages of a run that are not kept, or an event.

    ``since_s`` is the time since the call began, ``gap_s`` the time since the message before of the same side.
    ``number`` is that of its (first) message within the call; a run keeps it while it grows.
    """

    number: int
    since_s: float
    gap_s: float | None
    sender: Side | Literal[""]
    kind: str
    label: str
    faults: tuple[str, ...] = ()
    count: int = 1


def rows(call: Call, *, expanded: bool = False, unmasked: bool = False) -> list[Row]:
    """Return the ladder, runs of media as one row each; with ``expanded`` each message that is kept as well."""
    found: list[Row] = []
    for step in call.steps:
        if isinstance(step, Moment):
            found.append(_single(call, step, unmasked))
            continue
        found += (_run(call, run) for run in step.values())
        if expanded:
            found += (_single(call, moment, unmasked) for moment in kept(step))
    return found


def header(width: int) -> str:
    """Return the line above a ladder of ``width`` columns."""
    lane = max(20, width - MARGIN)
    return f"{'time s':>9}{'gap ms':>9} Exotel{'server':>{lane - 6}}"


def line(row: Row, width: int) -> str:
    """Return a row as text of exactly ``width`` columns: time, gap, and an arrow from who said it to the other."""
    gap = "" if row.gap_s is None else f"{row.gap_s * 1000:.0f}"
    return f"{row.since_s:9.3f}{gap:>9} " + _lane(row, max(20, width - MARGIN))


def _lane(row: Row, width: int) -> str:
    """Return the ladder itself: what Exotel said begins at the left, what the server said ends at the right."""
    faults = ", ".join(row.faults)
    said = row.label if not row.sender or not faults else f"{row.label} ! {faults}"
    room = width - 2
    said = set_cell_size(said, room - 6)[: room - 7].rstrip() + "…" if cell_len(said) > room - 6 else said
    rest = room - cell_len(said)
    if row.sender == "exotel":
        return f"│ {said} {'─' * (rest - 3)}►│"
    if row.sender == "server":
        return f"│◄{'─' * (rest - 3)} {said} │"
    left = (rest - 2) // 2
    return f"│{'┄' * left} {said} {'┄' * (rest - 2 - left)}│"


def _single(call: Call, moment: Moment, unmasked: bool) -> Row:
    record, since_s = moment.record, moment.record.at - call.opened
    if not isinstance(record, Message):
        return Row(moment.number, since_s, None, "", moment.kind, moment.text, moment.faults)
    label = message.label(None if record.binary else decode(record.text), record, unmasked=unmasked)
    return Row(moment.number, since_s, moment.gap_s, record.from_, moment.kind, label, moment.faults)


def _run(call: Call, run: Run) -> Row:
    seconds = run.audio_bytes / call.bytes_per_s
    words = f"media × {run.count}, {seconds:.2f} s"
    if run.median_gap_s is not None:
        words += f", gaps p50 {run.median_gap_s * 1000:.1f} max {run.longest_gap_s * 1000:.0f} ms"
    if run.dropped:
        words += f", {plural(run.dropped, 'message')} not kept"
    faults = tuple(f"{fault}{f' × {count}' if count > 1 else ''}" for fault, count in list(run.faults.items())[:3])
    return Row(run.number, run.began - call.opened, run.gap_s, run.sender, "run", words, faults, run.count)


def at_or_before(ladder: Sequence[Row], since_s: float) -> int:
    """Return the index of the last row that began at ``since_s`` or before, 0 where there is none."""
    return max((index for index, row in enumerate(ladder) if row.since_s <= since_s), default=0)


def same_or_before(ladder: Sequence[Row], row: Row) -> int:
    """Return the index of ``row``, however it has grown; of the last one before it where it is no longer there."""
    before = (index for index, other in enumerate(ladder) if other.number <= row.number)
    same = (index for index, other in enumerate(ladder) if (other.number, other.kind) == (row.number, row.kind))
    return next(same, max(before, default=0))


def matching(ladder: Sequence[Row], text: str) -> list[Row]:
    """Return the rows of a kind, or whose words hold ``text``; ``fault`` stands for every row with one."""
    wanted = text.lower()
    return [row for row in ladder if wanted in f"{row.kind} {row.label}{' fault ' * bool(row.faults)}{row.faults}".lower()]
