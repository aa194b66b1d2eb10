"""Our units as systemd has them loaded: the socket, and the workers of every generation."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, unit

from exotelctl import systemctl
from exotelctl.port import process

_ASKED: Final = ("ActiveState", "SubState", "LoadState", "Result", "MainPID", "NRestarts", "StateChangeTimestampMonotonic")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as systemd tells of it: ``active`` is its ActiveState, ``result`` how it last ended, ``pid`` 0 without a process.

    ``restarts`` is how often systemd started it again. ``changed_s`` ago it entered its state, None where systemd does not
    know. ``process`` is the state of its main process as the kernel has it, "" for none.
    """

    name: str
    active: str
    sub: str = ""
    result: str = "success"
    pid: int = 0
    restarts: int = 0
    changed_s: float | None = None
    process: str = ""

    @property
    def instance(self) -> str:
        """Return ``<generation>-<n>`` of a worker, "" for the socket."""
        return instance_of(self.name)

    @property
    def state(self) -> str:
        """Return the state in words: ``failed (failed, exit-code)``."""
        return f"{self.active} ({self.sub}{'' if self.result == 'success' else ', ' + self.result})"


def instance_of(name: str) -> str:
    """Return the instance of a worker's unit, "" for another unit."""
    return name.partition("@")[2].removesuffix(".service")


def look() -> dict[str, Unit]:
    """Return the units by name, whatever their state. Raises CommandFailed if systemd does not answer."""
    shown, now = systemctl.show([SOCKET, unit("*")], _ASKED), time.monotonic()
    found = {name: parse(said, now) for name, said in shown.items() if said.get("LoadState") != "not-found"}
    return {name: replace(one, process=process.state(one.pid)) for name, one in found.items()}


def parse(said: Mapping[str, str], monotonic: float) -> Unit:
    """Return a unit from ``systemctl show``, at ``monotonic`` on systemd's clock."""
    changed = int(said.get("StateChangeTimestampMonotonic") or 0)
    return Unit(
        name=said["Id"],
        active=said.get("ActiveState", ""),
        sub=said.get("SubState", ""),
        result=said.get("Result", ""),
        pid=int(said.get("MainPID") or 0),
        restarts=int(said.get("NRestarts") or 0),
        # systemd forgets a unit that is inactive and not asked for, and when it stopped.
        changed_s=round(max(0.0, monotonic - changed / 1e6), 1) if changed else None,
    )
