"""What all fakes share: a server on loopback that wants its provider's key, what they hear, and what they say."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ClassVar, Self

from aiohttp import WSMessage, web

KEY = "correct-horse-battery-staple"
RATE = 16000
"""Of what they hear, Hz; 16 bits a sample."""
SPEECH = bytes(range(256)) * 75
"""What they say, whatever they are asked to: 400 ms at 24 kHz, each sample telling its place."""


def transcript(heard: int) -> str:
    """What they understand in so many bytes: a transcript that proves that all of it arrived."""
    return f"I heard {heard * 1000 // (2 * RATE)} milliseconds."


class Fake:
    """A provider's server, in a thread of its own: some SDK blocks its caller's loop.

    ``asked`` are its requests: (path, query), ``said`` the texts it was to speak.
    """

    key_header: ClassVar[str] = "Authorization"
    key_prefix: ClassVar[str] = "Bearer "
    host: ClassVar[str] = "127.0.0.1"
    tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.said: list[str] = []
        self.contexts: list[Any] = []
        """The bodies of what a language model was asked."""
        self._app = web.Application(middlewares=[self._gate])
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.address = ""
        self.routes()

    def routes(self) -> None:
        """Add what the provider serves."""
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
