"""Keep a load second by second, for the report: percentiles of each second, as a handful of numbers."""

import dataclasses

from exotel_phone.load.tally import Tally

_OPEN_S = 10
"""Seconds to wait for tallies of processes that lag behind, before the percentiles of a second are taken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One second. Times in ms, None where nothing was measured; ``failed`` calls were refused or dropped in it."""

    second: int
    live: int
    p50: float | None
    p95: float | None
    p99: float | None
    most: float | None
    connect: float | None
    """The slowest connect."""
    late: float | None
    """The 99th percentile of this machine's own lateness."""
    lost: int
    failed: int


class Series:
    """Turn the tallies of all processes, as they come, into rows."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._open: dict[int, tuple[Tally, dict[int, int]]] = {}
        """Tally of each second, and the most calls of each process in it."""

    def add(self, second: int, process: int, live: int, tally: Tally) -> None:
        """Add the ``tally`` that ``process``, with ``live`` calls, counted in a part of ``second``."""
        if second in self._rows:
            return
        whole, most_live = self._open.setdefault(second, (Tally(), {}))
        whole.merge(tally)
        most_live[process] = max(live, most_live.get(process, 0))
        for old in [known for known in self._open if known < second - _OPEN_S]:
            self._rows[old] = _row(old, *self._open.pop(old))

    def rows(self) -> list[Row]:
        """Return every second so far, in order."""
        now = {second: _row(second, *entry) for second, entry in self._open.items()}
        return [row for _, row in sorted((self._rows | now).items())]


def _row(second: int, tally: Tally, live: dict[int, int]) -> Row:
    return Row(
        second=second,
        live=sum(live.values()),
        p50=tally.round_trip.percentile(50),
        p95=tally.round_trip.percentile(95),
        p99=tally.round_trip.percentile(99),
        most=tally.round_trip.most if tally.round_trip.count else None,
        connect=tally.connect.most if tally.connect.count else None,
        late=tally.late.percentile(99),
        lost=tally.lost,
        failed=tally.refused.total() + tally.dropped.total(),
    )
