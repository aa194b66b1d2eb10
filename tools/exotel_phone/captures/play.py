"""Play a captured call to a server, as Exotel did, and record its answers."""

import asyncio
import base64
import contextlib
import time

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from exotel_phone.captures.calls import Call
from exotel_phone.captures.records import Close, Message, Open
from exotel_phone.dial import dial
from exotel_phone.target import Target

_SETTLE_S = 3.0
"""Longest wait, in seconds, for missing answers; `_MORE_S` is the wait for one too many."""
_MORE_S = 0.2
_SEND_S = 10.0
_ENDED_BY_CLIENT = frozenset({"stop", "no_stop", "no_start", "closed_by_client"})


async def play(original: Call, target: Target, speed: float) -> Call:
    """Play the call and return it as it was this time: what was sent, what came back, how it ended. Raises Unreachable.

    Messages go out at their recorded times, by one clock, ``speed`` times as fast; at 0 as fast as the server takes them. If the
    server ends the call, the rest is not sent.
    """
    clock = time.time() - time.monotonic()
    asked = str(target.rate or "")
    played = Call(Open(round(clock + time.monotonic(), 6), original.opening.conn, target.netloc, asked), ids=dict(original.ids))
    ws = await dial(target)
    return await _Player(original, played, ws, speed, clock).run()


class _Player:
    def __init__(self, original: Call, played: Call, ws: ClientConnection, speed: float, clock: float) -> None:
        self._original = original
        self._played = played
        self._ws = ws
        self._speed = speed
        self._clock = clock
        self._conn = original.opening.conn
        self._expected = sum(message.from_ == "server" for message in original.messages)
        self._heard = 0
        self._news = asyncio.Event()
        self._closed: Close | None = None
        self._stopped = False

    async def run(self) -> Call:
        listening = asyncio.create_task(self._listen())
        try:
            await self._send_all()
            await self._settle()
            if self._closed is None:
                self._hang_up()
        finally:
            self._ws.transport.abort()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        self._played.messages.sort(key=lambda message: message.at)
        self._played.close = self._closed
        return self._played

    def _now(self) -> float:
        return round(self._clock + time.monotonic(), 6)

    async def _send_all(self) -> None:
        began, opened = time.monotonic(), self._original.opening.at
        for message in self._original.messages:
            if message.from_ != "exotel":
                continue
            if self._speed:
                await asyncio.sleep(max(0.0, began + (message.at - opened) / self._speed - time.monotonic()))
            if self._closed is not None:
                return
            data = base64.b64decode(message.text) if message.binary else message.text
            self._played.messages.append(Message(self._now(), self._conn, "exotel", message.text, message.binary))
            self._stopped = '"stop"' in message.text[:40]
            try:
                async with asyncio.timeout(_SEND_S):
                    await self._ws.send(data)
            except (ConnectionClosed, TimeoutError):
                return

    async def _settle(self) -> None:
        """Wait for as many answers as there were, and a moment for one too many; or for the server to end the call as it did."""
        by_server = self._original.close is not None and self._original.close.ended not in _ENDED_BY_CLIENT
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_S):
                while self._closed is None and (by_server or self._heard < self._expected):
                    self._news.clear()
                    await self._news.wait()
        if self._closed is None:
            await asyncio.sleep(_MORE_S)

    async def _listen(self) -> None:
        try:
            while True:
                raw = await self._ws.recv()
                binary = isinstance(raw, bytes)
                text = base64.b64encode(raw).decode() if isinstance(raw, bytes) else raw
                self._played.messages.append(Message(self._now(), self._conn, "server", text, binary))
                self._heard += 1
                self._news.set()
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            if self._closed is None:
                self._closed = Close(self._now(), self._conn, "closed_by_server", code)
            self._news.set()

    def _hang_up(self) -> None:
        """End the call as Exotel does: drop the connection without a close frame."""
        original = self._original.close
        ended = "stop" if self._stopped else original.ended if original and original.ended in _ENDED_BY_CLIENT else "no_stop"
        self._closed = Close(self._now(), self._conn, ended, 1006)
