"""The compiled engine, by picows' own listener interface: a frame is answered in the callback that brings it."""

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from exotel_ws.engines import (
    CLOSE_TIMEOUT_S,
    MOST_FRAGMENTS,
    RECEIVE_BUFFER,
    SERVER_HEADER,
    Answer,
    Closing,
    Open,
    Request,
    Respond,
    Stream,
)
from exotel_ws.engines.first_bytes import FirstBytes, Greet
from exotel_ws.settings import Settings

_READ_BUFFER: Final = 2048
"""Bytes a connection at first; a phone frame has 600."""
_TEXT, _PONG, _CLOSE, _CONTINUATION = WSMsgType.TEXT, WSMsgType.PONG, WSMsgType.CLOSE, WSMsgType.CONTINUATION


class PicowsEngine:
    """See `exotel_ws.engines.Engine`."""

    _remote_host = ""

    async def serve(
        self, open_stream: Open, listener: socket.socket, respond: Respond, greet_stranger: Greet, settings: Settings
    ) -> Callable[[], None]:
        def upgrade(asked: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
            request = Request(asked.path.decode("ascii", "surrogateescape"), asked.headers, self._remote_host)
            answer = respond(request)
            if answer is not None:
                return WSUpgradeResponseWithListener(_http(answer), None)
            accepted = WSUpgradeResponse.create_101_response({"Server": SERVER_HEADER})
            return WSUpgradeResponseWithListener(accepted, _Connection(request, open_stream, settings))

        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        server = await ws_create_server(
            upgrade,
            sock=listener,
            backlog=4096,
            websocket_handshake_timeout=settings.limits.handshake_timeout_s,
            max_frame_size=settings.limits.max_message_bytes,
            read_buffer_init_size=_READ_BUFFER,
            start_serving=False,
        )
        # picows makes its protocol itself and has no hook before the upgrade: this is where a connection begins.
        make: Callable[[], asyncio.BufferedProtocol] = server._protocol_factory  # type: ignore[attr-defined]

        def engine_protocol(remote_host: str) -> asyncio.BufferedProtocol:
            self._remote_host = remote_host  # for the upgrade, which follows at once and is shown the request alone
            return make()

        timeout_s = settings.limits.handshake_timeout_s
        server._protocol_factory = lambda: FirstBytes(engine_protocol, greet_stranger, timeout_s)  # type: ignore[attr-defined]
        await server.start_serving()
        return server.close


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


def _http(answer: Answer) -> WSUpgradeResponse:
    response: WSUpgradeResponse = WSUpgradeResponse.create_error_response(HTTPStatus.NOT_FOUND, answer.body.encode())
    response.status = HTTPStatus(answer.status)
    response.headers["Server"] = SERVER_HEADER
    response.headers["Content-Type"] = answer.content_type
    return response
