"""The reference engine: the `websockets` library, in pure Python with a C unmasker."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any

from websockets import ConnectionClosed, MultipleValuesError
from websockets import Request as UpgradeRequest
from websockets import Response as UpgradeResponse
from websockets.asyncio.server import ServerConnection, serve

from exotel_ws.engines import CLOSE_TIMEOUT_S, RECEIVE_BUFFER, SERVER_HEADER, Closing, Open, Request, Respond
from exotel_ws.engines.first_bytes import Greet, host_of, judge
from exotel_ws.settings import Settings


class WebsocketsEngine:
    """See `exotel_ws.engines.Engine`."""

    async def serve(
        self, open_stream: Open, listener: socket.socket, respond: Respond, greet_stranger: Greet, settings: Settings
    ) -> Callable[[], None]:
        def process_request(connection: ServerConnection, asked: UpgradeRequest) -> UpgradeResponse | None:
            answer = respond(_request(asked, connection))
            if answer is None:
                return None
            response = connection.respond(HTTPStatus(answer.status), answer.body)
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = answer.content_type
            return response

        class Greeted(_Connected):
            greet = staticmethod(greet_stranger)

        async def handle(connection: ServerConnection) -> None:
            await _Connection(connection).converse(open_stream)

        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        server = await serve(
            handle,
            sock=listener,
            backlog=4096,
            process_request=process_request,
            compression=None,
            server_header=SERVER_HEADER,
            open_timeout=settings.limits.handshake_timeout_s,
            ping_interval=settings.ping.interval_s,
            ping_timeout=settings.ping.timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=settings.limits.max_message_bytes,
            create_connection=Greeted,
        )
        return partial(server.close, close_connections=False)


class _Connected(ServerConnection):
    """Looked at when its first bytes come; not read while it can't be written: else a client that pings and never reads fills
    our memory with pongs.
    """

    _stuck: asyncio.TimerHandle | None = None
    _begun = False
    greet: Greet

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            stranger = judge(data)
            if stranger:
                self.greet(stranger, host_of(self.transport))
            if stranger == "tls":
                self.transport.abort()
                return
        super().data_received(data)

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

    def __init__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.request = _request(connection.request, connection)
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


class _Headers(dict[str, str]):
    """Header names in any case; of a repeated header all values, comma-separated, as HTTP has it."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())


def _request(asked: UpgradeRequest, connection: ServerConnection) -> Request:
    headers = _Headers()
    for name in asked.headers:
        try:
            value = asked.headers[name]
        except MultipleValuesError:
            value = ", ".join(asked.headers.get_all(name))
        headers[name.lower()] = value
    return Request(asked.path, headers, host_of(connection.transport))
