"""The reference engine: the `websockets` library, in pure Python with a C unmasker."""

import asyncio
import base64
import contextlib
import hashlib
import socket
from collections.abc import Callable
from time import perf_counter
from typing import Final

from websockets import ConnectionClosed
from websockets.asyncio.connection import Connection
from websockets.protocol import State
from websockets.server import ServerProtocol

from exotel_ws.engines import CLOSE_TIMEOUT_S, Closing, Open
from exotel_ws.engines.front import SERVER_HEADER
from exotel_ws.engines.request import Request
from exotel_ws.settings import Settings

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""


class WebsocketsEngine:
    """See `exotel_ws.engines.Engine`."""

    def __init__(self, settings: Settings, open_stream: Open) -> None:
        self._settings = settings
        self._open_stream = open_stream
        self._conversing: set[asyncio.Task[None]] = set()

    async def connect(self, accepted: socket.socket, front: Callable[[], asyncio.BufferedProtocol]) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(front, accepted)

    def upgrade(self, transport: asyncio.Transport, request: Request, rest: bytes) -> None:
        settings = self._settings
        # The handshake was judged and is answered here: the library begins with the frames.
        protocol = ServerProtocol(state=State.OPEN, max_size=settings.limits.max_message_bytes)
        connection = _Connected(
            protocol,
            ping_interval=settings.ping.interval_s,
            ping_timeout=settings.ping.timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
        )
        transport.set_protocol(connection)
        connection.connection_made(transport)
        transport.write(_accepted(request.headers["Sec-WebSocket-Key"]))
        connection.start_keepalive()
        task = asyncio.get_running_loop().create_task(_Connection(connection, request).converse(self._open_stream))
        self._conversing.add(task)
        task.add_done_callback(self._conversing.discard)
        if rest:
            connection.data_received(rest)


def _accepted(key: str) -> bytes:
    digest = hashlib.sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
        f"Server: {SERVER_HEADER}",
        "\r\n",
    ]
    return "\r\n".join(lines).encode("ascii")


class _Connected(Connection):
    """Not read while it can't be written: else a client that pings and never reads fills our memory with pongs."""

    _stuck: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()
        # Neither a ping nor a close frame gets out any more, so neither's timeout begins.
        self._stuck = self.loop.call_later(self.ping_timeout or 0, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck:
            self._stuck.cancel()
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stuck:
            self._stuck.cancel()
        super().connection_lost(exc)


class _Connection:
    """A connection, as its stream sees it."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self.request = request
        self._connection = connection
        self._closing: asyncio.Task[None] | None = None
        self._unasked: asyncio.Queue[str] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None

    @property
    def remote_host(self) -> str:
        return self.request.remote_host

    def send(self, message: str) -> None:
        if self._closing is None:
            self._unasked.put_nowait(message)
            if self._sending is None:
                self._sending = asyncio.create_task(self._send_unasked())

    async def _send_unasked(self) -> None:
        """One task a connection, so that messages keep their order."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._connection.send(await self._unasked.get())

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._connection.close(code, reason))
            # A client that does not read holds up the close frame, and with it the library's own timeout.
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._connection.transport.abort)

    async def converse(self, open_stream: Open) -> None:
        stream = open_stream(self)
        receive, send = self._connection.recv, self._connection.send
        stream.opened()
        try:
            while True:
                raw = await receive()
                arrived = perf_counter()
                messages = stream.received(raw)
                if messages:
                    for message in messages:
                        await send(message)
                    stream.answered(perf_counter() - arrived)
        except ConnectionClosed as error:
            received = error.rcvd.code if error.rcvd else None
            ours = error.sent if not error.rcvd_then_sent else None
            stream.closed(Closing(received, ours.code, ours.reason) if ours else Closing(received))
        finally:
            if self._sending:
                self._sending.cancel()
