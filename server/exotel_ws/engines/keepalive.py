"""Keep-alive by pings: anything that the other side sends after a ping shows that it is alive."""

import asyncio
from collections.abc import Callable

from exotel_ws.settings import Ping


class KeepAlive:
    """Send a ping each ``interval_s``; end the connection if nothing at all comes within ``timeout_s`` of one.

    Exotel's answer to pings is undocumented, but its media prove as well as a pong that it is alive.
    """

    def __init__(self, ping: Ping, send_ping: Callable[[], None], give_up: Callable[[], None]) -> None:
        self._ping = ping
        self._send_ping = send_ping
        self._give_up = give_up
        self.waiting = False
        """True if nothing has come since the last ping; the next frame must then call `heard`."""
        self._later(ping.interval_s, self._send)

    def heard(self) -> None:
        """Note that the other side sent something after the ping."""
        self.waiting = False
        self._timer.cancel()
        self._later(self._ping.interval_s, self._send)

    def end(self) -> None:
        """Send no more pings. Idempotent."""
        self.waiting = False
        self._timer.cancel()

    def _send(self) -> None:
        self.waiting = True
        self._later(self._ping.timeout_s, self._give_up)
        self._send_ping()

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, act)
