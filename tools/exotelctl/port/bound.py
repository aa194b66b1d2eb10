"""Find sockets that are bound to a port and neither listen nor are connected.

Linux 6.8 and newer list them when asked. Older ones list them nowhere: there a descriptor of every process that may be one is
copied for a moment (pidfd_getfd) and asked for its own address, which needs root with CAP_SYS_PTRACE.
"""

import contextlib
import ctypes
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from exotelctl.port import diag, process
from exotelctl.port.facts import shown

_PROC: Final = Path("/proc")
_INODE_AT: Final = {
    "unix": 6,
    "packet": 8,
    **dict.fromkeys(("tcp", "tcp6", "udp", "udp6", "netlink", "raw", "raw6", "icmp", "icmp6"), 9),
}
"""The tables of sockets in /proc/net, and the column of the inode."""
_GETFD: Final = 438
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_MOST_ASKED: Final = 20_000
"""Most descriptors that are copied."""


def on_port(port: int, pids: Iterable[int]) -> dict[int, str]:
    """Return those of ``pids`` with such a socket on ``port`` of this network, each with the socket's address."""
    pids = list(pids)
    with contextlib.suppress(OSError):
        listed = {each.inode: each.shown for each in diag.only_bound(port)}
        holders = process.holding(pids, frozenset(listed)) if listed else {}
        if holders:
            return {pid: listed[min(inodes)] for pid, inodes in holders.items()}
    return _asked(port, pids)


def _asked(port: int, pids: Iterable[int]) -> dict[int, str]:
    known = set(_listed())
    here = _network("self")
    found: dict[int, str] = {}
    asked = 0
    for pid in pids:
        unlisted = [descriptor for descriptor, inode in process.socket_descriptors(pid) if inode not in known]
        if not unlisted or _network(str(pid)) != here:
            continue
        with contextlib.suppress(OSError), _pidfd(pid) as pidfd:
            for descriptor in unlisted:
                asked += 1
                address = _bound(pidfd, descriptor, port) if asked <= _MOST_ASKED else ""
                if address:
                    found[pid] = address
                    break
    return found


def _listed() -> Iterator[str]:
    """Yield the inodes of all sockets that the kernel lists."""
    for name, column in _INODE_AT.items():
        with contextlib.suppress(OSError):
            lines = (_PROC / "net" / name).read_text(errors="replace").splitlines()
            for fields in map(str.split, lines[1:]):
                if len(fields) > column:
                    yield fields[column]


def _network(pid: str) -> str:
    try:
        return os.readlink(_PROC / pid / "ns/net")
    except OSError:
        return ""


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def _bound(pidfd: int, descriptor: int, port: int) -> str:
    """Return the address of a TCP socket bound to ``port``; "" for any other, or one that may not be inspected."""
    copy = ctypes.CDLL(None, use_errno=True).syscall(_GETFD, pidfd, descriptor, 0)
    if copy < 0:
        return ""
    try:
        with socket.socket(fileno=copy) as other:
            if other.family not in _FAMILIES or other.type != socket.SOCK_STREAM:
                return ""
            host, bound, *_ = other.getsockname()
    except OSError:
        return ""
    return shown(host, bound) if bound == port else ""
