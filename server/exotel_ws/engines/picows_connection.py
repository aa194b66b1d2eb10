"""One WebSocket of picows, and its stream."""

import asyncio
from collections import deque
from time import perf_counter
from typing import Any, Final, Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from exotel_ws.engines import A_TURN, CLOSE_TIMEOUT_S, CUT_S, FLOODED, IN_PIECES, MOST_FRAGMENTS, Closing, Open, Stream
from exotel_ws.engines.keepalive import KeepAlive
from exotel_ws.engines.pace import QUICK_BYTES, Pace
from exotel_ws.engines.reading import Reading
from exotel_ws.engines.request import Request
from exotel_ws.settings import Settings

_TEXT, _PING, _PONG, _CLOSE = WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE
_CONTINUATION = WSMsgType.CONTINUATION
_VIOLATION_S: Final = 0.01
"""Seconds between our close frame to a client that broke the protocol and the end of its connection."""


class _Early(Protocol):
    """See `exotel_ws.engines.picows_early`."""

    unread: int


class _Held:
    """Copy of a `WSFrame` that waits for another turn of the loop."""

    __slots__ = ("_payload", "fin", "msg_type", "payload_size", "reserved")

    def __init__(self, frame: WSFrame) -> None:
        self.msg_type = frame.msg_type
        self.fin = frame.fin
        self.reserved = bool(frame.rsv1 or frame.rsv2 or frame.rsv3)
        self.payload_size = frame.payload_size
        self._payload = frame.get_payload_as_bytes()

    @property
    def rsv1(self) -> bool:
        return self.reserved

    rsv2 = rsv3 = rsv1

    def get_payload_as_bytes(self) -> bytes:
        return self._payload

    def get_payload_as_utf8_text(self) -> str:
        return self._payload.decode()


