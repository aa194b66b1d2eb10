"""Report readiness, status and watchdog to systemd, and take the sockets that it passes.

Protocols: sd_notify(3) and sd_listen_fds(3).
"""

import contextlib
import os
import socket
from typing import Final

FIRST_FD: Final = 3


def notify(state: str) -> None:
    """Send e.g. ``READY=1`` to the supervisor; do nothing if there is none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    # Calls go on if the supervisor can't be reached.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender, contextlib.suppress(OSError):
        sender.sendto(state.encode(), address)


def watchdog_interval_s() -> float | None:
    """Return half of the time that the unit's watchdog allows, in seconds; None if no watchdog is set for this process."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    owner = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(microseconds) / 2e6 if microseconds.isdigit() and owner == str(os.getpid()) else None


def inherited_sockets() -> list[socket.socket]:
    """Return the listening sockets that systemd passed to this process; none if it was started by hand."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    sockets = [socket.socket(fileno=fd) for fd in range(FIRST_FD, FIRST_FD + count)]
    for inherited in sockets:
        inherited.set_inheritable(False)
        inherited.setblocking(False)
    return sockets
