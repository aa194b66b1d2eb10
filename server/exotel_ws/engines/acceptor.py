"""Accept connections from a listening socket, a few a turn of the loop, without spinning when files run out.

The loops' own servers take up to a whole backlog in one turn, make a transport for each before anybody is asked, and at the
limit of open files fail over and over, with a traceback each time.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.engines.waiting_room import WaitingRoom

BACKLOG: Final = 4096
RECEIVE_BUFFER: Final = 64 * 1024
"""Receive buffer of a connection in bytes; the kernel doubles it. Without it, engines read megabytes of a flood at once."""
_A_TURN: Final = 16
"""Connections accepted or refused in one turn of the loop, before live calls get theirs; handshakes take other turns."""
_PAUSE_S: Final = 0.2
_GONE: Final = frozenset(
    {
        *(errno.ECONNABORTED, errno.EPROTO, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.EPERM, errno.ETIMEDOUT),
        *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH),
    }
)
"""Errors of accept(2) that mean a lost client or network; any other means that this host lacks something."""

Connect = Callable[[socket.socket, Ticket], Coroutine[Any, Any, object]]

log = logging.getLogger("exotel_ws.server")


class Acceptor:
    """Accept connections from ``listener`` and pass those that ``admission`` lets in to ``connect``.

    ``connect`` makes the transport and owns the socket from then on.
    """

    def __init__(self, listener: socket.socket, admission: Admission, connect: Connect) -> None:
        self._listener = listener
        self._admission = admission
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._waiting = WaitingRoom(self._begin)
        self._connecting: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to accept."""
        self._listener.setblocking(False)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._listener.listen(BACKLOG)
        self._loop.add_reader(self._listener.fileno(), self._accept, _A_TURN)

    def stop(self, *, shared: bool) -> None:
        """Stop accepting; idempotent. The listening socket stays open, because others may accept from it.

        If not ``shared``, connections in the backlog are accepted first, and later ones are refused at once.
        """
        if self._stopped:
            return
        self._stopped = True
        if self._paused:
            self._paused.cancel()
        self._loop.remove_reader(self._listener.fileno())
        if not shared:
            self._accept(BACKLOG)
            self._listener.shutdown(socket.SHUT_RDWR)
        self._waiting.empty()

    def close(self) -> None:
        """Close the listening socket, so that the port can move elsewhere while our calls last."""
        self._listener.close()

    def _accept(self, most: int) -> None:
        for _ in range(most):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                self._pause(error)
                return
            host = str(address[0]) if isinstance(address, tuple) and address else "local"
            self._take(accepted, host)

    def _take(self, accepted: socket.socket, host: str) -> None:
        ticket = self._admission.accept(host, _nothing)
        if not isinstance(ticket, Ticket):
            accepted.close()
            return
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # gone already
            ticket.close()
            accepted.close()
            return
        ticket.drop = accepted.close
        self._waiting.add(accepted, ticket)

    def _begin(self, accepted: socket.socket, ticket: Ticket) -> None:
        ticket.drop = _nothing
        task = self._loop.create_task(self._connect(accepted, ticket))
        self._connecting.add(task)
        task.add_done_callback(self._connected)
        task.add_done_callback(lambda done: ticket.close() if done.cancelled() or done.exception() else None)

    def _connected(self, task: asyncio.Task[object]) -> None:
        self._connecting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("a connection was lost as it was made: %s", error)

    def _pause(self, error: OSError) -> None:
        """Accept nothing for `_PAUSE_S`; waiting connections stay in the kernel's queue."""
        self._admission.bite("files", text=f"accepting waits: {error.strerror}")
        if self._stopped:
            return
        self._loop.remove_reader(self._listener.fileno())
        self._paused = self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if not self._stopped:
            self._loop.add_reader(self._listener.fileno(), self._accept, _A_TURN)


def _nothing() -> None:
    """Do nothing: a connection without a transport closes by itself when it gets one."""
