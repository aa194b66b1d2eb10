"""Base of all fakes: a server on loopback that wants its provider's key, with one sound and one transcript for all."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ClassVar, Self

from aiohttp import WSMessage, web

KEY = "correct-horse-battery-staple"
RATE = 16000
"""Rate of the callers' audio in Hz; 16 bits a sample."""
SPEECH = bytes(range(256)) * 75
"""Speech of every fake for any text: 400 ms at 24 kHz, in which each sample tells its place."""


def transcript(heard: int) -> str:
    """Return the transcript of this many bytes, which proves that all of them arrived."""
    return f"I heard {heard * 1000 // (2 * RATE)} milliseconds."


class Fake:
    """Provider's server, in its own thread, because some SDKs block their caller's loop.

    ``asked`` are its requests: (path, query), ``said`` the texts to speak.
    """

    key_header: ClassVar[str] = "Authorization"
    key_prefix: ClassVar[str] = "Bearer "
    host: ClassVar[str] = "127.0.0.1"
    tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.said: list[str] = []
        self.contexts: list[Any] = []
        """Bodies of requests to a language model."""
        self._app = web.Application(middlewares=[self._gate])
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.address = ""
        self.routes()

    def routes(self) -> None:
        """Add the provider's routes."""
        raise NotImplementedError

    def websocket(self, path: str, talk: Callable[[web.Request, web.WebSocketResponse], Awaitable[None]]) -> None:
        async def handle(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse(protocols=("USP",))
            await socket.prepare(request)
            await talk(request, socket)
            await socket.close()
            return socket

        self._app.router.add_get(path, handle)

    def post(self, path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        self._app.router.add_post(path, handler)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, 0, ssl_context=self.tls).start()
        self.address = f"{self.host}:{self._runner.addresses[0][1]}"

    @web.middleware
    async def _gate(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get(self.key_header, "")
        if given != f"{self.key_prefix}{KEY}":
            # The worst of providers: one that sends the key back.
            body = {"error": {"message": f"Incorrect API key provided: {given}", "type": "invalid_request_error"}}
            return web.json_response(body, status=401)
        self.asked.append((request.path, dict(request.query)))
        return await handler(request)


def is_text(message: WSMessage) -> bool:
    return message.type is web.WSMsgType.TEXT
