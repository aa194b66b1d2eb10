"""Compute the metrics' text at most once per interval, for any number of requests, and off the loop that carries calls."""

import asyncio
from collections.abc import Callable


class Scrapes:
    """Answers each request with counts no older than the request, and computes at most once each ``interval_s``.

    An earlier request waits, with all others, for the next computation. ``publish`` updates the counts and runs on the loop;
    ``compute`` reads all workers' files and runs in a thread.
    """

    def __init__(self, publish: Callable[[], None], compute: Callable[[], str], interval_s: float) -> None:
        self._publish = publish
        self._compute = compute
        self._interval_s = interval_s
        self._began = float("-inf")
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[str] | None = None
        self.computed = 0
        """Number of times the text was computed."""

    async def text(self) -> str:
        """Return the metrics of all workers in Prometheus' text format. Raises OSError where their files can't be used."""
        if self._next is None:
            self._next = asyncio.create_task(self._take_turn())
        return await asyncio.shield(self._next)

    async def _take_turn(self) -> str:
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._began + self._interval_s - loop.time())
            # Later requests must not join: this text would lack the events counted until then.
            self._next = None
            self._began = loop.time()
            self.computed += 1
            self._publish()
            return await asyncio.to_thread(self._compute)
