"""Ask systemd for the socket and every worker, and the journal for the last lines of those in trouble."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, unit
from exotel_phone.exits import Refusal

from exotelctl import journal, systemctl, units
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.mask import masked_text
from exotelctl.units import Unit

_LAST_LINES: Final = 80
_MOST_LINES: Final = 400


@dataclass(frozen=True, slots=True)
class Line:
    """A journal line about a unit: from itself where it printed to standard error, else from systemd."""

    at: float
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Units:
    """Every unit of ours that systemd has loaded, whatever its state.

    ``lines`` are what systemd and the programs' standard error said in the window, oldest first, and for a unit in trouble
    its last lines however old. ``unread`` is why there are none.
    """

    units: tuple[Unit, ...]
    lines: tuple[Line, ...]
    unread: str = ""

    def named(self, name: str) -> Unit | None:
        """Return the unit of this name; None if systemd has not loaded it."""
        return next((unit for unit in self.units if unit.name == name), None)


def look(since: float, instances: Sequence[str]) -> Units:
    """Ask systemd and the journal; of the workers ``instances`` also what is not loaded. Raises NotSeen without systemd."""
    try:
        loaded = units.look()
    except systemctl.CommandFailed as failed:
        raise NotSeen(str(failed)) from None
    known = tuple(loaded.values())
    names = list(dict.fromkeys([SOCKET, *map(unit, instances), *loaded]))
    try:
        lines = _lines(names, f"@{since:.6f}", _MOST_LINES)
        for name in names:
            if name not in loaded or loaded[name].active != "active":
                lines |= _lines([name], None, _LAST_LINES)
    except Refusal as refused:
        return Units(known, (), str(refused))
    return Units(known, tuple(sorted(lines, key=lambda line: line.at)))


def _lines(units: Sequence[str], since: str | None, most: int) -> dict[Line, None]:
    """Return standard error and systemd's own words: what the server logs itself is in the call facts.

    Why a port can't be bound or a credential not be handed over is said by a child of systemd's, as root, not by PID 1.
    """
    entries = list(journal.read(units=units, matches=("_TRANSPORT=stdout",), since=since, lines=most))
    entries += journal.read(units=(), matches=("_UID=0", *(f"UNIT={unit}" for unit in units)), since=since, lines=most)
    entries.sort(key=lambda entry: entry.time)
    return dict.fromkeys(Line(one.time, one.unit, masked_text(one.message[:500])) for one in entries)
