"""Find the systemd unit of a process, and systemd's facts of a unit. Parsing is pure; systemctl is asked briefly."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from exotelctl import systemctl

OUR_SOCKET = "exotel-ws.socket"
_OURS = ("exotel-ws@", "exotel-ws.")


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """The unit whose cgroup a process is in; ``user`` where a user's own manager runs it."""

    name: str
    user: bool


NONE = Unit("", False)


def is_ours(unit: str) -> bool:
    """Return True for a serving unit of this product: an instance of exotel-ws@.service."""
    return unit.startswith(_OURS) and unit.endswith(".service")


def of_cgroup(text: str) -> Unit:
    """Return the unit in a /proc/PID/cgroup: from the name=systemd hierarchy, else the unified one.

    Only services count. A scope is a login session or a program started by hand: nothing restarts it; the manager's own
    ``init.scope`` inside ``user@N.service`` is that service. What a container's own systemd runs belongs to the container: its
    unit names mean nothing to this host's systemd.
    """
    paths = {fields[1]: fields[2] for line in text.splitlines() if len(fields := line.split(":", 2)) == 3}
    path = paths.get("name=systemd", "/")
    if path.strip("/") == "":
        path = paths.get("", "/")
    parts = [part for part in path.removesuffix(" (deleted)").split("/") if part]
    container = _container(parts)
    if container:
        return Unit(container, False)
    last = next((part for part in reversed(parts) if part.endswith((".service", ".scope"))), "")
    manager = next((part for part in parts if part.startswith("user@") and part.endswith(".service")), "")
    if last == "init.scope" and manager:
        return Unit(manager, False)
    if last.endswith(".scope"):
        return NONE
    return Unit(last, bool(manager) and last != manager)


def _container(parts: list[str]) -> str:
    """Return the unit that holds a container's systemd: the outer of two nested units, LXC's payload group; "" for neither."""
    if parts and parts[0].startswith("lxc.payload"):
        return parts[0]
    nested = [part for part in parts if part.endswith((".service", ".scope"))]
    return nested[0] if len(nested) > 1 and not nested[0].startswith("user@") else ""


def active_states(units: Iterable[str]) -> dict[str, str]:
    """Return the ActiveState of each of ``units``; a unit is missing if systemd is not there or says nothing of it."""
    said = {unit: _systemctl("show", "--property=ActiveState", "--value", "--", unit).strip() for unit in units}
    return {unit: state for unit, state in said.items() if state}


def socket_unit(port: int) -> str:
    """Return the socket unit that systemd listens with on TCP ``port``; of several one that is not ours, for that is in the way.

    "" where there is none, or systemd does not say.
    """
    found = parse_sockets(_systemctl("list-sockets", "--full", "--no-legend", "--no-pager"), port)
    return next((unit for unit in found if unit != OUR_SOCKET), "".join(found[:1]))


def parse_sockets(table: str, port: int) -> list[str]:
    """Return the units in a table of ``systemctl list-sockets`` that listen on TCP ``port``."""
    found: list[str] = []
    for line in table.splitlines():
        fields = line.split()
        unit = next((field for field in fields if field.endswith(".socket")), "")
        if unit and fields[0].rpartition(":")[2] == str(port):
            found.append(unit)
    return found


def our_pids() -> list[int]:
    """Return the processes in the cgroups of our serving units: the first place to look for the owner of the port."""
    roots = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"))
    found: list[int] = []
    for root in roots:
        for file in root.glob(f"system.slice/*/{_OURS[0]}*.service/cgroup.procs"):
            try:
                found += [int(line) for line in file.read_text().split()]
            except OSError:
                continue
    return found


def _systemctl(*arguments: str) -> str:
    try:
        return systemctl.run(*arguments) if systemctl.has_systemd() else ""
    except systemctl.CommandFailed:
        return ""