class PicowsConnection(WSListener):
    """Connection of picows, with its stream.

    picows delivers all frames of a read at once: those beyond `A_TURN` wait for the next turns, and reading waits with them.
    """

    def __init__(self, request: Request, open_stream: Open, settings: Settings) -> None:
        self.request = request
        self.early: _Early | None = None
        """Protocol that the bytes pass through until the stream starts."""
        self._clock = asyncio.get_running_loop().time
        self.pace = Pace(settings.limits, self._clock)
        self._open_stream = open_stream
        self._settings = settings
        self._fragments: list[bytes] = []
        self._fragments_size = 0
        self._fragments_type = _TEXT
        self._deaf = False
        """True once further frames are ignored."""
        self._turn_at = 0.0
        self._in_turn = 0
        self._held: deque[_Held] = deque()
        self._dropping: asyncio.TimerHandle | None = None
        self._quick = 0
        """Frames that need no care if they are of a usual size: they are counted already, and no other check is due."""

    @property
    def remote_host(self) -> str:
        return self.request.remote_host

    def send(self, message: str) -> None:
        if self._dropping is None:
            self._send(_TEXT, message)

    def close(self, code: int, reason: str) -> None:
        if self._dropping is None:
            self._be_careful()
            self._transport.send_close(WSCloseCode(code), reason.encode())
            self._dropping = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.disconnect, False)

    def refuse_size(self, size: int) -> None:
        """Close the connection because of a message of ``size`` bytes or more."""
        if not self._deaf:
            self._violate(WSCloseCode.MESSAGE_TOO_BIG, f"{size} bytes, {self.pace.most_bytes} are taken")

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._reading = Reading(transport.underlying_transport)
        self._stream: Stream = self._open_stream(self)
        self._send = transport.send
        self._alive = KeepAlive(self._settings.ping, self._ping, lambda: self.close(1011, "keepalive ping timeout"))
        self._stream.opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if (
            self._quick
            and frame.msg_type is _TEXT
            and not frame.tail_size
            and frame.payload_size <= QUICK_BYTES
            and frame.fin
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self._quick -= 1
            try:
                self._take(frame.get_payload_as_utf8_text())
            except UnicodeDecodeError as error:
                self._not_utf8(error)
            return
        self._take_with_care(frame)

    def _take_with_care(self, frame: WSFrame) -> None:
        """Count a frame, and handle it in its turn. Let the next few frames be quick if no check is due on them."""
        if self._deaf:
            return  # picows still delivers the frames of the same read
        self._be_careful()
        size = frame.payload_size
        if not self.pace.take(size):
            self._cut(IN_PIECES if frame.msg_type == _CONTINUATION else FLOODED)
            return
        if self._alive.waiting:
            self._alive.heard()
        if self.early is None and not self._held and not self._fragments and self._dropping is None:
            self._quick = self.pace.advance()
        if self.early is not None:
            self.early.unread = frame.tail_size
            if size > self.pace.most_bytes:
                self.refuse_size(size)
                return
        if frame.tail_size or self._held:
            self._take_in_turn(frame)
        else:
            self._handle(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        while self._held and not self._deaf:
            self._handle(self._held.popleft())
        self._deaf = True
        self._alive.end()
        if self._dropping:
            self._dropping.cancel()
        self._stream.closed(_closing(transport))

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read, so that the output waiting for it stays bounded."""
        self._stream.stuck = True
        self._reading.pause("writing")

    def resume_writing(self) -> None:
        self._stream.stuck = False
        self._reading.resume("writing")
        if self._held:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _ping(self) -> None:
        self._be_careful()  # the next frame shows life
        self._transport.send_ping()

    def _take_in_turn(self, frame: WSFrame) -> None:
        """Handle a frame that came together with others, or keep it for the next turn of the loop."""
        if not self._held:
            # uvloop reads its clock once per turn, so a new time means a new turn. A callback would cost a turn per late frame.
            if (now := self._clock()) != self._turn_at:
                self._turn_at, self._in_turn = now, 0
            self._in_turn += 1
            if self._in_turn <= A_TURN:
                self._handle(frame)
                return
            self._be_careful()
            self._reading.pause("turn")
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._held.append(_Held(frame))

    def _next_turn(self) -> None:
        self._in_turn = 0
        held = self._held
        if self._deaf or "writing" in self._reading:
            return
        for _ in range(min(A_TURN, len(held))):
            self._handle(held.popleft())
            if self._deaf:  # and has dropped the held frames
                return
        if held:
            asyncio.get_running_loop().call_soon(self._next_turn)
        else:
            self._reading.resume("turn")

    def _handle(self, frame: WSFrame | _Held) -> None:
        kind = frame.msg_type
        if self._dropping is not None and kind != _CLOSE:
            return
        if kind == _TEXT and frame.fin and not self._fragments and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
            self._take_text(frame)
        elif kind == _CLOSE:
            self._answer_close(frame)
        elif kind == _PING:
            self._transport.send_pong(frame.get_payload_as_bytes())
        elif kind != _PONG:
            self._take_rarer(frame)

    def _take_text(self, frame: WSFrame | _Held) -> None:
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError as error:
            self._not_utf8(error)
        else:
            self._take(text)

    def _take(self, raw: str | bytes) -> None:
        arrived = perf_counter()
        stream = self._stream
        messages = stream.received(raw)
        if messages:
            # Local names, because Python 3.11 is slow to call what an instance holds.
            send, answered = self._send, stream.answered
            for message in messages:
                send(_TEXT, message)
            answered(perf_counter() - arrived)
        if self.early is not None and stream.started:
            self.early = None
            self.pace.start()

    def _take_rarer(self, frame: WSFrame | _Held) -> None:
        """Handle a frame of a binary or fragmented message."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3 or (frame.msg_type == _CONTINUATION) != bool(self._fragments):
            self._violate(WSCloseCode.PROTOCOL_ERROR, "a frame that does not belong here")
            return
        if not self._fragments:
            self._fragments_type, self._fragments_size = frame.msg_type, 0
        self._be_careful()
        self._fragments.append(frame.get_payload_as_bytes())
        self._fragments_size = size = self._fragments_size + frame.payload_size
        if size > self.pace.most_bytes or len(self._fragments) > MOST_FRAGMENTS:
            self._violate(WSCloseCode.MESSAGE_TOO_BIG, f"{size} bytes in {len(self._fragments)} fragments")
        elif frame.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            try:
                raw = message.decode() if self._fragments_type == _TEXT else message
            except UnicodeDecodeError as error:
                self._not_utf8(error)
            else:
                self._take(raw)

    def _not_utf8(self, error: UnicodeDecodeError) -> None:
        self._violate(WSCloseCode.INVALID_TEXT, f"{error.reason} at position {error.start}")

    def _violate(self, code: WSCloseCode, reason: str) -> None:
        """End the connection as RFC 6455 demands, without waiting for an answer."""
        self._be_deaf()
        self._transport.send_close(code, reason)
        asyncio.get_running_loop().call_later(_VIOLATION_S, self._transport.disconnect)

    def _cut(self, code: int) -> None:
        """End the connection of a client that sends too much: send our close frame and stop reading."""
        self._be_deaf()
        self._stream.flooded(self.pace.exceeded, self.pace.reason(), code)
        asyncio.get_running_loop().call_later(CUT_S, self._transport.disconnect, False)

    def _be_careful(self) -> None:
        """Look at each frame again, and give back the frames counted ahead."""
        self.pace.give_back(self._quick)
        self._quick = 0

    def _be_deaf(self) -> None:
        self._deaf = True
        self._quick = 0
        self._fragments.clear()
        self._held.clear()
        self._reading.pause("deaf")

    def _answer_close(self, frame: WSFrame | _Held) -> None:
        payload = frame.get_payload_as_bytes()
        code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else None
        if len(payload) == 1 or (code is not None and not 1000 <= code <= 4999):
            self._violate(WSCloseCode.PROTOCOL_ERROR, "a close frame without a valid code")
            return
        try:
            answer = WSCloseCode(code or 1000)
        except ValueError:  # an application's own code
            answer = WSCloseCode.OK
        self._transport.send_close(answer)
        self._transport.disconnect()


def _closing(transport: WSTransport) -> Closing:
    handshake: Any = transport.close_handshake
    if handshake is None:
        return Closing(None)
    received = int(handshake.recv.code) if handshake.recv is not None else None
    if handshake.sent is None or handshake.recv_then_sent:
        return Closing(received)
    reason = handshake.sent.reason
    return Closing(received, int(handshake.sent.code), reason if isinstance(reason, str) else "")
