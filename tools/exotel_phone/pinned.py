"""Connect to the addresses that were checked: a name that is looked up a second time may lead elsewhere."""

import asyncio
import contextlib
import socket

from exotel_phone.target import Target


async def connected(target: Target) -> socket.socket | None:
    """Open a TCP connection to the first of the target's addresses that takes one; None if it has none. Raises OSError.

    Waits as long as the kernel does: the caller bounds it.
    """
    failure: OSError | None = None
    for address in target.addresses:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        with contextlib.ExitStack() as unless_connected:
            unless_connected.enter_context(sock)
            sock.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(sock, (address, target.port))
            except OSError as error:
                failure = error
                continue
            unless_connected.pop_all()
            return sock
    if failure is not None:
        raise failure
    return None
