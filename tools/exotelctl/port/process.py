"""Single facts of single processes from /proc, each read anew at every call: what a signal is re-checked against."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from exotelctl.port.facts import Identity

_PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def pids() -> list[int]:
    """Every process of this pid namespace."""
    return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]


def identity(pid: int) -> Identity | None:
    """Who ``pid`` is now; None where there is no such process."""
    fields = _stat(pid)
    return Identity(pid, int(fields[19])) if fields else None


def is_stopped(pid: int) -> bool:
    """Held by SIGSTOP or a tracer: it takes no SIGTERM until it is continued."""
    fields = _stat(pid)
    return bool(fields) and fields[0] in ("T", "t")


def is_headless(pid: int) -> bool:
    """A zombie leading thread with other threads alive: the process runs on, though its /proc/PID/fd is empty."""
    fields = _stat(pid)
    return bool(fields) and fields[0] == "Z" and int(fields[17]) > 1


def sockets(pid: int, wanted: frozenset[int]) -> frozenset[int]:
    """Which of the socket inodes ``wanted`` the process has open; also through a thread of a headless process."""
    held = _open(_PROC / str(pid) / "fd", wanted)
    if not held and is_headless(pid):
        tasks = _PROC / str(pid) / "task"
        held = frozenset().union(*(_open(tasks / tid / "fd", wanted) for tid in _names(tasks)))
    return held


def cgroup_text(pid: int) -> str:
    """/proc/PID/cgroup, "" where the process is gone."""
    try:
        return (_PROC / str(pid) / "cgroup").read_text()
    except (OSError, ValueError):
        return ""


def holding(candidates: Iterable[int], wanted: frozenset[int]) -> dict[int, frozenset[int]]:
    """The processes of ``candidates`` that hold any of ``wanted``, with those they hold."""
    found = ((pid, sockets(pid, wanted)) for pid in candidates)
    return {pid: held for pid, held in found if held}


def _open(folder: Path, wanted: frozenset[int]) -> frozenset[int]:
    held: set[int] = set()
    prefix = f"{folder}/"
    for name in _names(folder):
        try:
            link = os.readlink(prefix + name)
        except OSError:
            continue
        match = _SOCKET.fullmatch(link)
        if match and int(match[1]) in wanted:
            held.add(int(match[1]))
    return frozenset(held)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (index 0), [] where there is none. The name before may hold anything."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes().decode(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
