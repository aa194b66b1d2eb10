"""Courier of records: each call is reported to the user's system once it has ended, and again until that has taken it.

Delivery is at least once: the receiver knows a repetition by its ``Idempotency-Key``. While the system does not
answer, one record at a time is tried, the wait between two tries doubles, and the records stay on disk.
"""

import asyncio
import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from exotel_ws.admission.sampler import Sampler
from exotel_ws.ai.ended.spool import MOST_RECORD, Found, Held, Record, Spool, Taken
from exotel_ws.ai.outward.client import Destination, Outward, OutwardError
from exotel_ws.ai.outward.once import KEY
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.logs import printable

_AT_ONCE: Final = 4
_LOOK_S: Final = 5.0
"""Seconds between two looks at the spool, where another worker's records may lie."""
_FIRST_S: Final = 1.0
_MOST_S: Final = 3600.0
"""Seconds before a record is tried again: doubled from the first to the second with each failure."""
_MOST_PAUSE_S: Final = 30.0
"""Most seconds without any try while nothing gets through."""
_MOST_WAITING: Final = 500
"""Pieces of work for the disk that may wait. One that is further behind is told of no more calls."""
_CLOSE_S: Final = 5.0

log = logging.getLogger("exotel_ws.ai")


class Report:
    """Report of one call, from its start on. Neither method waits for the disk."""

    def __init__(self, courier: "Courier", record: Record) -> None:
        self._courier = courier
        self._record = record
        self._held: Held | None = None
        self._begun = courier.do(self._begin)
        """True if a file and its lock are there, or about to be: its end is never left out."""

    def end(self, more: Record) -> None:
        """Add what is known now that the call has ended, and let it be sent."""
        self._record |= more
        self._courier.do(self._end, always=self._begun)

    def _begin(self) -> None:
        with contextlib.suppress(OSError):  # tried again at the end, and told then
            self._held = self._courier.spool.begin(self._record)

    def _end(self) -> None:
        record = bounded(self._record)
        held = self._held or self._courier.spool.begin(record)
        self._courier.spool.end(held, record)
        self._courier.wake()


