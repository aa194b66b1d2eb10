"""A process that should not be on the call port. Put on a lab host and run there, with the host's own Python.

usage: stranger.py http PORT       answers on the port as another program's web server does
       stranger.py ipv6 PORT       listens beside the server: on IPv6, where the server has IPv4
       stranger.py shared PORT     holds the server's own listening socket, accepts from it and never answers
It tells systemd when it is there (Type=notify).
"""

import os
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer


def http(port: int) -> None:
    """Serve as any other web server, which has no /health."""
    server = HTTPServer(("0.0.0.0", port), BaseHTTPRequestHandler)
    _there()
    server.serve_forever()


def ipv6(port: int) -> None:
    """Listen a second time where no bind() refuses it."""
    it = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    it.bind(("::", port))
    it.listen(16)
    _accept(it)


def shared(_port: int) -> None:
    """Accept from the server's own socket, which systemd hands over as it does to the workers."""
    _accept(socket.socket(fileno=3))


def _accept(listener: socket.socket) -> None:
    _there()
    listener.settimeout(3600)  # Both processes share the flag O_NONBLOCK; a timeout polls, whatever its value.
    taken = []
    while True:
        taken.append(listener.accept())


def _there() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])


if __name__ == "__main__":
    ways: dict[str, Callable[[int], None]] = {"http": http, "ipv6": ipv6, "shared": shared}
    ways[sys.argv[1]](int(sys.argv[2]))
