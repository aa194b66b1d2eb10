"""Sockets of this network namespace, from /proc/net/tcp and tcp6. Milliseconds, whatever the number of processes."""

import dataclasses
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from exotelctl.port.facts import Listener

_LISTEN, _TIME_WAIT = "0A", "06"


@dataclasses.dataclass(frozen=True, slots=True)
class PortSockets:
    """The sockets bound to a local port: listeners, connections in TIME_WAIT, all other connections."""

    listeners: tuple[Listener, ...]
    closing: int
    connections: int


def on_port(port: int, proc: Path = Path("/proc")) -> PortSockets:
    """Every TCP socket on local ``port``, IPv4 and IPv6. A kernel without IPv6 has no tcp6, which is no error."""
    listeners: list[Listener] = []
    states: list[str] = []
    for family, name in (("tcp4", "tcp"), ("tcp6", "tcp6")):
        file = proc / "net" / name
        if not file.exists():
            continue
        for state, listener in _rows(file.read_text(), family, port):
            states.append(state)
            if state == _LISTEN:
                listeners.append(listener)
    closing = states.count(_TIME_WAIT)
    return PortSockets(tuple(listeners), closing, len(states) - closing - len(listeners))


def _rows(table: str, family: str, port: int) -> Iterator[tuple[str, Listener]]:
    wanted = f":{port:04X}"
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(wanted):
            waiting = int(fields[4].partition(":")[2], 16)
            address = _address(fields[1].partition(":")[0])
            yield fields[3], Listener(family, address, port, int(fields[9]), waiting)


def _address(text: str) -> str:
    """An address as the kernel prints it: 32-bit words in the machine's byte order."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, b"".join(words))
