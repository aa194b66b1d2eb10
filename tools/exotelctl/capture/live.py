"""The messages of live calls, from every worker of this host, merged by time.

async with aclosing(follow(Filter(call="a950c8da…"))) as records:
    async for record in records:
        ...
"""

import asyncio
import contextlib
import dataclasses
import heapq
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec
from exotel_phone.captures import records
from exotel_phone.captures.records import Audio, CaptureFault, End, Record
from exotel_phone.exits import Refusal
from exotel_phone.output import warn
from exotel_phone.text import printable

from exotelctl import admin

_CONNECT_S: Final = 3.0
_LOOK_S: Final = 1.0
"""A worker that was started meanwhile is found after this at the latest."""
_SETTLE_S: Final = 0.2
"""Records are held back this long to be put in order: a worker sends what it has every 50 ms."""
_MOST_WAITING: Final = 20_000
"""Records read and not taken yet. Beyond it nothing is read; then the workers drop, count, and say so."""


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """Choice of calls, and of how much of them leaves the worker. Nothing named: all calls.

    ``call`` is a call's, stream's or connection's id; ``number`` the caller's or the called one, whole or its end; ``next`` the
    number of calls to come, 0 for no bound. Secrets never leave the worker; with ``mask`` numbers and keys pressed don't either.
    ``parameters``: custom parameters leave it too.
    """

    call: str = ""
    number: str = ""
    next: int = 0
    audio: Audio = "keep"
    mask: bool = False
    parameters: bool = False

    def query(self) -> str:
        """Return the filter as the query of ``GET /tap``."""
        asked = dataclasses.asdict(self).items()
        return urlencode({name: int(value) if value is True else value for name, value in asked if value})


async def follow(
    asked: Filter, *, runtime: Path = admin.RUNTIME, notice: Callable[[str], None] = warn
) -> AsyncGenerator[Record, None]:
    """Yield the records of all workers, draining ones and ones that start meanwhile too, until the caller leaves.

    A worker's stream begins with a `Capture` and ends with an `End`, also where the worker is killed (``complete`` False then);
    nothing of one worker says anything about another. ``notice`` is told of workers that can't be tapped. Raises Refusal where
    there is none, or without the right to ask.
    """
    if not any(map(admin.is_alive, admin.sockets(runtime).values())):
        raise Refusal(f"no worker of the server runs here (none answers in {runtime}): type it on a host of the server")
    taps = _Taps(asked, runtime, notice)
    looking = asyncio.create_task(taps.look())
    held: list[tuple[float, int, float, Record]] = []
    count = 0
    try:
        while not looking.done():
            wait_s = max(0.0, held[0][2] + _SETTLE_S - time.monotonic()) if held else _LOOK_S
            for record in await taps.come(wait_s):
                count += 1
                heapq.heappush(held, (record.at, count, time.monotonic(), record))
            ripe = time.monotonic() - _SETTLE_S
            while held and (held[0][2] <= ripe or len(held) > _MOST_WAITING):
                yield heapq.heappop(held)[3]
        looking.result()
    finally:
        await taps.close(looking)


class _Taps:
    """A tap on each worker, all of which fill one queue."""

    def __init__(self, asked: Filter, runtime: Path, notice: Callable[[str], None]) -> None:
        self._asked, self._runtime, self._notice = asked, runtime, notice
        self._waiting: asyncio.Queue[Record] = asyncio.Queue(_MOST_WAITING)
        self._taps: dict[str, tuple[int, asyncio.Task[None]]] = {}

    async def close(self, looking: "asyncio.Task[None]") -> None:
        """End all taps, and the search for more."""
        tasks = [looking, *(task for _, task in self._taps.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def come(self, wait_s: float) -> list[Record]:
        """Return what has come from any worker within ``wait_s``."""
        come = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                come.append(await self._waiting.get())
        while not self._waiting.empty() and len(come) < _MOST_WAITING:
            come.append(self._waiting.get_nowait())
        return come

    async def look(self) -> None:
        """Tap each worker, and those that are started meanwhile."""
        while True:
            for name, path in admin.sockets(self._runtime).items():
                with contextlib.suppress(FileNotFoundError):
                    made = path.stat().st_ctime_ns  # a worker that was started again has the name, and another socket
                    known = self._taps.get(name)
                    if known is None or (known[0] != made and known[1].done()):
                        self._taps[name] = made, asyncio.create_task(self._tap(name, path))
            await asyncio.sleep(_LOOK_S)

    async def _tap(self, name: str, path: Path) -> None:
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(str(path), limit=records.MAX_LINE)
                writer.write(f"GET /tap?{self._asked.query()} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (ConnectionRefusedError, FileNotFoundError):
            del self._taps[name]  # of a worker that is gone, or does not listen yet: the next look tries again
            return
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self._notice(f"worker {name} can't be tapped: {printable(str(error)) or type(error).__name__}")
            return
        try:
            if head.split()[1:2] != ["200"]:
                self._notice(f"worker {name} can't be tapped: {await _refusal(head, reader)}")
                return
            await self._read(name, reader)
        finally:
            writer.close()

    async def _read(self, name: str, reader: asyncio.StreamReader) -> None:
        messages = calls = 0
        try:
            while True:
                record = records.parse(await reader.readuntil(b"\n"))
                if isinstance(record, End):
                    record = msgspec.structs.replace(record, instance=name)
                await self._waiting.put(record)
                if isinstance(record, End):
                    return
                messages += isinstance(record, records.Message)
                calls += isinstance(record, records.Open)
        except (OSError, asyncio.IncompleteReadError):
            why = f"worker {name} went away without a word"
        except (CaptureFault, asyncio.LimitOverrunError) as error:
            why = f"worker {name}: {error}"
        await self._waiting.put(End(time.time(), False, why, messages, calls, name))


async def _refusal(head: str, reader: asyncio.StreamReader) -> str:
    status = printable(head.partition("\r\n")[0].partition(" ")[2], 60)
    try:
        async with asyncio.timeout(_CONNECT_S):
            body = await reader.read(500)
    except (OSError, TimeoutError):
        body = b""
    old = "; its release is older than this exotelctl" if status.startswith("404") else ""
    return f"{status} {printable(body.decode(errors='replace').strip())}{old}"
