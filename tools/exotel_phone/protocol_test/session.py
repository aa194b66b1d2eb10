"""Hold one connection of the protocol test. Every wait is bounded."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from exotel_phone.dial import dial
from exotel_phone.protocol_test.exchange import Exchange, Step
from exotel_phone.target import Target
from exotel_phone.text import printable

_FLOOD = 200


class Session:
    """Carry out steps on one connection, and remember how the server closed it.

    Once an answer was missing, wait for the next ones a quarter as long.
    """

    def __init__(self, ws: ClientConnection, patience_s: float) -> None:
        self._ws = ws
        self._patience_s = patience_s
        self._impatience_s = patience_s / 4
        self.closed = ""

    @classmethod
    async def open(cls, target: Target, patience_s: float) -> "Session":
        """Connect. Raises Unreachable."""
        return cls(await dial(target, timeout_s=max(patience_s, 5.0)), patience_s)

    async def carry_out(self, step: Step, answered: Callable[[], None] | None = None) -> Exchange:
        """Send what ``step`` says, wait for its answers, then listen whether there are too many."""
        heard: list[tuple[float, str | bytes]] = []
        patience_s = self._patience_s
        try:
            async with asyncio.timeout(patience_s):
                for text in step.sends:
                    await self._ws.send(text)
            if step.grace_s:
                await self._listen([], _FLOOD, step.grace_s)
            await self._listen(heard, step.answers, patience_s)
            if heard and answered is not None:
                answered()
            if len(heard) < step.answers:
                self._patience_s = self._impatience_s
            if step.quiet_s:
                await self._listen(heard, _FLOOD, step.quiet_s)
        except ConnectionClosed as closed:
            self.closed = _how(closed)
        except TimeoutError:
            self.closed = f"in effect: it took nothing for {patience_s:g} s"
        span_s = heard[-1][0] - heard[0][0] if heard else 0.0
        return Exchange(tuple(message for _, message in heard), self.closed, patience_s, span_s)

    async def _listen(self, heard: list[tuple[float, str | bytes]], until: int, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while len(heard) < until:
                    message = await self._ws.recv()
                    heard.append((time.monotonic(), message))

    async def drop(self) -> None:
        """Drop the connection without a close frame, as Exotel does."""
        self._ws.transport.abort()
        await self._ws.wait_closed()


def _how(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "without a close frame (1006)"
    reason = f" {printable(closed.rcvd.reason, 80)!r}" if closed.rcvd.reason else ""
    return f"with code {closed.rcvd.code}{reason}"
