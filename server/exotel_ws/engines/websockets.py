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
from websockets.protocol import State
from websockets.server import ServerProtocol

from exotel_ws.engines import A_TURN, CLOSE_TIMEOUT_S, CUT_S, Closing, Open
from exotel_ws.engines.front import SERVER_HEADER
from exotel_ws.engines.keepalive import KeepAlive
from exotel_ws.engines.request import Request
from exotel_ws.engines.websockets_wire import Wire
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
        # The handshake was judged before and is answered below, so the library starts with the frames.
        protocol = ServerProtocol(state=State.OPEN, max_size=settings.limits.max_message_bytes)
        connection = Wire(protocol, settings)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        transport.write(_accepted(request))
        task = asyncio.get_running_loop().create_task(_Connection(connection, request, settings).converse(self._open_stream))
        self._conversing.add(task)
        task.add_done_callback(self._conversing.discard)
        if rest:
            connection.data_received(rest)


def _accepted(request: Request) -> bytes:
    key = request.headers["Sec-WebSocket-Key"]
    digest = hashlib.sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
        f"Server: {SERVER_HEADER}",
        *(f"{name}: {value}" for name, value in request.answer_headers),
        "\r\n",
    ]
    return "\r\n".join(lines).encode("ascii")


class _Connection:
    """Connection of the library, for its stream."""

    def __init__(self, connection: Wire, request: Request, settings: Settings) -> None:
        self.request = request
        self._settings = settings
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

    def _cut(self) -> None:
        asyncio.get_running_loop().call_later(CUT_S, self._connection.transport.abort)

    async def converse(self, open_stream: Open) -> None:
        connection = self._connection
        stream = open_stream(self)
        receive, send = connection.recv, connection.send
        stream.opened()
        alive = KeepAlive(self._settings.ping, connection.send_ping, lambda: self.close(1011, "keepalive ping timeout"))
        connection.listen(stream, alive, self._cut)
        early, gone, taken = True, False, 0
        try:
            while True:
                raw = await receive()
                if taken >= A_TURN:
                    # receive() returns waiting messages without yielding to the loop, so other calls would wait.
                    await asyncio.sleep(0)
                    taken = 0
                taken += 1
                arrived = perf_counter()
                messages = stream.received(raw)
                if messages and not gone:
                    try:
                        for message in messages:
                            await send(message)
                    except ConnectionClosed:
                        gone = True  # Messages that came before, a stop perhaps, are still handled.
                    stream.answered(perf_counter() - arrived)
                if early and stream.started:
                    early = False
                    connection.start()
        except ConnectionClosed as error:
            received = error.rcvd.code if error.rcvd else None
            ours = error.sent if not error.rcvd_then_sent else None
            stream.closed(Closing(received, ours.code, ours.reason) if ours else Closing(received))
        finally:
            alive.end()
            if self._sending:
                self._sending.cancel()
