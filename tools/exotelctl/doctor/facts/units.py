"""Ask systemd for the socket and every worker, and the journal for the last lines of those in trouble."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotel_phone.exits import Refusal

from exotelctl import journal, systemctl
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.mask import without_numbers, without_secrets

SOCKET: Final = "exotel-ws.socket"
_WORKERS: Final = "exotel-ws@*.service"
_PROPERTIES: Final = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "NRestarts",
    "StateChangeTimestampMonotonic",
)
_LAST_LINES: Final = 80
_MOST_LINES: Final = 400


@dataclass(frozen=True, slots=True)
class Line:
    """A journal line about a unit: from itself where it printed to standard error, else from systemd."""

    at: float
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Unit:
    """``changed_s`` ago it entered its state, None where systemd does not know.

    ``process`` is the state of its main process as the kernel has it, "" for none.
    """

    name: str
    active: str
    sub: str
    result: str
    pid: int
    restarts: int
    changed_s: float | None
    process: str = ""

    @property
    def instance(self) -> str:
        """``<generation>-<n>`` of a worker, "" for the socket."""
        return self.name.partition("@")[2].removesuffix(".service")

    @property
    def generation(self) -> str:
        """Return the generation of a worker."""
        return self.instance.rpartition("-")[0]

    @property
    def state(self) -> str:
        """``failed (failed, exit-code)``."""
        return f"{self.active} ({self.sub}{'' if self.result == 'success' else ', ' + self.result})"


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
        shown = systemctl.show([SOCKET, _WORKERS], _PROPERTIES)
    except systemctl.CommandFailed as failed:
        raise NotSeen(str(failed)) from None
    units = tuple(_unit(name, values) for name, values in shown.items() if values.get("LoadState") != "not-found")
    names = list(dict.fromkeys([SOCKET, *(f"exotel-ws@{instance}.service" for instance in instances), *shown]))
    active = {unit.name for unit in units if unit.active == "active"}
    try:
        lines = _lines(names, f"@{since:.6f}", _MOST_LINES)
        for name in names:
            if name not in active:
                lines |= _lines([name], None, _LAST_LINES)
    except Refusal as refused:
        return Units(units, (), str(refused))
    return Units(units, tuple(sorted(lines, key=lambda line: line.at)))


def _unit(name: str, values: dict[str, str]) -> Unit:
    pid = int(values.get("MainPID") or 0)
    changed = int(values.get("StateChangeTimestampMonotonic") or 0) / 1e6
    return Unit(
        name=name,
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        pid=pid,
        restarts=int(values.get("NRestarts") or 0),
        # systemd forgets a unit that is inactive and not asked for, and when it stopped.
        changed_s=round(max(0.0, time.clock_gettime(time.CLOCK_MONOTONIC) - changed), 1) if changed else None,
        process=_state(pid) if pid else "",
    )


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _lines(units: Sequence[str], since: str | None, most: int) -> dict[Line, None]:
    """Standard error and systemd's own words: what the server logs itself is in the call facts.

    Why a port can't be bound or a credential not be handed over is said by a child of systemd's, as root, not by PID 1.
    """
    entries = list(journal.read(units=units, matches=("_TRANSPORT=stdout",), since=since, lines=most))
    entries += journal.read(units=(), matches=("_UID=0", *(f"UNIT={unit}" for unit in units)), since=since, lines=most)
    entries.sort(key=lambda entry: entry.time)
    return dict.fromkeys(Line(one.time, one.unit, without_numbers(without_secrets(one.message[:500]))) for one in entries)
