"""Gather the facts about a port. Look first where the owner should be, at all of /proc only if that explains too little.

Who holds a socket is written nowhere but in the descriptor tables of the holders, and the kernel exports no count of
references, so a stranger who got hold of *our* listening socket is certain to be found only by looking at every process. Two
things betray him for less: a connection of the port that neither PID 1 nor a worker of ours has, and connections that nobody
accepts. Either makes the look go everywhere; ``thorough`` demands it.
"""

import dataclasses
import shlex
import time
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from exotelctl.port import bound, process, proof, sockets, units, workers
from exotelctl.port.facts import Parent, PortFacts, PortHolder
from exotelctl.port.sockets import PortSockets
from exotelctl.privileges import is_root, lacking

_PARENTS: Final = 12
_MANAGER: Final = 1
_RESERVED: Final = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")

Held = dict[int, frozenset[int]]


class HeldAs(NamedTuple):
    """Sockets by which a process holds the port without listening, in words for `PortHolder`."""

    bound: str
    connected: str

    def __str__(self) -> str:
        return f"has bound {self.bound} and does not listen" if self.bound else f"uses it for a connection, {self.connected}"


def gather(port: int, *, thorough: bool = False) -> PortFacts:
    """Return the facts of this moment. ``thorough``: look at every process, though our own units may explain all there is."""
    found = sockets.on_port(port)
    listening = frozenset(listener.inode for listener in found.listeners)
    ours = units.our_pids()
    held, everywhere = _find(found, listening, ours, thorough)
    matter = [(pid, has) for pid, has in sorted(held.items()) if has & listening or pid in ours]
    blocked = "" if listening else why_not(port)
    others, lacks = blockers(port, found) if blocked else {}, lacking("CAP_SYS_PTRACE") if is_root() else ()
    matter = [(pid, has) for pid, has in matter if pid not in others]
    seen = [holder for pid, has in matter if (holder := _holder(pid, has, listening))]
    seen += [
        dataclasses.replace(holder, bound=held_as.bound, connected=held_as.connected)
        for pid, held_as in others.items()
        if (holder := _holder(pid, frozenset(), listening))
    ]
    # One that ends meanwhile, as a worker does after its last call, did not outlive its unit.
    holders = [holder for holder in _with_units(seen) if process.identity(holder.pid) == holder.identity]
    return PortFacts(
        port=port,
        listeners=found.listeners,
        holders=tuple(holders),
        socket_unit=_socket_unit(port, holders),
        closing=found.closing,
        connections=len(found.connections),
        protected=_protected(),
        as_root=is_root(),
        everywhere=everywhere or bool(blocked),
        lacks=lacks,
        blocked=blocked,
        reserved=_reserved() if blocked else "",
    )


def why_not(port: int) -> str:
    """Return why a port without a listener can't be bound; "" if it can, or this user may not try."""
    tried = proof.bind(port)
    return tried.text if tried.free is False else ""


def blockers(port: int, found: PortSockets) -> dict[int, HeldAs]:
    """Return processes that make a bind fail without a listener: by a connection from the port, or a socket bound to it."""
    connections = {each.inode: f"{each.shown} → {each.peer}" for each in found.connections if each.inode}
    users = process.holding(process.pids(), frozenset(connections)) if connections else {}
    connected: dict[int, str] = {}
    for pid, inodes in users.items():
        first, *more = sorted(connections[inode] for inode in inodes)
        connected[pid] = first + (f" and {len(more)} more" if more else "")
    held = bound.on_port(port, process.pids())
    # The shell or SSH session of this very command may use the port, too; leave it out.
    pids = sorted((held.keys() | connected.keys()) - _protected())
    return {pid: HeldAs(held.get(pid, ""), connected.get(pid, "")) for pid in pids}


def _reserved() -> str:
    try:
        return _RESERVED.read_text().strip()
    except OSError:
        return ""


