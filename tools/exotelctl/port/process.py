"""Single facts of single processes from /proc, read again at every call: a signal is re-checked against them."""

import os
from collections.abc import Iterable
from pathlib import Path

from exotelctl.port.facts import Identity

_PROC = Path("/proc")


def pids() -> list[int]:
    """Return every process of this pid namespace."""
    return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]


def identity(pid: int) -> Identity | None:
    """Return the identity of ``pid`` now; None if there is no such process, or only a zombie of it."""
    fields = _stat(pid)
    if not fields or (fields[0] == "Z" and int(fields[17]) <= 1):
        return None
    return Identity(pid, int(fields[19]))


def state(pid: int) -> str:
    """Return the kernel's letter for the state of the process, "" if there is none."""
    return next(iter(_stat(pid)), "")


def is_stopped(pid: int) -> bool:
    """Return True if SIGSTOP or a tracer holds it: it takes no SIGTERM until it is continued."""
    return state(pid) in ("T", "t")


def is_headless(pid: int) -> bool:
    """Return True for a zombie leading thread with other threads alive: the process runs on, though its /proc/PID/fd is empty."""
    fields = _stat(pid)
    return bool(fields) and fields[0] == "Z" and int(fields[17]) > 1


def begins_service(pid: int) -> bool:
    """Return True for a child of PID 1 that still runs systemd's own program, and is about to run that of a service.

    It has the listening sockets of its unit by then, but may not be in the unit's cgroup yet.
    """
    manager = _program(1)
    its = _stat(pid)[1:2] == ["1"] and _program(pid)
    return bool(manager) and its in (manager, f"{os.path.dirname(manager)}/systemd-executor")


def sockets(pid: int, wanted: frozenset[int]) -> frozenset[int]:
    """Return which of the socket inodes ``wanted`` the process has open, also through a thread of a headless process."""
    return _sockets(pid, _links(wanted))


def socket_descriptors(pid: int) -> list[tuple[int, str]]:
    """Yield each descriptor of the process that is a socket, with its inode; none if the process may not be inspected."""
    folder = f"{_PROC}/{pid}/fd"
    found = []
    for name in _names(folder):
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            found.append((int(name), target[8:-1]))
    return found


def cgroup_text(pid: int) -> str:
    """Return /proc/PID/cgroup, "" if the process is gone."""
    try:
        return (_PROC / str(pid) / "cgroup").read_text()
    except (OSError, ValueError):
        return ""


def holding(candidates: Iterable[int], wanted: frozenset[int]) -> dict[int, frozenset[int]]:
    """Return the processes of ``candidates`` that hold any of ``wanted``, with those they hold."""
    links = _links(wanted)
    found = ((pid, _sockets(pid, links)) for pid in candidates)
    return {pid: held for pid, held in found if held}


def _links(wanted: frozenset[int]) -> dict[str, int]:
    """Map the target of a descriptor to its socket of ``wanted``: one look-up for each of tens of thousands."""
    return {f"socket:[{inode}]": inode for inode in wanted}


def _sockets(pid: int, links: dict[str, int]) -> frozenset[int]:
    folder = f"{_PROC}/{pid}/fd"
    names = _names(folder)
    if names or not is_headless(pid):
        return _open(folder, names, links)
    tasks = f"{_PROC}/{pid}/task"
    folders = [f"{tasks}/{tid}/fd" for tid in _names(tasks)]
    return frozenset().union(*(_open(each, _names(each), links) for each in folders))


def _open(folder: str, names: list[str], links: dict[str, int]) -> frozenset[int]:
    held: set[int] = set()
    for name in names:
        try:
            inode = links.get(os.readlink(f"{folder}/{name}"))
        except OSError:
            continue
        if inode is not None:
            held.add(inode)
    return frozenset(held)


def _program(pid: int) -> str:
    """Return the path of the program that the process runs; empty if that may not be seen, or there is no such process."""
    try:
        return os.readlink(f"{_PROC}/{pid}/exe")
    except OSError:
        return ""


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, [] if there is none. The name before it may hold anything."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes().decode(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
