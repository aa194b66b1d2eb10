"""Ports for tests that free them."""

import contextlib
import random
import socket
from pathlib import Path


def free_port() -> int:
    """Return a port that nothing holds, and that the kernel gives to no connection of another program meanwhile.

    The kernel takes the local ports of outgoing connections from a range; one of those would keep the port from being free.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        number = random.randrange(lowest // 2, lowest)
        with contextlib.suppress(OSError), socket.create_server(("::", number), family=socket.AF_INET6, dualstack_ipv6=True):
            return number
