"""Play a captured call to a server, as Exotel did, and record its answers."""

import base64
import time

from websockets.exceptions import ConnectionClosed

from exotel_phone.captures.calls import Call
from exotel_phone.captures.records import Close, Message, Open, Side
from exotel_phone.phone import Phone
from exotel_phone.target import Target

_SETTLE_S = 3.0
"""Longest wait, in seconds, for missing answers; `_MORE_S` is the wait for one too many."""
_MORE_S = 0.2
_ENDED_BY_CLIENT = frozenset({"stop", "no_stop", "no_start", "closed_by_client"})


async def play(original: Call, target: Target, speed: float) -> Call:
    """Play the call and return it as it was this time: what was sent, what came back, how it ended. Raises Unreachable.

    Messages go out at their recorded times, by one clock, ``speed`` times as fast; at 0 as fast as the server takes them. If the
    server ends the call, the rest is not sent.
    """
    player = _Player(original, target)
    try:
        await player.connect()
        await player.send_all(speed)
        await player.hear_out()
        player.end()
    finally:
        await player.drop()
    return player.played


class _Player(Phone):
    """Phone that sends captured messages, byte for byte, and takes any answer as it comes."""

    def __init__(self, original: Call, target: Target) -> None:
        super().__init__(target)
        self._original = original
        self._clock = time.time() - self._loop.time()
        """Unix time at which the loop's clock stood at 0."""
        conn, asked = original.opening.conn, str(target.rate or "")
        self.played = Call(Open(self._unix(self._loop.time()), conn, target.netloc, asked), ids=dict(original.ids))

    def _unix(self, at: float) -> float:
        return round(self._clock + at, 6)

    def _note(self, at: float, side: Side, text: str, *, binary: bool) -> None:
        self.played.messages.append(Message(self._unix(at), self._original.opening.conn, side, text, binary))

    async def send_all(self, speed: float) -> None:
        began, opened = self._loop.time(), self._original.opening.at
        for message in self._original.of("exotel"):
            if speed:
                await self.until(began + (message.at - opened) / speed)
            if self.closed_early:
                return
            self._note(self._loop.time(), "exotel", message.text, binary=message.binary)
            await self.send(base64.b64decode(message.text) if message.binary else message.text)

    async def hear_out(self) -> None:
        """Wait for as many answers as there were, and a moment for one too many; or for the server to end the call as it did."""
        close = self._original.close
        by_server = close is not None and close.ended not in _ENDED_BY_CLIENT
        expected = len(self._original.of("server"))
        await self.settle(_SETTLE_S, lambda: not by_server and self.seen.frames_received >= expected)
        if not self.closed_early:
            await self.settle(_MORE_S, lambda: False)

    def end(self) -> None:
        """Note that Exotel ended the call, as it did then, unless the server did."""
        if self.played.close is None:
            last = self.played.of("exotel")[-1:]
            as_then = self._original.close.ended if self._original.close else ""
            ended = "stop" if last and '"stop"' in last[0].text[:40] else as_then if as_then in _ENDED_BY_CLIENT else "no_stop"
            self._close(ended, 1006)

    def _close(self, ended: str, code: int) -> None:
        self.played.close = Close(self._unix(self._loop.time()), self._original.opening.conn, ended, code)

    def ended(self, closed: ConnectionClosed) -> None:
        super().ended(closed)
        if self.seen.close_code is not None and self.played.close is None:
            self._close("closed_by_server", self.seen.close_code)

    def take(self, message: str | bytes, at: float) -> None:
        """Note any message as it came; ``frames_received`` counts all of them."""
        self.seen.frames_received += 1
        binary = isinstance(message, bytes)
        self._note(at, "server", base64.b64encode(message).decode() if isinstance(message, bytes) else message, binary=binary)
