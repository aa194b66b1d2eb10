"""Place a simulated Exotel call: the same bytes, pace and end on the wire as a real one.

Tests and measurements use it as well as the command line: many calls run in one event loop, each in one task of the
caller and one reader, and a call holds only audio that has not come back yet, unless it is asked to keep the rest::

    results = await asyncio.gather(*(place_call(url, frames) for _ in range(200)))
    assert all(result.bit_exact for result in results)
"""

import asyncio
import base64
import contextlib
import dataclasses
import json
import ssl
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from exotel_ws.encodings import Encoding
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from exotel_phone.dial import dial
from exotel_phone.echo_meter import EchoMeter
from exotel_phone.encodings import FORMATS
from exotel_phone.target import Target, parse
from exotel_phone.text import plural, printable
from exotel_phone.wire import FRAME_MS, Ids, Stream, frame_bytes

_SEND_TIMEOUT_S = 10.0
_DROP_TIMEOUT_S = 2.0
_FAULTS_KEPT = 10


@dataclasses.dataclass(slots=True)
class CallResult:
    """Result of one call. Times in ms, offsets and sizes in bytes as they are on the wire; ``audio`` is PCM16LE.

    ``difference`` is the offset at which the echo first differs from the audio sent or ends too soon; None if it is bit-exact.
    ``closed_early`` says how the server ended the call before it was hung up, "" if it did not; ``close_code`` is its code then,
    1006 if it dropped the connection. ``faults`` are the first ten messages that Exotel could not have used. ``late_max_ms`` is
    how far this machine itself fell behind the pace.
    """

    ids: Ids
    rate: int
    connect_ms: float = 0.0
    duration_s: float = 0.0
    frames_sent: int = 0
    frames_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    round_trips_ms: "array[float]" = dataclasses.field(default_factory=lambda: array("d"))
    difference: int | None = None
    closed_early: str = ""
    close_code: int | None = None
    faults: tuple[str, ...] = ()
    fault_count: int = 0
    late_max_ms: float = 0.0
    audio: bytes = b""
    encoding: Encoding = Encoding.PCM16

    @property
    def frames_lost(self) -> int:
        """Return how many frames' worth of audio did not come back."""
        return max(0, -((self.bytes_received - self.bytes_sent) // frame_bytes(self.rate, self.encoding.sample_bytes)))

    @property
    def bit_exact(self) -> bool:
        """Return True if every byte sent came back, in order, unchanged, and nothing else."""
        return self.difference is None and self.bytes_sent > 0

    @property
    def ok(self) -> bool:
        """Return True for a bit-exact call without faults that the server did not end."""
        return self.bit_exact and not self.closed_early and not self.fault_count


class Phone:
    """One call, step by step; `place_call` is the usual way through. Not reusable: one object, one call."""

    def __init__(
        self,
        target: Target,
        *,
        rate: int = 8000,
        strip_query: bool = False,
        headers: Mapping[str, str] | None = None,
        ids: Ids | None = None,
        keep_audio: bool = False,
        tls: ssl.SSLContext | None = None,
        on_message: Callable[[dict[str, Any], bytes, float], None] | None = None,
        encoding: Encoding = Encoding.PCM16,
    ) -> None:
        """``on_message`` is called with each usable message, its audio (empty if it has none), and its time.

        ``encoding`` is that of the line in both directions; all audio given and returned is PCM16LE.
        """
        self.encoding = encoding
        self.stream = Stream(ids or Ids.new(), rate, FORMATS[encoding])
        self.meter = EchoMeter()
        self.seen = CallResult(self.stream.ids, rate, encoding=encoding)
        """Result as far as it is kept up to date during the call: all of it comes from `result`."""
        self._target = target
        self._strip_query = strip_query
        self._headers = headers
        self._keep_audio = keep_audio
        self._tls = tls
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._ws: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._hung_up = False
        self._audio = bytearray()
        self._began = 0.0

    async def connect(self, *, timeout_s: float = 10.0) -> None:
        """Open the connection and read from it. Raises Unreachable."""
        self._began = self._loop.time()
        query = not self._strip_query
        self._ws = await dial(self._target, query=query, headers=self._headers, timeout_s=timeout_s, tls=self._tls)
        self.seen.connect_ms = (self._loop.time() - self._began) * 1000
        self._reader = asyncio.create_task(self._read(self._ws), name=f"phone {self.stream.ids.stream_sid}")

    async def dial(self, *, timeout_s: float = 10.0) -> None:
        """Connect and begin the stream: handshake, ``connected``, ``start``. Raises Unreachable."""
        await self.connect(timeout_s=timeout_s)
        await self.send(self.stream.connected())
        await self.send(self.stream.start(self._target.parameters if self._strip_query else None))

    async def play(self, frames: Iterable[bytes], *, pace: bool = True, on_frame: Callable[[int], None] | None = None) -> None:
        """Send ``frames`` (PCM16LE of 20 ms each), one every 20 ms by one clock: a late frame does not delay the next.

        Without ``pace`` as fast as the server takes them. ``on_frame`` is called with the number of frames sent. Ends early
        if the server ends the call.
        """
        begin = self._loop.time()
        for number, pcm in enumerate(frames):
            if pace:
                await self.until(begin + number * FRAME_MS / 1000)
            if self.closed_early:
                return
            data = self.encoding.encode(pcm)
            self.meter.sent(data, self._loop.time())
            await self.send(self.stream.media(data))
            self.seen.frames_sent += 1
            if on_frame is not None:
                on_frame(self.seen.frames_sent)

    @property
    def closed_early(self) -> str:
        """Return how the server ended the call before it was hung up, "" if it did not."""
        return self.seen.closed_early

    async def press(self, digit: str) -> None:
        """Press the key ``digit``."""
        await self.send(self.stream.dtmf(digit))

    async def return_mark(self, name: str) -> None:
        """Return the mark ``name``: all audio before it has been played."""
        await self.send(self.stream.mark(name))

    async def settle(self, timeout_s: float, settled: Callable[[], bool] | None = None) -> None:
        """Wait until as much audio has come back as was sent, or ``settled`` is true, at most ``timeout_s``.

        ``settled`` is asked after each message. The end of the call by the server ends the wait.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not (settled() if settled else self.meter.complete) and not self.closed_early:
                    self._news.clear()
                    await self._news.wait()

    async def hang_up(self, reason: str = "canceled or call ended") -> None:
        """Send ``stop``, then drop TCP without a close frame (1006), as Exotel ends a call."""
        if not self.closed_early:
            await self.send(self.stream.stop(reason))
        await self.drop()

    async def drop(self) -> None:
        """Drop the connection without a close frame. Idempotent; bounded."""
        self._hung_up = True
        if self._ws is None or self._reader is None:
            return
        self._ws.transport.close()
        try:
            async with asyncio.timeout(_DROP_TIMEOUT_S):
                await self._reader
        except TimeoutError:
            self._ws.transport.abort()

    def result(self) -> CallResult:
        """Return the result up to now."""
        return dataclasses.replace(
            self.seen,
            duration_s=self._loop.time() - self._began,
            bytes_sent=self.meter.bytes_sent,
            bytes_received=self.meter.bytes_received,
            round_trips_ms=array("d", (seconds * 1000 for seconds in self.meter.round_trips)),
            difference=self.meter.difference,
            audio=bytes(self._audio),
        )

    async def until(self, due: float) -> None:
        """Sleep until ``due`` (time of the event loop), and note how late it became."""
        wait = due - self._loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        self.seen.late_max_ms = max(self.seen.late_max_ms, (self._loop.time() - due) * 1000)

    async def send(self, message: str | bytes) -> None:
        """Send a message, or note how the server ended the call, if only by taking nothing any more."""
        assert self._ws is not None, "dial() comes first"
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await self._ws.send(message)
        except ConnectionClosed as closed:
            self.ended(closed)
        except TimeoutError:
            frame = self.seen.frames_sent + 1
            self.seen.closed_early = f"the server took nothing for {_SEND_TIMEOUT_S:g} s (frame {frame})"

    async def _read(self, ws: ClientConnection) -> None:
        try:
            while True:
                self.take(await ws.recv(), self._loop.time())
                self._news.set()
        except ConnectionClosed as closed:
            self.ended(closed)
            self._news.set()

    def ended(self, closed: ConnectionClosed) -> None:
        """Note how the connection ended, unless this side has ended it."""
        if self._hung_up or self.closed_early:
            return
        self.seen.close_code = 1006 if closed.rcvd is None else closed.rcvd.code
        how = "without a close frame (1006)"
        if closed.rcvd is not None:
            how = f"with {closed.rcvd.code}" + (f" {printable(closed.rcvd.reason)!r}" if closed.rcvd.reason else "")
        self.seen.closed_early = f"the server closed the call {how} after {plural(self.seen.frames_sent, 'frame')} sent"

    def take(self, message: str | bytes, at: float) -> None:
        """Take a message that came at ``at`` (time of the event loop), and judge whether Exotel could use it."""
        try:
            frame: dict[str, Any] = json.loads(message)
            event, pcm = frame["event"], b""
            if not isinstance(event, str):
                raise TypeError("its event is no text")
            if frame["stream_sid"] != self.stream.ids.stream_sid:
                raise ValueError(f"stream_sid of another stream: {printable(str(frame['stream_sid']), 60)!r}")
            if event == "media":
                data = base64.b64decode(frame["media"]["payload"], validate=True)
                self.meter.received(data, at)
                self.seen.frames_received += 1
                pcm = self.encoding.decode(data)
                if self._keep_audio:
                    self._audio += pcm
            if self._on_message is not None:
                self._on_message(frame, pcm, at)
        except KeyError as missing:
            self._fault(f"a message without {missing.args[0]}: {_shown(message)}")
        except (TypeError, ValueError, RecursionError) as error:
            self._fault(f"a message that Exotel cannot use ({error}): {_shown(message)}")

    def _fault(self, text: str) -> None:
        self.seen.fault_count += 1
        if len(self.seen.faults) < _FAULTS_KEPT:
            self.seen.faults += (text,)


def _shown(message: str | bytes) -> str:
    return printable(message if isinstance(message, str) else repr(message), 80)


async def place_call(
    url: str | Target,
    frames: Iterable[bytes],
    *,
    rate: int = 8000,
    pace: bool = True,
    strip_query: bool = False,
    headers: Mapping[str, str] | None = None,
    ids: Ids | None = None,
    keep_audio: bool = False,
    connect_timeout_s: float = 10.0,
    settle_s: float = 2.0,
    on_frame: Callable[[int], None] | None = None,
    tls: ssl.SSLContext | None = None,
    encoding: Encoding = Encoding.PCM16,
) -> CallResult:
    """Place one whole call: connect, start, ``frames``, stop, TCP drop.

    ``frames`` are PCM16LE of 20 ms at ``rate`` Hz, any iterable; it ends the call when it ends. They are sent as ``encoding``.
    A credential in ``url`` becomes ``Authorization: Basic``. With ``strip_query`` the query is not sent but delivered as
    ``start.custom_parameters``, as Exotel does. ``settle_s`` bounds the wait for the last echoes before the hang-up.
    Raises Unreachable if the call does not connect; anything that happens after that is in the result.
    """
    target = parse(url) if isinstance(url, str) else url
    phone = Phone(
        target,
        rate=rate,
        strip_query=strip_query,
        headers=headers,
        ids=ids,
        keep_audio=keep_audio,
        tls=tls,
        encoding=encoding,
    )
    try:
        await phone.dial(timeout_s=connect_timeout_s)
        await phone.play(frames, pace=pace, on_frame=on_frame)
        await phone.settle(settle_s)
        await phone.hang_up()
    finally:
        await phone.drop()
    return phone.result()
