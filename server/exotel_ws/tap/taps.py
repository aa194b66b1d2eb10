"""Send the messages of live calls to clients of the admin socket, one JSON object a line.

Guarantees: a call that nobody watches pays one attribute test a message. A call that is watched never waits: records go to a
queue of bounded size; those that do not fit are left out, counted, and reported (``gap``, and ``complete`` false at the end).
Only the protocol's own fields leave the worker, and audio, numbers and parameters only as asked: see `exotel_ws.tap.redact`.
docs/capture.md documents the format.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from exotel_ws.admin import BadRequest
from exotel_ws.call import Phase
from exotel_ws.logs import printable
from exotel_ws.tap.held import Held
from exotel_ws.tap.queue import Asked, Subscriber, line
from exotel_ws.tap.redact.known import Secrets
from exotel_ws.tap.redact.noise import Noise
from exotel_ws.tap.redact.redactor import Redactor
from exotel_ws.tap.watch import Watch, Watched

FORMAT: Final = 1
_MOST_SUBSCRIBERS: Final = 8
_FINISH_S: Final = 1.0
log = logging.getLogger("exotel_ws.server")
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"


class Taps:
    """Hold the subscribers of a worker. ``identity`` (instance and release) goes into the first line of each capture."""

    def __init__(self, identity: Mapping[str, str], credentials: Iterable[str]) -> None:
        self._identity = identity
        self._secrets = Secrets(credentials)
        self._noise: Noise | None = None
        self._held = Held()
        self._subscribers: dict[Subscriber, asyncio.Task[None]] = {}

    @property
    def count(self) -> int:
        """Return the number of subscribers."""
        return len(self._subscribers)

    def opened(self, stream: Watched) -> None:
        """Watch a new connection; call this before its first message."""
        for subscriber in self._subscribers:
            self._watch(subscriber, stream)

    async def serve(
        self, streams: Collection[Watched], query: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send a client the records of the calls it asks for, until it leaves or they end. Raises `BadRequest`.

        ``streams`` are the open connections; the collection changes with them.
        """
        asked = Asked.parse(query)
        if asked.audio == "noise" and self._noise is None:
            self._noise = await asyncio.to_thread(Noise)
        if len(self._subscribers) >= _MOST_SUBSCRIBERS:
            raise BadRequest(f"there are {_MOST_SUBSCRIBERS} taps on this worker already")
        subscriber = Subscriber(asked, self._redactor_for(asked))
        writer.write(_HEAD + self._first(subscriber))
        leaving = asyncio.create_task(_gone(reader))
        sending = self._subscribers[subscriber] = asyncio.create_task(subscriber.send(writer))
        for stream in streams:
            if not asked.next or stream.call.phase is Phase.OPENED:
                self._watch(subscriber, stream)
        which = printable(str(asked.record() or "every call"))
        log.info("👂 Tapped: %s, audio %s", which, asked.audio, extra={"fields": {"EVENT": "tap"}})
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._subscribers[subscriber]
            subscriber.finish("the client left")
            for stream in streams:
                _unwatch(subscriber, stream)
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def finish(self, why: str) -> None:
        """End every subscription, and give clients a second to read the end."""
        for subscriber in self._subscribers:
            subscriber.finish(why)
        if self._subscribers:
            await asyncio.wait(self._subscribers.values(), timeout=_FINISH_S)

    def _watch(self, subscriber: Subscriber, stream: Watched) -> None:
        if not subscriber.over.is_set():
            stream.watches = (*stream.watches, Watch(subscriber, stream, self._identity["instance"], self._held))

    def _redactor_for(self, asked: Asked) -> Callable[[], Redactor]:
        return lambda: Redactor(
            asked.audio, mask=asked.mask, secrets=self._secrets, noise=self._noise, parameters=asked.parameters
        )

    def _first(self, subscriber: Subscriber) -> bytes:
        asked = subscriber.asked
        record = {"version": FORMAT, "host": socket.gethostname(), **self._identity, "time": subscriber.now()}
        record |= {"audio": asked.audio, "masked": asked.mask, "filter": asked.record()}
        return line("capture", record | ({"parameters": True} if asked.parameters else {}))


def _unwatch(subscriber: Subscriber, stream: Watched) -> None:
    for watch in stream.watches:
        if watch.subscriber is subscriber:
            watch.forget()
    stream.watches = tuple(watch for watch in stream.watches if watch.subscriber is not subscriber)


async def _gone(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass
