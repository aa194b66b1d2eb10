"""Gathers the facts about a port. Looks first where the owner should be, at all of /proc only on a miss."""

import dataclasses
import os
import shlex
import time

import psutil

from exotelctl.port import process, sockets, units
from exotelctl.port.facts import Facts, Holder, Parent

_PARENTS = 12


def gather(port: int) -> Facts:
    """The facts of this moment."""
    found = sockets.on_port(port)
    inodes = frozenset(listener.inode for listener in found.listeners)
    held = _find(inodes) if inodes else {}
    holders = _with_unit_states([holder for pid, has in sorted(held.items()) if (holder := _holder(pid, has))])
    return Facts(
        port=port,
        listeners=found.listeners,
        holders=tuple(holders),
        socket_unit=units.socket_unit(port) if 1 in held else "",
        closing=found.closing,
        connections=found.connections,
        protected=_protected(),
        as_root=os.geteuid() == 0,
    )


def _find(inodes: frozenset[int]) -> dict[int, frozenset[int]]:
    """Every holder of ``inodes``.

    PID 1 and our units first: where these explain every socket there is nothing to end, and the long look is saved.
    """
    quick = process.holding([1, *units.our_pids()], inodes)
    explained = frozenset().union(*quick.values())
    if explained == inodes and 1 in quick:
        return quick
    return process.holding(process.pids(), inodes)


def _holder(pid: int, inodes: frozenset[int]) -> Holder | None:
    """The facts of one process; None where it ended meanwhile."""
    who = process.identity(pid)
    if who is None:
        return None
    try:
        seen = psutil.Process(pid)
        with seen.oneshot():
            name, argv, state = seen.name(), _argv(seen), str(seen.status())
            user, age_s = seen.username(), time.time() - seen.create_time()
            parents = tuple(Parent(parent.pid, parent.name()) for parent in seen.parents()[:_PARENTS])
    except psutil.Error:
        return None
    unit = units.of_cgroup(process.cgroup_text(pid))
    return Holder(
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
        inodes=inodes,
        headless=process.is_headless(pid),
    )


def _argv(seen: psutil.Process) -> list[str]:
    """The command line; [] for a process whose leading thread has ended, which has none any more."""
    try:
        return seen.cmdline()
    except psutil.ZombieProcess:
        return []


def _with_unit_states(holders: list[Holder]) -> list[Holder]:
    """``holders`` with the state of their units: a process may outlive its service."""
    states = units.active_states(sorted({holder.unit for holder in holders if holder.unit and not holder.user_unit}))
    return [dataclasses.replace(holder, unit_state=states.get(holder.unit, "")) for holder in holders]


def _protected() -> frozenset[int]:
    """This process and every ancestor: ending one of them would end this command before it can tell."""
    me = psutil.Process()
    return frozenset({me.pid, *(parent.pid for parent in me.parents())})
