"""Queue of accepted sockets without a transport: connects a few at a time, one source after the other.

A handshake costs as much as a hundred frames. Two thousand at once, one after the other, would hold up every live call for
seconds. A few in each 5 ms do not, and one source does not wait behind the two thousand sockets of another.
"""

import asyncio
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from exotel_ws.admission.bounds import Ticket
from exotel_ws.admission.sources import Source

EACH_S: Final = 0.005
AT_A_TIME: Final = 3
"""Handshakes each `EACH_S`, 600 a second: 500 calls that begin together are connected within one, and Exotel waits for ten."""

Connect = Callable[[socket.socket, Ticket], None]


class WaitingRoom:
    """Pass sockets to ``connect``, one source after the other."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lines: OrderedDict[Source, deque[tuple[socket.socket, Ticket]]] = OrderedDict()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._left = AT_A_TIME

    def add(self, accepted: socket.socket, ticket: Ticket) -> None:
        """Connect the socket at once if few came lately, else when its source's turn comes."""
        if self._timer is None:
            self._left = AT_A_TIME
            self._timer = self._loop.call_later(EACH_S, self._next)
        if self._left and not self._lines:
            self._left -= 1
            self._connect(accepted, ticket)
            return
        self._lines.setdefault(ticket.source, deque()).append((accepted, ticket))

    def empty(self) -> None:
        """Connect all waiting sockets now: the server accepts no more, and serves every accepted one."""
        while self._lines:
            self._take_one()

    def _next(self) -> None:
        self._timer = None
        if not self._lines:
            return
        for _ in range(AT_A_TIME):
            self._take_one()
        self._left = 0
        self._timer = self._loop.call_later(EACH_S, self._next)

    def _take_one(self) -> None:
        while self._lines:
            source, line = self._lines.popitem(last=False)
            accepted, ticket = line.popleft()
            if line:
                self._lines[source] = line
            if not ticket.closed and not _left(accepted):
                self._connect(accepted, ticket)
                return
            # It has lost its place meanwhile, or its client is gone: spend no turn on it.
            ticket.close()
            accepted.close()


def _left(accepted: socket.socket) -> bool:
    """Return True if the client has gone without a request."""
    try:
        return not accepted.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
