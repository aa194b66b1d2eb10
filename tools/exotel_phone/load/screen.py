"""Show a load while it runs: a table that refreshes on a terminal, a line every few seconds elsewhere, nothing for ``--json``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exotel_phone.load.result import lines
from exotel_phone.load.tally import Tally
from exotel_phone.output import say

if TYPE_CHECKING:
    from rich.table import Table

EVERY_S = 0.25
_LINE_EVERY_S = 5.0

Screen = Callable[[float, int, Tally], None]
"""Shows the load as it is so many seconds after its begin, with so many live calls; called each `EVERY_S`."""


@contextmanager
def shown(seconds: float, calls: int, *, quiet: bool) -> Iterator[Screen]:
    """Give the right one of the three, for a load of ``seconds``."""
    if quiet:
        yield lambda _at, _live, _tally: None
    elif sys.stdout.isatty():
        from rich.live import Live

        with Live(auto_refresh=False, transient=True) as display:
            yield lambda at, live, tally: display.update(_table(at, seconds, live, calls, tally), refresh=True)
    else:
        due = _LINE_EVERY_S

        def tell(at: float, live: int, tally: Tally) -> None:
            nonlocal due
            if at >= due:
                due += _LINE_EVERY_S
                say(_line(at, live, calls, tally))

        yield tell


def _line(at: float, live: int, calls: int, tally: Tally) -> str:
    trips = tally.round_trip.summary()
    latency = "-" if trips is None else f"p99 {trips['p99']:.1f} ms"
    failed = tally.refused.total() + tally.dropped.total()
    return f"   {at:4.0f} s  {live} of {calls} calls, {latency}, lost {tally.lost}, refused or dropped {failed}"


def _table(at: float, seconds: float, live: int, calls: int, tally: Tally) -> "Table":
    """Return a table that fits 80 columns."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("  time", f"{min(at, seconds):.0f} of {seconds:g} s; Ctrl-C ends the calls and reports")
    table.add_row("  live", f"{live} of {calls} calls")
    for name, value in lines(tally):
        table.add_row(f"  {name}", value)
    return table