class Courier:
    """Sender of a worker. Several workers share a spool; each record is one's at a time. Make it within the loop."""

    def __init__(self, spool: Spool, to: Destination, outward: Outward, tally: AiTally, clock: Callable[[], float]) -> None:
        """``clock`` returns Unix seconds, and is the spool's."""
        self.spool: Final = spool
        self._to = to
        self._outward = outward
        self._tally = tally
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # A daemon: a disk that hangs for ever must not keep the worker from ending.
        self._thread = threading.Thread(target=self._run, name="ended", daemon=True)
        self._wake = asyncio.Event()
        self._failures = 0
        """Failures since something got through."""
        self._taken: set[str] = set()
        """Records that were sent and could not be removed: they are not sent again."""
        self._unreadable: set[str] = set()
        self._sampler = Sampler(10.0, 5)
        self._thread.start()
        self._sending = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Stop sending, and see what waits onto the disk; another worker sends it. Takes at most `_CLOSE_S`."""
        self._sending.cancel()
        await asyncio.wait({self._sending})
        self._work.put(None)
        await asyncio.to_thread(self._thread.join, _CLOSE_S)

    def report(self, record: Record) -> Report:
        """Begin the report of a call with what is known at its start."""
        return Report(self, record)

    def do(self, work: Callable[[], None], *, always: bool = False) -> bool:
        """Do ``work`` on the disk's thread, in order. One that fails is told.

        One too many is left out and counted, unless ``always``. Return False if it was left out.
        """
        if not always and self._work.qsize() >= _MOST_WAITING:
            self._dropped("the disk is too slow")
            return False
        self._work.put(work)
        return True

    def wake(self) -> None:
        """Look at the spool now. May be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wake.set)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except OSError as error:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._dropped, f"the spool takes nothing: {error.strerror or error}")
            except Exception:  # the next call's work must not wait for ever
                log.exception("💥 The report of a call could not be written")

    async def _send(self) -> None:
        while True:
            wait_s = _LOOK_S
            try:
                wait_s = await self._round()
            except OSError as error:
                self._say("spool", f"the spool can't be read: {error.strerror or error}")
            except Exception:  # a mistake in one round must not end all later ones
                log.exception("💥 Reports of calls could not be sent; they are tried again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _round(self) -> float:
        """Send what is due; return the seconds until the next look."""
        self._wake.clear()
        found = await asyncio.to_thread(self.spool.look)
        if self.spool.trouble:
            self._say("spool", f"the record of a killed worker's call stays open: {self.spool.trouble}")
        names = {one.name for one in found}
        self._taken &= names
        self._unreadable &= names
        gone = self.spool.surplus(found)
        for one in gone:
            await self._drop(one)
        waiting = found[len(gone) :]
        self._tally.ended_pending = len(waiting)
        due = [one for one in waiting if one.due <= self._clock() and one.name not in self._unreadable]
        while due:
            batch, due = (due[:1], []) if self._failures else (due[:_AT_ONCE], due[_AT_ONCE:])
            sent = await asyncio.gather(*map(self._one, batch))
            self._tally.ended_pending -= sum(sent)
            if self._failures:
                break
        if not self._failures:
            return _LOOK_S
        # New records must not hurry it.
        pause_s = min(_FIRST_S * 2 ** min(self._failures - 1, 10), _MOST_PAUSE_S)
        await asyncio.sleep(pause_s)
        return 0.0 if due or self._tally.ended_pending else _LOOK_S

    async def _one(self, one: Found) -> bool:
        """Send a record, unless another worker does. Return True if it is done with."""
        try:
            taken = await asyncio.to_thread(self.spool.take, one)
        except OSError as error:
            self._unreadable.add(one.name)
            self._say("spool", f"{one.name} can't be read, and is passed over: {error.strerror or error}")
            return False
        if taken is None:
            return False
        try:
            return await self._deliver(one, taken)
        finally:
            self.spool.release(taken)

    async def _deliver(self, one: Found, taken: Taken) -> bool:
        call_sid = printable(str(taken.record.get("call_sid", "")), 128)
        if one.name in self._taken:
            return await self._remove(one)
        try:
            await self._outward.send(self._to, taken.record, headers={KEY: str(taken.record.get("id", ""))})
        except OutwardError as error:
            self._failures += 1
            again_s = min(_FIRST_S * 2 ** min(one.attempts, 12), _MOST_S) * random.uniform(0.8, 1.2)
            await asyncio.to_thread(self.spool.failed, one, again_s)
            self._tally.ended_reports["failed"] += 1
            self._say("failed", f"it is sent again in {again_s:.0f} s: {error}", call_sid)
            return False
        self._failures = 0
        self._taken.add(one.name)
        await self._remove(one)
        self._tally.ended_reports["sent"] += 1
        said = {"EVENT": "ended_report", "OUTCOME": "sent", "CALL_SID": call_sid}
        log.info("📮 What became of a call was told to ai.ended_url", extra={"fields": said})
        return True

    async def _remove(self, one: Found) -> bool:
        """Remove a record that was sent. Return False if that is not possible now."""
        try:
            await asyncio.to_thread(self.spool.sent, one)
        except OSError as error:
            self._say("spool", f"{one.name} was sent and can't be removed: {error.strerror or error}")
            return False
        self._taken.discard(one.name)
        return True

    async def _drop(self, one: Found) -> None:
        try:
            taken = await asyncio.to_thread(self.spool.take, one)
            if taken is None:
                return
        except OSError:  # it can't be read, but it can be removed
            taken = None
        try:
            await asyncio.to_thread(self.spool.sent, one)
        finally:
            if taken is not None:
                self.spool.release(taken)
        self._dropped("it waited for too long, or too many do: see ai.spool")

    def _dropped(self, why: str) -> None:
        self._tally.ended_reports["dropped"] += 1
        self._say("dropped", f"it is never sent: {why}")

    def _say(self, outcome: str, why: str, call_sid: str = "") -> None:
        left_out = self._sampler.due(outcome, self._loop.time())
        if left_out is None:
            return
        said = {"EVENT": "ended_report", "OUTCOME": outcome, "REASON": printable(why)}
        said |= {"CALL_SID": call_sid} if call_sid else {}
        said |= {"LEFT_OUT": str(left_out)} if left_out else {}
        level = logging.ERROR if outcome == "dropped" else logging.WARNING
        log.log(level, "📮 What became of a call was not told to ai.ended_url; %s", printable(why), extra={"fields": said})


def bounded(record: Record) -> Record:
    """Return ``record`` in at most `MOST_RECORD` bytes: of a longer one, the oldest events of the transcript are left out."""
    events = list(record["transcript"])
    while len(msgspec.json.encode(record)) > MOST_RECORD and events:
        cut = max(1, len(events) // 4)
        del events[:cut]
        record = {**record, "transcript": events, "transcript_lost": record["transcript_lost"] + cut}
    return record
