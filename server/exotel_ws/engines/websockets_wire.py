"""Connection of the `websockets` library with bounds on the bytes parsed in one turn of the loop and on all input."""

import asyncio
from collections.abc import Callable
from typing import Final

from websockets.asyncio.connection import Connection
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from exotel_ws.engines import CLOSE_TIMEOUT_S, CUT_S, FLOODED, IN_PIECES, Stream
from exotel_ws.engines.keepalive import KeepAlive
from exotel_ws.engines.pace import Pace
from exotel_ws.engines.reading import Reading
from exotel_ws.settings import Settings

_A_SLICE: Final = 2048
"""Bytes parsed in one turn of the loop: three frames of a phone, or 340 empty ones."""

_CONTROL_HEAD: Final = 6
_FRAME_HEADS: Final = 64
"""Bytes of frame heads allowed for a message of a few fragments."""


class Wire(Connection):
    """Pause reading while writing is paused: a client that pings and never reads would fill our memory with pongs."""

    def __init__(self, protocol: ServerProtocol, settings: Settings) -> None:
        super().__init__(protocol, ping_interval=None, ping_timeout=None, close_timeout=CLOSE_TIMEOUT_S)
        self.pace = Pace(settings.limits, asyncio.get_running_loop().time)
        self._early = True
        self._waiting = 0
        """Bytes of an incomplete message before the start."""
        self._unparsed = bytearray()
        self._deaf = False
        self._code = FLOODED
        self._stream: Stream | None = None
        self._alive: KeepAlive | None = None
        self._cut: Callable[[], None] = lambda: None

    def listen(self, stream: Stream, alive: KeepAlive, cut: Callable[[], None]) -> None:
        """Tell ``stream`` and ``alive`` what happens from now on; ``cut`` ends a connection that sends too much."""
        self._stream, self._alive, self._cut = stream, alive, cut
        if self._deaf:
            self._flooded()

    def start(self) -> None:
        """Switch to the bounds of a started call."""
        self._early = False
        self.pace.start()

    def send_ping(self) -> None:
        """Send a ping whose answer nobody waits for."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_ping(b"")
            self.send_data()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._reading = Reading(self.transport)
        self.recv_messages.pause = lambda: self._reading.pause("queue")
        self.recv_messages.resume = lambda: self._resume("queue")

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._unparsed or len(data) > _A_SLICE:
            self._unparsed += data
            self._parse()
        else:
            self._take(data)

    def eof_received(self) -> None:
        if self._unparsed:
            self._parse_all()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._deaf:
            self._parse_all()
        super().connection_lost(exc)

    def process_event(self, event: Event) -> None:
        if self._deaf:
            return
        if isinstance(event, Frame):
            if not self.pace.take(len(event.data)):
                self._code = IN_PIECES if event.opcode is Opcode.CONT else FLOODED
                self._be_deaf()
                self._flooded()
                return
            if self._alive is not None and self._alive.waiting:
                self._alive.heard()
            if self._early:
                size = len(event.data)
                if event.opcode not in DATA_OPCODES:
                    self._waiting = max(0, self._waiting - size - _CONTROL_HEAD)
                elif size > self.pace.most_bytes:
                    self._refuse(size)
                    return
                elif event.fin:
                    self._waiting = 0
        super().process_event(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stream is not None:
            self._stream.stuck = True
        self._reading.pause("writing")

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stream is not None:
            self._stream.stuck = False
        self._resume("writing")

    def _flooded(self) -> None:
        if self._stream is not None:
            self._stream.flooded(self.pace.exceeded, self.pace.reason(), self._code)
            self._cut()

    def _parse(self) -> None:
        """Parse at most `_A_SLICE` bytes; the rest follows after other calls' turns, unless another reason pauses reading."""
        piece = bytes(self._unparsed[:_A_SLICE])
        del self._unparsed[:_A_SLICE]
        self._take(piece)
        if self._unparsed:
            self._reading.pause("turn")
            self.loop.call_soon(self._parse_more)
        else:
            self._reading.resume("turn")

    def _parse_more(self) -> None:
        if self._unparsed and self._reading.only("turn"):
            self._parse()

    def _parse_all(self) -> None:
        data = bytes(self._unparsed)
        self._unparsed.clear()
        if data:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Parse ``data``. Before the start, bound the incomplete message that the library keeps."""
        self._waiting += len(data)
        super().data_received(data)
        if self._early and not self._deaf and self._waiting > self.pace.most_bytes + _FRAME_HEADS:
            self._refuse(self._waiting)

    def _refuse(self, size: int) -> None:
        self._be_deaf()
        self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, f"{size} bytes, {self.pace.most_bytes} are taken before start")
        self.send_data()
        self.loop.call_later(CUT_S, self.transport.abort)

    def _be_deaf(self) -> None:
        self._deaf = True
        self._unparsed.clear()
        self._reading.pause("deaf")

    def _resume(self, reason: str) -> None:
        self._reading.resume(reason)
        if self._unparsed:
            self.loop.call_soon(self._parse_more)
