"""The TCP sockets of this network namespace on one port: asked of the kernel by `diag`, else read from /proc/net/tcp and tcp6."""

import dataclasses
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from exotelctl.port import diag
from exotelctl.port.facts import Listener, Socket, shown

_PROC: Final = Path("/proc")
_TIME_WAIT, _LISTEN = 6, 10


@dataclasses.dataclass(frozen=True, slots=True)
class PortSockets:
    """The sockets bound to a local port: listeners, connections in TIME_WAIT, all other connections.

    ``others`` are those connections, ``accepted`` the inodes of those that a process has, or had a moment ago: the kernel's
    own have none.
    """

    listeners: tuple[Listener, ...]
    closing: int
    connections: int
    accepted: frozenset[int]
    others: tuple[Socket, ...] = ()


def on_port(port: int) -> PortSockets:
    """Return every TCP socket on local ``port``, IPv4 and IPv6."""
    try:
        return summed(diag.on_port(port))
    except OSError:  # a sandbox without netlink, a kernel without inet_diag
        return summed(read(port))


def summed(found: Iterable[Socket]) -> PortSockets:
    """``found`` by what matters to a clean-up."""
    by_state: dict[int, list[Socket]] = {}
    for each in found:
        by_state.setdefault(each.state, []).append(each)
    listeners = [Listener(each.family, each.address, each.port, each.inode, each.waiting) for each in by_state.pop(_LISTEN, [])]
    closing = len(by_state.pop(_TIME_WAIT, []))
    others = [each for state in by_state.values() for each in state]
    accepted = frozenset(each.inode for each in others) - {0}
    ordered = tuple(sorted(listeners, key=lambda listener: (listener.family, listener.inode)))
    return PortSockets(ordered, closing, len(others), accepted, tuple(others))


def read(port: int, proc: Path = _PROC) -> list[Socket]:
    """Return the same from the kernel's printed tables. A kernel without IPv6 has no tcp6, which is no error."""
    found: list[Socket] = []
    for family, name in (("tcp4", "tcp"), ("tcp6", "tcp6")):
        file = proc / "net" / name
        if file.exists():
            found += _rows(file.read_text(), family, port)
    return found


def _rows(table: str, family: str, port: int) -> Iterator[Socket]:
    wanted = f":{port:04X}"
    # Of a long table only the lines that name the port are taken apart; some name it as the other side's.
    for fields in (line.split() for line in table.splitlines() if wanted in line):
        if fields[1].endswith(wanted):
            waiting = int(fields[4].partition(":")[2], 16)
            address = _address(fields[1].partition(":")[0])
            host, _, number = fields[2].partition(":")
            peer = shown(_address(host), int(number, 16))
            yield Socket(family, int(fields[3], 16), address, port, int(fields[9]), waiting, peer)


def _address(text: str) -> str:
    """Return an address as the kernel prints it: 32-bit words in the machine's byte order."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, b"".join(words))
