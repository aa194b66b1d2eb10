"""The load generator: N simulated calls from one process, every echo checked and timed.

It polls instead of sleeping. A generator that sleeps is woken by the server's `send`, and on a virtual machine that
wake-up costs the server more than the frame does, which no call from another machine would.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter_ns
from types import TracebackType
from typing import Self

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.wire import CONNECTED, FRAME_MS, HEADERS, Script

SETTLE_S = 2.0
HANG_UP_S = 5.0


class LoadError(Exception):
    """Error of the server under load: it closed a call, or sent something that is not the echo."""


@dataclass(frozen=True)
class Window:
    """Measurements of one stretch of load.

    `round_trip_us` and `late_us` are sorted: send to echo, and lateness behind the schedule (only paced).
    """

    seconds: float
    round_trip_us: list[float]
    late_us: list[float]

    @property
    def frames(self) -> int:
        """Frames whose echo came back within the window."""
        return len(self.round_trip_us)


def percentile(ordered: list[float], percent: float) -> float:
    """Return the value below which `percent` of the sorted values lie (nearest rank); 0.0 of an empty list."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Call(WSListener):
    """Simulated call. Answers come in order, so each answers the oldest frame in flight."""

    transport: WSTransport

    def __init__(self, calls: "Calls", number: int) -> None:
        self._calls = calls
        self._script = Script(number)
        self._in_flight: deque[tuple[int, bytes]] = deque()
        self._hung_up = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        transport.send(WSMsgType.TEXT, CONNECTED)
        transport.send(WSMsgType.TEXT, self._script.start())

    @property
    def unanswered(self) -> int:
        """Frames whose echo has not come yet."""
        return len(self._in_flight)

    def send_frame(self) -> None:
        """Send the next 20 ms of audio now."""
        message, payload = self._script.media()
        self._in_flight.append((perf_counter_ns(), payload))
        self.transport.send(WSMsgType.TEXT, message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now = perf_counter_ns()
        message = frame.get_payload_as_bytes()
        if not self._in_flight:
            self._calls.fail(f"{self._script.stream_sid}: unasked for: {message[:80]!r}")
            return
        sent, payload = self._in_flight.popleft()
        if payload not in message:
            self._calls.fail(f"{self._script.stream_sid}: not the echo of the frame sent: {message[:80]!r}")
            return
        self._calls.round_trip_us.append((now - sent) / 1000)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self._hung_up:
            self._calls.fail(f"{self._script.stream_sid}: the server closed the call")

    async def hang_up(self) -> None:
        """End as Exotel does: send `stop`, then drop the TCP connection without a close frame."""
        self._hung_up = True
        if not self.transport.is_disconnected:
            self.transport.send(WSMsgType.TEXT, self._script.stop())
            self.transport.disconnect()
            await asyncio.wait_for(self.transport.wait_disconnected(), HANG_UP_S)


class Calls:
    """`count` calls to `url`, open for the length of the `async with` block; one load runs at a time."""

    def __init__(self, url: str, count: int, headers: Mapping[str, str] = HEADERS) -> None:
        self._url = url
        self._count = count
        self._headers = headers
        self._calls: list[Call] = []
        self._failure: str | None = None
        self.round_trip_us: list[float] = []
        self._late_us: list[float] = []

    async def __aenter__(self) -> Self:
        for number in range(self._count):
            _, call = await ws_connect(partial(Call, self, number), self._url, extra_headers=self._headers)
            assert isinstance(call, Call)
            self._calls.append(call)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for call in self._calls:
            await call.hang_up()

    def fail(self, why: str) -> None:
        """Record the first fault; the running load then raises it."""
        self._failure = self._failure or why

    async def paced(self, seconds: float) -> Window:
        """Send one frame each 20 ms on every call, the calls spread evenly over those 20 ms.

        Raises LoadError when a call breaks or an answer is wrong.
        """
        begin = self._begin()
        step = FRAME_MS * 1_000_000 / self._count
        sent = 0
        while (now := perf_counter_ns() - begin) < seconds * 1e9:
            due = sent * step
            if now >= due:
                self._late_us.append((now - due) / 1000)
                self._calls[sent % self._count].send_frame()
                sent += 1
            await self._turn()
        return self._end(begin)

    async def settle(self) -> None:
        """Wait for the answers that are still to come. Raises LoadError unless all come within 2 s."""
        deadline = monotonic() + SETTLE_S
        while missing := sum(call.unanswered for call in self._calls):
            if monotonic() > deadline:
                raise LoadError(f"{missing} frames were not answered within {SETTLE_S:g} s")
            await asyncio.sleep(0.02)

    async def _turn(self) -> None:
        if self._failure:
            raise LoadError(self._failure)
        await asyncio.sleep(0)

    def _begin(self) -> int:
        self.round_trip_us, self._late_us = [], []
        gc.collect()
        gc.disable()
        return perf_counter_ns()

    def _end(self, begin: int) -> Window:
        gc.enable()
        return Window((perf_counter_ns() - begin) / 1e9, sorted(self.round_trip_us), sorted(self._late_us))
