"""Prove that a port is free: bind it, with the server's own options."""

import contextlib
import dataclasses
import errno
import socket

from exotelctl.port.facts import shown

_UNSUPPORTED = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """``free`` None: it could not be tried. ``text`` says what was bound, or what stood in the way."""

    free: bool | None
    text: str


def bind(port: int) -> Proof:
    """Bind ``port`` on every address, IPv4 and IPv6 (where there is IPv6), with SO_REUSEADDR. Takes no connection."""
    bound: list[str] = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        where = shown(address, port)
        try:
            with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in _UNSUPPORTED:
                continue
            free = None if error.errno in (errno.EACCES, errno.EPERM) else False
            return Proof(free, f"binding {where} failed: {error.strerror}")
        bound.append(where)
    return Proof(True, f"bound {' and '.join(bound)}")
