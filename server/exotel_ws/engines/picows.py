"""The compiled engine, by picows' own listener interface: a frame is answered in the callback that brings it."""

import asyncio
import logging
import socket
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from aiofastnet import connect_accepted_socket
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from exotel_ws.engines import CLOSE_TIMEOUT_S, MOST_FRAGMENTS, Closing, Open, Stream
from exotel_ws.engines.front import SERVER_HEADER
from exotel_ws.engines.request import Request
from exotel_ws.settings import Settings

_READ_BUFFER: Final = 2048
"""Bytes a connection at first; a phone frame has 600."""
_TEXT, _PONG, _CLOSE, _CONTINUATION = WSMsgType.TEXT, WSMsgType.PONG, WSMsgType.CLOSE, WSMsgType.CONTINUATION


_HEAD: Final = (
    "GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: {key}\r\n\r\n"
)
"""What picows is shown of a request that was accepted: it takes fewer forms of one than RFC 6455 does."""


class PicowsEngine:
    """See `exotel_ws.engines.Engine`."""

    def __init__(self, settings: Settings, open_stream: Open) -> None:
        self._settings = settings
        self._open_stream = open_stream
        self._logger = logging.getLogger("picows.server")

    async def connect(self, accepted: socket.socket, front: Callable[[], asyncio.BufferedProtocol]) -> None:
        # The transport that picows' own server would make: it reads without a copy.
        await connect_accepted_socket(asyncio.get_running_loop(), front, accepted)

    def upgrade(self, transport: asyncio.Transport, request: Request, rest: bytes) -> None:
        protocol = self._protocol(_Connection(request, self._open_stream, self._settings))
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        unread = memoryview(_HEAD.format(key=request.headers["Sec-WebSocket-Key"]).encode("ascii") + rest)
        while unread and not transport.is_closing():
            buffer = memoryview(protocol.get_buffer(len(unread)))
            size = min(len(buffer), len(unread))
            buffer[:size] = unread[:size]
            protocol.buffer_updated(size)
            unread = unread[size:]

    def _protocol(self, listener: WSListener) -> asyncio.BufferedProtocol:
        """Make the protocol of one connection as `picows.ws_create_server` does, which has no way without a server."""
        accepted = WSUpgradeResponse.create_101_response({"Server": SERVER_HEADER})
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
            True,  # pings are answered
            self._settings.limits.max_message_bytes,
            None,  # headers: a client's
            _READ_BUFFER,
        )
        return protocol


class _Connection(WSListener):
    """A connection and its stream."""

    def __init__(self, request: Request, open_stream: Open, settings: Settings) -> None:
        self.request = request
        self._open_stream = open_stream
        self._settings = settings
        self._fragments: list[bytes] = []
        self._fragments_size = 0
        self._fragments_type = _TEXT
        self._violated = False
        self._pinged = False
        self._timer: asyncio.TimerHandle | None = None
        self._dropping: asyncio.TimerHandle | None = None

    @property
    def remote_host(self) -> str:
        return self.request.remote_host

    def send(self, message: str) -> None:
        if self._dropping is None:
            self._send(_TEXT, message)

    def close(self, code: int, reason: str) -> None:
        if self._dropping is None:
            self._transport.send_close(WSCloseCode(code), reason.encode())
            self._dropping = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.disconnect, False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._stream: Stream = self._open_stream(self)
        self._send = transport.send
        self._ping_later()
        self._stream.opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if self._violated:
            return  # picows goes on with what came together with the bad frame
        if kind == _TEXT and frame.fin and not self._fragments and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
            try:
                self._take(frame.get_payload_as_utf8_text())
            except UnicodeDecodeError as error:
                raise self._not_utf8(error) from None
        elif kind == _CLOSE:
            self._answer_close(frame)
        elif kind == _PONG:
            self._ponged()
        else:
            self._take_rarer(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        for timer in (self._timer, self._dropping):
            if timer:
                timer.cancel()
        self._stream.closed(_closing(transport))

    def pause_writing(self) -> None:
        """The client does not read: nothing more is read from it either, so that what waits for it stays bounded."""
        self._transport.underlying_transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.underlying_transport.resume_reading()

    def _take(self, raw: str | bytes) -> None:
        arrived = perf_counter()
        messages = self._stream.received(raw)
        if messages:
            for message in messages:
                self._send(_TEXT, message)
            self._stream.answered(perf_counter() - arrived)

    def _take_rarer(self, frame: WSFrame) -> None:
        """A binary message, or one in several frames."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3 or (frame.msg_type == _CONTINUATION) != bool(self._fragments):
            raise self._violation(WSCloseCode.PROTOCOL_ERROR, "a frame that does not belong here")
        if not self._fragments:
            self._fragments_type, self._fragments_size = frame.msg_type, 0
        self._fragments.append(frame.get_payload_as_bytes())
        self._fragments_size = size = self._fragments_size + frame.payload_size
        if size > self._settings.limits.max_message_bytes or len(self._fragments) > MOST_FRAGMENTS:
            raise self._violation(WSCloseCode.MESSAGE_TOO_BIG, f"{size} bytes in {len(self._fragments)} fragments")
        if frame.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            try:
                self._take(message.decode() if self._fragments_type == _TEXT else message)
            except UnicodeDecodeError as error:
                raise self._not_utf8(error) from None

    def _not_utf8(self, error: UnicodeDecodeError) -> WSProtocolError:
        return self._violation(WSCloseCode.INVALID_TEXT, f"{error.reason} at position {error.start}")

    def _violation(self, code: WSCloseCode, reason: str) -> WSProtocolError:
        self._violated = True
        self._fragments.clear()
        return WSProtocolError(code, reason)

    def _answer_close(self, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else None
        if len(payload) == 1 or (code is not None and not 1000 <= code <= 4999):
            raise self._violation(WSCloseCode.PROTOCOL_ERROR, "a close frame without a valid code")
        try:
            answer = WSCloseCode(code or 1000)
        except ValueError:  # an application's own code
            answer = WSCloseCode.OK
        self._transport.send_close(answer)
        self._transport.disconnect()

    def _ping_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._settings.ping.interval_s, self._ping)

    def _ping(self) -> None:
        self._pinged = True
        self._transport.send_ping()
        timeout_s = self._settings.ping.timeout_s
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self.close, 1011, "keepalive ping timeout")

    def _ponged(self) -> None:
        if self._pinged and self._timer:
            self._pinged = False
            self._timer.cancel()
            self._ping_later()


def _closing(transport: WSTransport) -> Closing:
    handshake: Any = transport.close_handshake
    if handshake is None:
        return Closing(None)
    received = int(handshake.recv.code) if handshake.recv is not None else None
    if handshake.sent is None or handshake.recv_then_sent:
        return Closing(received)
    reason = handshake.sent.reason
    return Closing(received, int(handshake.sent.code), reason if isinstance(reason, str) else "")
