"""An echo server that keeps to Exotel's protocol, and one broken in a single way at a time."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Message = dict[str, Any]
Reply = Message | str | bytes
HEALTH = '{"status":"ok","service":"exotel-passthrough","mode":"echo"}'


class Stream:
    """State of one stream."""

    def __init__(self, ws: ServerConnection) -> None:
        self.ws = ws
        self.sid = ""
        self.marks: set[str] = set()
        self.received: list[Message] = []


Break = Callable[[Stream, Message, list[Reply]], list[Reply]]
"""Function from the right answers to a message to the wrong ones."""


def right(stream: Stream, message: Message) -> list[Reply]:
    """Return the answers that the protocol asks for."""
    event = message["event"]
    if event == "start":
        stream.sid = message["stream_sid"]
    if event == "media":
        return [{"event": "media", "stream_sid": stream.sid, "media": {"payload": message["media"]["payload"]}}]
    if event == "mark" and message["mark"]["name"] not in stream.marks:
        stream.marks.add(message["mark"]["name"])
        return [{"event": "mark", "stream_sid": stream.sid, "mark": {"name": message["mark"]["name"]}}]
    return []


class EchoServer:
    """Running server. ``streams`` are those it has had, ``requests`` their handshakes."""

    def __init__(self, broken: Break | None, health: str) -> None:
        self._broken = broken
        self._health = health
        self.streams: list[Stream] = []
        self.requests: list[Request] = []
        self.close_codes: list[int | None] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def handle(self, ws: ServerConnection) -> None:
        stream = Stream(ws)
        self.streams.append(stream)
        with contextlib.suppress(ConnectionClosed):
            async for text in ws:
                await self._answer(stream, json.loads(text))
        self.close_codes.append(ws.close_code)

    async def _answer(self, stream: Stream, message: Message) -> None:
        stream.received.append(message)
        replies = right(stream, message)
        if self._broken is not None:
            replies = self._broken(stream, message, replies)
        for reply in replies:
            await stream.ws.send(json.dumps(reply) if isinstance(reply, dict) else reply)

    def http(self, ws: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            self.requests.append(request)
            return None
        return ws.respond(HTTPStatus.OK, HEALTH if request.path == "/health" and not self._health else self._health)


@contextlib.asynccontextmanager
async def running(broken: Break | None = None, *, health: str = "") -> AsyncIterator[EchoServer]:
    """Run a server on a free port of loopback while the block lasts."""
    it = EchoServer(broken, health)
    server: Server
    async with serve(it.handle, "127.0.0.1", 0, process_request=it.http, ping_interval=None) as server:
        it.port = next(iter(server.sockets)).getsockname()[1]
        yield it


async def eventually(probe: Callable[[], object], what: str) -> None:
    """Wait at most five seconds until ``probe`` is true."""
    for _ in range(500):
        if probe():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within 5 s: {what}")
