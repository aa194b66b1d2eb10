"""Bind listening sockets, for a server to which systemd passes none, and the admin socket of an instance."""

import socket
from pathlib import Path
from typing import TypeAlias

Socket: TypeAlias = socket.socket


def bind(host: str, port: int) -> list[Socket]:
    """Bind every address of ``host`` ('' or '::' for all). Raises OSError with the address and the cause in its text."""
    try:
        infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(f"can't listen on {host!r}: {error.strerror}; set 'host' to an address of this machine") from None
    addresses = dict.fromkeys((family, address) for family, _, _, _, address in infos)
    bound: list[Socket] = []
    for family, address in addresses:
        # The protocol is named: asyncio sets TCP_NODELAY only on sockets that say they are TCP, and accepted ones inherit it.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.append(listener)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(len(addresses) > 1))
            listener.bind(address)
        except OSError as error:
            for taken in bound:
                taken.close()
            raise OSError(
                f"can't listen on {host}:{port}: {error.strerror}; who holds it: exotelctl port-clean --port {port} --dry-run"
            ) from None
    return bound


def bind_admin(path: Path) -> Socket:
    """Bind the instance's own UNIX socket, for root and the service's user. Replace the file of a dead process."""
    path.unlink(missing_ok=True)
    admin = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        admin.bind(str(path))
        path.chmod(0o660)
    except OSError as error:
        admin.close()
        raise OSError(f"can't make the admin socket {path}: {error.strerror}") from None
    return admin
