"""The compiled engine, on picows' own listener interface: each frame is answered in the callback that delivers it."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from aiofastnet import connect_accepted_socket
from picows import (
    WSAutoPingStrategy,
    WSListener,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from exotel_ws.engines import Open
from exotel_ws.engines.front import SERVER_HEADER
from exotel_ws.engines.picows_connection import PicowsConnection
from exotel_ws.engines.picows_early import Early
from exotel_ws.engines.request import Request
from exotel_ws.settings import Settings

_READ_BUFFER: Final = 2048
"""Bytes of a connection's read buffer at first; a phone's frame has 600."""
_HEAD: Final = (
    "GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: {key}\r\n\r\n"
)
"""Request passed to picows in place of the accepted one, because picows takes fewer forms than RFC 6455 allows."""


class PicowsEngine:
    """See `exotel_ws.engines.Engine`."""

    def __init__(self, settings: Settings, open_stream: Open) -> None:
        self._settings = settings
        self._open_stream = open_stream
        self._logger = logging.getLogger("picows.server")

    async def connect(self, accepted: socket.socket, front: Callable[[], asyncio.BufferedProtocol]) -> None:
        # The same transport as that of picows' own server; it reads without a copy.
        await connect_accepted_socket(asyncio.get_running_loop(), front, accepted)

    def upgrade(self, transport: asyncio.Transport, request: Request, rest: bytes) -> None:
        connection = PicowsConnection(request, self._open_stream, self._settings)
        protocol = self._protocol(connection, request.answer_headers)
        protocol.connection_made(transport)
        _feed(transport, protocol, _HEAD.format(key=request.headers["Sec-WebSocket-Key"]).encode("ascii"))
        early = Early(protocol, connection, transport)
        transport.set_protocol(early)
        _feed(transport, early, rest)

    def _protocol(self, listener: WSListener, more: tuple[tuple[str, str], ...]) -> asyncio.BufferedProtocol:
        """Make the protocol of one connection as `picows.ws_create_server` does; picows has no function for it alone."""
        accepted = WSUpgradeResponse.create_101_response({"Server": SERVER_HEADER, **dict(more)})
        protocol: asyncio.BufferedProtocol = WSProtocol(
            None,  # host and port: a client's
            None,  # path: a client's
            False,  # the server's side
            lambda _asked: WSUpgradeResponseWithListener(accepted, listener),
            self._logger,
            True,  # an exception of the listener ends the connection
            self._settings.limits.handshake_timeout_s,
            False,  # pings are sent by the listener
            20.0,
            20.0,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # pings are answered by the listener, which counts them
            self._settings.limits.max_message_bytes,
            None,  # headers: a client's
            _READ_BUFFER,
        )
        return protocol


def _feed(transport: asyncio.Transport, protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    unread = memoryview(data)
    while unread and not transport.is_closing():
        buffer = memoryview(protocol.get_buffer(len(unread)))
        size = min(len(buffer), len(unread))
        buffer[:size] = unread[:size]
        protocol.buffer_updated(size)
        unread = unread[size:]