def _find(found: PortSockets, listening: frozenset[int], ours: list[int], thorough: bool) -> tuple[Held, bool]:
    """Return who holds a listener or a connection, and True if every process was looked at.

    Where nothing listens there is nobody to end, and what our own units still have is all that matters.
    """
    wanted = listening | found.accepted
    quick = process.holding([_MANAGER, *ours], wanted) if wanted else {}
    if not listening or (not thorough and _explains(quick, found, listening)):
        return quick, False
    return process.holding(process.pids(), wanted), True


def _explains(quick: Held, found: PortSockets, listening: frozenset[int]) -> bool:
    """Return True if PID 1 and our units hold every listener and every connection, and connections are accepted."""
    seen = frozenset().union(*quick.values())
    hold = listening <= quick.get(_MANAGER, frozenset()) and listening | found.accepted <= seen
    return hold and not any(listener.waiting for listener in found.listeners)


def _holder(pid: int, held: frozenset[int], listening: frozenset[int]) -> PortHolder | None:
    """Return the facts of one process; None if it ended meanwhile, or is systemd's own and about to become a service."""
    who = process.identity(pid)
    if who is None:
        return None
    begins = process.begins_service(pid)  # asked first: once it runs another program, it is in its unit
    try:
        seen = psutil.Process(pid)
        with seen.oneshot():
            name, argv, state = seen.name(), _argv(seen), str(seen.status())
            user, age_s = seen.username(), time.time() - seen.create_time()
            parents = tuple(Parent(parent.pid, parent.name()) for parent in seen.parents()[:_PARENTS])
    except psutil.Error:
        return None
    unit = units.of_cgroup(process.cgroup_text(pid))
    if begins and unit == units.NONE:
        return None
    return PortHolder(
        identity=who,
        user=user,
        name=name,
        command=shlex.join(argv) if argv else f"[{name}]",
        age_s=max(0.0, age_s),
        state=state,
        unit=unit.name,
        unit_state="",
        user_unit=unit.user,
        parents=parents,
        inodes=held & listening,
        accepted=len(held - listening),
        headless=process.is_headless(pid),
    )


def _argv(seen: psutil.Process) -> list[str]:
    """Return the command line; [] for a process whose leading thread has ended, which has none any more."""
    try:
        return seen.cmdline()
    except psutil.ZombieProcess:
        return []


def _with_units(holders: list[PortHolder]) -> list[PortHolder]:
    """Return ``holders`` with the state of their units: a process may outlive its service.

    A worker of ours that answers tells it itself; systemd is asked, which takes far longer, where none does.
    """
    names = sorted({holder.unit for holder in holders if holder.unit and not holder.user_unit})
    answers = {unit: answer for unit in names if units.is_ours(unit) and (answer := workers.ask(unit))}
    states = units.active_states(unit for unit in names if unit not in answers)
    states |= {unit: "deactivating" if answer.draining else "active" for unit, answer in answers.items()}
    return [
        holder
        if holder.user_unit
        else dataclasses.replace(holder, unit_state=states.get(holder.unit, ""), worker=answers.get(holder.unit))
        for holder in holders
    ]


def _socket_unit(port: int, holders: list[PortHolder]) -> str:
    """Return the socket unit that PID 1 listens for.

    Where a worker of ours has the very socket, it has it from PID 1 by ``Sockets=``: systemd need not be asked.
    """
    manager = next((holder for holder in holders if holder.pid == _MANAGER), None)
    if manager is None or not manager.inodes:
        return ""
    if any(units.is_ours(holder.unit) and not holder.user_unit and holder.inodes == manager.inodes for holder in holders):
        return units.OUR_SOCKET
    return units.socket_unit(port)


def _protected() -> frozenset[int]:
    """Return this process and every ancestor: ending one of them would end this command before it can tell."""
    me = psutil.Process()
    return frozenset({me.pid, *(parent.pid for parent in me.parents())})
