"""Calls and rows as lines of a terminal. Every text from elsewhere goes through `Text`, which takes no markup. Pure."""

from collections.abc import Sequence
from typing import Final

from exotel_phone.text import printable
from rich.cells import set_cell_size
from rich.text import Text

from exotelctl.trace import ladder, message
from exotelctl.trace.call import Call
from exotelctl.trace.ladder import Row

FAULT: Final = "bold #ff5f5f"
DOUBT: Final = "#e5c07b"
_KINDS: Final = {
    "connected": "#98c379",
    "start": "bold #98c379",
    "stop": "bold #98c379",
    "mark": "#c89bf0",
    "clear": "#e5c07b",
    "dtmf": "bold #ffffff",
    "open": "#9a9a9a",
    "close": "#9a9a9a",
}
_MEDIA: Final = {"exotel": "#56c8d8", "server": "#7aa2f7"}
_STATES: Final = {"live": "#98c379", "ended": "#9a9a9a", "lost": "#e5c07b"}
_COLUMNS: Final = (("state", 5), ("call sid", 10), ("from", 11), ("to", 11), ("age", 7), ("in", 6), ("out", 6), ("!", 3))


def calls_header() -> Text:
    """The line above the list of calls."""
    return Text(_cells([name for name, _ in _COLUMNS]) + "last / ended", style="bold", no_wrap=True)


def call_line(call: Call, now: float, *, unmasked: bool = False) -> Text:
    """A call in the list: ``now`` in Unix seconds."""
    cells = [
        call.state,
        printable(call.call_sid or call.conn, 60),
        message.shown_number(call.number_from, unmasked),
        message.shown_number(call.number_to, unmasked),
        age(_age_s(call, now), joined=call.joined),
        str(call.frames["exotel"]),
        str(call.frames["server"]),
        f"!{call.faults}" if call.faults else "",
    ]
    line = Text(_cells(cells), no_wrap=True)
    line.stylize(_STATES[call.state], 0, _COLUMNS[0][1])
    if call.faults:
        line.stylize(FAULT, line.cell_len - 1 - _COLUMNS[-1][1])
    line.append(_last(call), FAULT if call.ended_badly else "")
    return line


def row_line(row: Row, width: int) -> Text:
    """A row of the ladder."""
    style = _MEDIA.get(row.sender, "") if row.kind in ("media", "run") else _KINDS.get(row.kind, "")
    line = Text(ladder.line(row, width), no_wrap=True)
    line.stylize(FAULT if row.faults else style, ladder.MARGIN)
    return line


def doubts(said: Sequence[str], most: int = 3) -> Text:
    """Return what is not complete, a line each; beyond ``most`` only their number."""
    shown = list(said) if len(said) <= most else [*said[: most - 1], f"and {len(said) - most + 1} more: ? shows them"]
    return Text("\n".join(f"! {line}" for line in shown), style=DOUBT, no_wrap=True, overflow="ellipsis")


def age(seconds: float, *, joined: bool = False) -> str:
    """``1:05``, ``1:02:05``; with ``>`` in front where the call is older than that, as it was joined late."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{'>' * joined}{f'{hours}:{minutes:02}' if hours else minutes}:{rest:02}"


def _last(call: Call) -> str:
    if call.closed is None:
        return printable(call.last_kind, 20)
    return printable(call.ended, 20) + (f" {call.code}" if call.code else "")


def _age_s(call: Call, now: float) -> float:
    return (now if call.state == "live" else call.last_at) - call.opened


def _cells(values: Sequence[str]) -> str:
    return "".join(f"{_cell(value, width)} " for value, (_, width) in zip(values, _COLUMNS, strict=True))


def _cell(value: str, width: int) -> str:
    return set_cell_size(value, width) if len(value) <= width else f"{set_cell_size(value, width - 1)}…"
