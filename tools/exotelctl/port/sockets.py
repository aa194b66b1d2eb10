"""The TCP sockets of this network namespace on one port: asked of the kernel by `diag`, else read from /proc/net/tcp and tcp6."""

import dataclasses
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from exotelctl.port import diag
from exotelctl.port.facts import LISTEN, TIME_WAIT, Socket, shown

_PROC: Final = Path("/proc")


@dataclasses.dataclass(frozen=True, slots=True)
class PortSockets:
    """The sockets bound to a local port: listeners, how many connections are in TIME_WAIT, all other connections."""

    listeners: tuple[Socket, ...]
    closing: int
    connections: tuple[Socket, ...]

    @property
    def accepted(self) -> frozenset[int]:
        """Return the inodes of connections that a process has, or had a moment ago: the kernel's own have none."""
        return frozenset(each.inode for each in self.connections) - {0}


def on_port(port: int) -> PortSockets:
    """Return every TCP socket on local ``port``, IPv4 and IPv6."""
    try:
        return sorted_out(diag.on_port(port))
    except OSError:  # a sandbox without netlink, a kernel without inet_diag
        return sorted_out(read(port))


def sorted_out(found: Sequence[Socket]) -> PortSockets:
    """Return ``found`` by what matters to a clean-up."""
    listeners = sorted((each for each in found if each.state == LISTEN), key=lambda each: (each.family, each.inode))
    connections = tuple(each for each in found if each.state not in (LISTEN, TIME_WAIT))
    return PortSockets(tuple(listeners), len(found) - len(listeners) - len(connections), connections)


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
