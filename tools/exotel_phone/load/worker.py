"""Run one process of a load: place its share of the calls, pace them in one loop, report to the parent.

The parent draws the table and writes the report, so that neither disturbs the pace.
"""

import asyncio
import dataclasses
import heapq
import itertools
import signal
from multiprocessing.connection import Connection
from time import monotonic

import uvloop
from picows import WSError, WSHandshakeError, WSInvalidMessageError, WSInvalidStatusError, ws_connect

from exotel_phone.load.caller import Caller
from exotel_phone.load.plan import Plan
from exotel_phone.load.tally import Tally
from exotel_phone.pinned import connected
from exotel_phone.reach import Fault, NotHttp, explain, no_websocket, refused_handshake
from exotel_phone.text import printable
from exotel_phone.wire import FRAME_MS, USER_AGENT

READY = "ready"
DONE = "done"
STOP = "stop"
TELL_EVERY_S = 0.2

_CONNECT_TIMEOUT_S = 10.0
"""Exotel's own."""
_FRAMES_A_TURN = 200
_LEAST_SLEEP_S = 0.001
"""A shorter one is a busy loop, which takes time from a server on the same machine."""


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """Tally of a process since its last news, the second of the load it belongs to, and the calls that were up at its end."""

    process: int
    second: int
    live: int
    tally: Tally


def work(plan: Plan, process: int, parent: Connection) -> None:
    """Report ready, wait for the time (monotonic) to begin, carry out the share, report done.

    The parent sends `STOP`, or goes away, to end every call at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent.send(READY)
    try:
        start: float | str = parent.recv()
        if isinstance(start, float):
            uvloop.run(_Generator(plan, process, parent, start).run())
        parent.send(DONE)
    except* (EOFError, BrokenPipeError):
        pass  # the parent is gone, nobody wants to know any more


class _Generator:
    def __init__(self, plan: Plan, process: int, parent: Connection, start: float) -> None:
        self._plan = plan
        self._process = process
        self._parent = parent
        self._start = start
        self._tally = Tally()
        self._calls: set[Caller] = set()
        self._due: list[tuple[float, int, Caller]] = []
        self._serial = itertools.count()
        self._stop = asyncio.Event()
        self._dialling: set[asyncio.Task[None]] = set()
        self._tls = plan.target.tls()

    async def run(self) -> None:
        """Carry out all calls of the share. Raises what a helper or a call raised, e.g. BrokenPipeError."""
        asyncio.get_running_loop().add_reader(self._parent.fileno(), self._end_all)
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._pace()), group.create_task(self._tell())]
            async with asyncio.TaskGroup() as calls:
                for slot in self._plan.share(self._process):
                    calls.create_task(self._slot(slot))
            for helper in helpers:
                helper.cancel()
        self._send_news()

    def _end_all(self) -> None:
        """Stop the load: the parent said so, or went away."""
        asyncio.get_running_loop().remove_reader(self._parent.fileno())
        self._stop.set()
        for caller in self._calls:
            caller.over.set()
        for task in self._dialling:
            task.cancel()

    async def _slot(self, slot: int) -> None:
        """Carry out the calls of one slot, one after the other."""
        begin = self._plan.begins(slot)
        while begin < self._plan.seconds and not await self._waited(self._stop, begin):
            caller = await self._dial(slot)
            if caller is not None:
                await self._keep_up(caller, self._plan.ends(begin))
            if self._plan.hold_s is None:
                return
            begin = max(begin + self._plan.hold_s, monotonic() - self._start)

    async def _waited(self, event: asyncio.Event, until: float) -> bool:
        """Wait for ``event``, at most until ``until`` seconds from the start; return True if it came."""
        try:
            async with asyncio.timeout(max(0.0, self._start + until - monotonic())):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True

    async def _keep_up(self, caller: Caller, until: float) -> None:
        """Carry out a call from its first frame to the hang-up."""
        self._calls.add(caller)
        heapq.heappush(self._due, (caller.due, next(self._serial), caller))
        if self._stop.is_set():
            caller.over.set()
        await self._waited(caller.over, until)
        await caller.hang_up()
        self._calls.discard(caller)

    async def _dial(self, slot: int) -> Caller | None:
        """Place a call; return None if it was refused, or if the load was stopped meanwhile."""
        this = asyncio.current_task()
        assert this is not None
        self._dialling.add(this)
        try:
            return await self._connect(Caller(self._plan, slot, lambda: self._tally))
        except asyncio.CancelledError:
            if not self._stop.is_set():
                raise
            this.uncancel()
            return None
        finally:
            self._dialling.discard(this)

    async def _connect(self, caller: Caller) -> Caller | None:
        target = self._plan.target
        begun = monotonic()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await ws_connect(
                    lambda: caller,
                    target.url(query=not self._plan.as_exotel),
                    ssl_context=self._tls,
                    extra_headers={"User-Agent": USER_AGENT, **target.headers},
                    websocket_handshake_timeout=None,
                    max_redirects=0,
                    socket_factory=lambda _: connected(target),
                )
            if not caller.connected:  # picows returns normally where the connection ends during the handshake
                raise ConnectionResetError
        except (OSError, WSError) as error:
            fault = _fault(error, self._plan)
            self._tally.placed += 1
            self._tally.refused[fault.kind] += 1
            self._tally.note(f"refused: {fault.cause}")
            return None
        self._tally.placed += 1
        self._tally.connect.add((monotonic() - begun) * 1000)
        return caller

    async def _pace(self) -> None:
        """Send every frame when it is due; runs until cancelled."""
        due = self._due
        while True:
            for _ in range(_FRAMES_A_TURN):
                if not due or due[0][0] > monotonic():
                    break
                _, serial, caller = due[0]
                if caller.talking:
                    caller.send_frame(monotonic())
                    heapq.heapreplace(due, (caller.due, serial, caller))
                else:
                    heapq.heappop(due)
            # No frame of a new call is due before 20 ms, so it never has to cut this sleep short.
            ahead_s = due[0][0] - monotonic() if due else FRAME_MS / 1000
            await asyncio.sleep(max(_LEAST_SLEEP_S, ahead_s))

    async def _tell(self) -> None:
        """Send the news to the parent; runs until cancelled."""
        for turn in itertools.count(1):
            await asyncio.sleep(max(0.0, self._start + turn * TELL_EVERY_S - monotonic()))
            self._send_news()

    def _send_news(self) -> None:
        second = max(0, int(monotonic() - self._start - TELL_EVERY_S / 2))
        live = sum(caller.talking for caller in self._calls)
        self._parent.send(News(self._process, second, live, self._tally))
        self._tally = Tally()


def _fault(error: OSError | WSError, plan: Plan) -> Fault:
    """Return why a call was refused; refusals are counted by ``kind``."""
    target = plan.target
    if isinstance(error, WSInvalidStatusError) and error.response is not None:
        status = f"HTTP {int(error.response.status)}"
        return Fault(status, refused_handshake(target, status, error.raw_body), "")
    if isinstance(error, WSHandshakeError) and not isinstance(error, WSInvalidMessageError):
        return Fault("not-websocket", no_websocket(target, error), "")
    not_http = isinstance(error, WSInvalidMessageError)
    return explain(NotHttp(printable(str(error), 80)) if not_http else error, target, _CONNECT_TIMEOUT_S)
