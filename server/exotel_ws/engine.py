"""Chooses the WebSocket engine. Both offer the asyncio API of the `websockets` library; no other module knows which one runs."""

import importlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from exotel_ws.settings import Engine, Settings


class Request(Protocol):
    """An HTTP request that asks for an upgrade, or just for an answer."""

    @property
    def path(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class Connection(Protocol):
    """An open WebSocket. `recv` and `send` raise the engine's ``ConnectionClosed`` once it is closed."""

    @property
    def request(self) -> Request: ...
    @property
    def remote_address(self) -> Any: ...
    @property
    def close_code(self) -> int | None: ...
    async def recv(self) -> str | bytes: ...
    async def send(self, message: str) -> None: ...
    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Server(Protocol):
    """A listening server of either engine; ``server`` is the asyncio server below it."""

    server: Any

    def close(self, close_connections: bool = True) -> None: ...
    async def wait_closed(self) -> None: ...


Handler = Callable[[Connection], Awaitable[None]]
Respond = Callable[[Request], tuple[int, str, str] | None]
"""Answers a request with (status, content type, body), or with None to let it become a WebSocket."""


class EngineApi:
    """`serve` and the exception of one engine."""

    def __init__(self, engine: Engine) -> None:
        package = {"picows": "picows.websockets", "websockets": "websockets"}[engine]
        self._serve = importlib.import_module(f"{package}.asyncio.server").serve
        self.ConnectionClosed: type[Exception] = importlib.import_module(f"{package}.exceptions").ConnectionClosed
        # picows reads into a buffer of each connection's own; a phone frame has 600 bytes.
        self._options: dict[str, Any] = {"read_buffer_init_size": 2048} if engine == "picows" else {}

    async def serve(self, handler: Handler, listener: socket.socket, respond: Respond, settings: Settings) -> Server:
        """Serve WebSockets, and plain HTTP GET by ``respond``, on a bound socket."""

        def process_request(connection: Any, request: Request) -> Any:
            answer = respond(request)
            return None if answer is None else _response(connection, *answer)

        server: Server = await self._serve(
            handler,
            sock=listener,
            backlog=4096,
            process_request=process_request,
            compression=None,
            server_header="exotel-voicebot",
            open_timeout=settings.limits.handshake_timeout_s,
            ping_interval=settings.ping.interval_s,
            ping_timeout=settings.ping.timeout_s,
            close_timeout=5,
            max_size=settings.limits.max_message_bytes,
            **self._options,
        )
        return server


def _response(connection: Any, status: int, content_type: str, body: str) -> Any:
    response = connection.respond(HTTPStatus(status), body)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = content_type
    return response
