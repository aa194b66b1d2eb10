"""Place one call of a load with the compiled WebSocket client: the bytes of a real one, every echo matched and timed."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from time import monotonic

import msgspec
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from exotel_phone.load.in_flight import InFlight
from exotel_phone.load.plan import Plan
from exotel_phone.load.tally import Tally
from exotel_phone.text import plural, printable
from exotel_phone.wire import FRAME_MS, Ids, Stream

SETTLE_S = 2.0
"""The longest wait for the last echoes before the hang-up."""

_FRAME_S = FRAME_MS / 1000
_MOST_MESSAGE = 1 << 20
_SEND_BUFFER = 64 * 1024
"""Bytes. The kernel's default holds minutes of audio, so that a server that reads nothing would go unnoticed as long."""
_TEXT, _BINARY, _CLOSE, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE, WSMsgType.CONTINUATION


class _Media(msgspec.Struct, gc=False):
    payload: str


class _Message(msgspec.Struct, gc=False):
    """Fields of a message that Exotel needs; the rest is not looked at."""

    event: str
    stream_sid: str
    media: _Media | None = None


_decode = msgspec.json.Decoder(_Message).decode


class Caller(WSListener):
    """Counts into the tally that ``tally()`` gives at the moment, for that is taken away several times a second.

    ``connected`` says that there ever was a WebSocket, ``talking`` that frames are to be sent. ``over`` is set when the call
    has ended, or when whoever places it wants it to end.
    """

    transport: WSTransport

    def __init__(self, plan: Plan, slot: int, tally: Callable[[], Tally]) -> None:
        self.connected = False
        self.talking = False
        self.over = asyncio.Event()
        self.due = 0.0
        """Time at which the next frame is due, on the monotonic clock."""
        self._plan = plan
        self._tally = tally
        self._stream = Stream(Ids.new(), plan.rate)
        self._in_flight = InFlight()
        self._phase_s = plan.phase_s(slot)
        self._next_frame = plan.first_frame(slot)
        self._begun = 0.0
        self._sent = 0
        self._lost = 0
        self._unexpected = 0
        self._message = bytearray()
        self._settled = asyncio.Event()
        self._ended = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin the stream. The first frame is due when 20 ms of audio are there, at the slot's place in every 20 ms."""
        self.transport = transport
        self.connected = self.talking = True
        connection: socket.socket = transport.underlying_transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        parameters = self._plan.target.parameters if self._plan.as_exotel else None
        transport.send(_TEXT, self._stream.connected().encode())
        transport.send(_TEXT, self._stream.start(parameters).encode())
        self._tally().of("connected").sent += 1
        self._tally().of("start").sent += 1
        self._begun = monotonic()
        earliest = self._begun + _FRAME_S
        self.due = earliest + (self._phase_s - earliest) % _FRAME_S

    def send_frame(self, now: float) -> None:
        """Send the frame that is due. A late ``now`` does not delay the frame after it."""
        payloads = self._plan.payloads
        payload = payloads[self._next_frame]
        self._next_frame = (self._next_frame + 1) % len(payloads)
        tally = self._tally()
        tally.late.add((now - self.due) * 1000)
        tally.of("media").sent += 1
        self._in_flight.sent(payload, monotonic())
        self._count_lost()
        self.transport.send(_TEXT, self._stream.media_base64(payload).encode())
        self._sent += 1
        self.due += _FRAME_S

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a message; pings are answered by picows."""
        kind = frame.msg_type
        if kind is _TEXT and frame.fin:
            self._take(frame.get_payload_as_bytes(), monotonic())
        elif kind in (_TEXT, _CONTINUATION):
            self._message += frame.get_payload_as_memoryview()
            if frame.fin or len(self._message) > _MOST_MESSAGE:
                self._take(bytes(self._message), monotonic())
                self._message.clear()
        elif kind is _BINARY:
            self._wrong("binary", frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            code = frame.get_close_code()
            self._dropped(f"closed with {code.value}", frame.get_close_reason())
            transport.send_close(WSCloseCode.OK if code is WSCloseCode.NO_INFO else code)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note that the connection is gone: a fault unless this side has ended the call."""
        self._dropped("closed without a close frame (1006)")

    def pause_writing(self) -> None:
        """Note that all buffers are full because the server reads nothing: end the call as a fault."""
        self._dropped("the server takes no more audio")
        self.transport.disconnect(False)

    async def hang_up(self) -> None:
        """Wait for the last echoes, then end as Exotel does: ``stop``, and a TCP drop without a close frame."""
        self.talking = False
        if self._in_flight:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await self._settled.wait()
        if self._ended:
            return
        self._end()
        self.transport.send(_TEXT, self._stream.stop().encode())
        self._tally().of("stop").sent += 1
        self.transport.disconnect()
        if self._lost or self._unexpected:
            self._tally().faulty += 1
        else:
            self._tally().perfect += 1

    def _take(self, message: bytes, now: float) -> None:
        if self._ended:
            return None
        try:
            answer = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._wrong("other", message)
        if answer.stream_sid != self._stream.ids.stream_sid or answer.event != "media" or answer.media is None:
            return self._wrong(printable(answer.event, 20), message)
        sent = self._in_flight.received(answer.media.payload)
        if sent is None:
            return self._wrong("media", message)
        tally = self._tally()
        tally.of("media").echoed += len(sent)
        for at in sent:
            tally.round_trip.add((now - at) * 1000)
        if not self.talking and not self._in_flight:
            self._settled.set()
        return self._count_lost()

    def _wrong(self, kind: str, message: bytes) -> None:
        self._unexpected += 1
        tally = self._tally()
        tally.of(kind).unexpected += 1
        tally.note(f"unexpected {kind}: {printable(message[:120].decode(errors='replace'), 100)}")

    def _dropped(self, how: str, why: str = "") -> None:
        if self._ended:
            return
        self._end()
        tally = self._tally()
        tally.dropped[how] += 1
        after = f"after {monotonic() - self._begun:.1f} s and {plural(self._sent, 'frame')}"
        tally.note(f"dropped {after}: {how}" + (f" {printable(why or '', 80)!r}" if why else ""))

    def _end(self) -> None:
        self._ended = True
        self.talking = False
        self.over.set()
        self._settled.set()
        self._in_flight.give_up()
        self._count_lost()

    def _count_lost(self) -> None:
        if self._in_flight.lost != self._lost:
            self._tally().of("media").lost += self._in_flight.lost - self._lost
            self._lost = self._in_flight.lost
