"""Hold one connection of the protocol test. Every wait is bounded."""

import asyncio
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
        self._heard_at: list[float] = []
        self.closed = ""

    @classmethod
    async def open(cls, target: Target, patience_s: float) -> "Session":
        """Connect. Raises Unreachable."""
        return cls(await dial(target, timeout_s=max(patience_s, 5.0)), patience_s)

    async def carry_out(self, step: Step, heard: Callable[[], None] | None = None) -> Exchange:
        """Send what ``step`` says, wait for its answers, then listen whether there are too many."""
        received: list[str | bytes] = []
        self._heard_at = []
        patience_s = self._patience_s
        try:
            async with asyncio.timeout(patience_s):
                for text in step.sends:
                    await self._ws.send(text)
            if step.grace_s:
                await self._listen([], _FLOOD, step.grace_s)
                self._heard_at = []
            await self._listen(received, step.answers, patience_s)
            if received and heard is not None:
                heard()
            if len(received) < step.answers:
                self._patience_s = self._impatience_s
            if step.quiet_s:
                await self._listen(received, _FLOOD, step.quiet_s)
        except ConnectionClosed as closed:
            self.closed = _how(closed)
        except TimeoutError:
            self.closed = f"in effect: it took nothing for {patience_s:g} s"
        span_s = self._heard_at[-1] - self._heard_at[0] if self._heard_at else 0.0
        return Exchange(tuple(received), self.closed, patience_s, span_s)

    async def _listen(self, received: list[str | bytes], until: int, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while len(received) < until:
                    received.append(await self._ws.recv())
                    self._heard_at.append(time.monotonic())
        except TimeoutError:
            return

    async def drop(self) -> None:
        """Drop the connection without a close frame, as Exotel does."""
        self._ws.transport.abort()
        await self._ws.wait_closed()


def _how(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "without a close frame (1006)"
    reason = f" {printable(closed.rcvd.reason, 80)!r}" if closed.rcvd.reason else ""
    return f"with code {closed.rcvd.code}{reason}"
