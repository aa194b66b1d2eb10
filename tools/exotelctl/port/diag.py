"""The TCP sockets on one port, from the kernel's sock_diag interface: it filters by port itself, in both families at once.

Two milliseconds beside 20,000 sockets, nearly all of it the walk over the kernel's hash table; to have /proc/net/tcp printed
and read takes forty.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

from exotelctl.port.facts import Socket, shown

_SOCK_DIAG: Final = 4  # NETLINK_SOCK_DIAG, which the socket module does not name
_REQUEST: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
# The older request: unlike SOCK_DIAG_BY_FAMILY it answers for IPv4 and IPv6 together, so that the table is walked once.
_TCPDIAG_GETSOCK: Final = 18
_ERROR, _DONE = 2, 3
_HEAD = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, pid
_ALL_STATES: Final = 0xFFF
_BOUND_INACTIVE: Final = 1 << 13  # Linux 6.8: sockets that are bound and neither listen nor are connected
_ANY_COOKIE: Final = b"\xff" * 8
_MESSAGE = struct.Struct("=BBxxHH16s16s4x8xIIIII")  # inet_diag_msg up to the inode; the ports are in network order
_FAMILIES: Final = {socket.AF_INET: "tcp4", socket.AF_INET6: "tcp6"}
_WAIT_S: Final = 2.0


def on_port(port: int) -> list[Socket]:
    """Return every TCP socket of this network namespace on ``port``. Raises OSError if the kernel answers no such request."""
    return _dump(port, _ALL_STATES)


def only_bound(port: int) -> list[Socket]:
    """Return the sockets that are only bound to ``port``; none from a kernel that does not list these. Raises OSError."""
    return _dump(port, _BOUND_INACTIVE)


def _dump(port: int, states: int) -> list[Socket]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(_WAIT_S)
        body = bytes(4) + struct.pack("!HH", port, 0) + bytes(36) + _ANY_COOKIE + struct.pack("=II", states, 0)
        kernel.send(_HEAD.pack(_HEAD.size + len(body), _TCPDIAG_GETSOCK, _REQUEST, 1, 0) + body)
        return list(_answers(kernel, port))


def _answers(kernel: socket.socket, port: int) -> Iterator[Socket]:
    while True:
        data = kernel.recv(65_536)
        at = 0
        while at < len(data):
            length, kind, *_ = _HEAD.unpack_from(data, at)
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -int(struct.unpack_from("=i", data, at + _HEAD.size)[0])
                raise OSError(code, os.strerror(code))
            found = _socket(data, at + _HEAD.size)
            if found.port == port:
                yield found
            at += (length + 3) & ~3


def _socket(data: bytes, at: int) -> Socket:
    family, state, here, there, address, peer, _expires, waiting, _unsent, _uid, inode = _MESSAGE.unpack_from(data, at)
    size = 4 if family == socket.AF_INET else 16
    own, other = socket.inet_ntop(family, address[:size]), socket.inet_ntop(family, peer[:size])
    other = shown(other, socket.ntohs(there))
    return Socket(_FAMILIES[socket.AddressFamily(family)], state, own, socket.ntohs(here), inode, waiting, other)
