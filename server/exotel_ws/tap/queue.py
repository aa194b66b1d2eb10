"""Serve one client of the tap: select the calls it asks for, and queue its records, bounded in bytes and in time."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from exotel_ws.admin import BadRequest
from exotel_ws.call import Call
from exotel_ws.tap.redact.redactor import Audio, Redactor

_QUEUE: Final = 4 * 1024 * 1024
"""Most bytes that wait for a subscriber: a second of fifty calls, a minute of one."""
_RESERVE: Final = 128 * 1024
"""Bytes above `_QUEUE` that are kept for records of openings and ends."""
_BATCH: Final = 256 * 1024
_FLUSH_S: Final = 0.05
_MOST_DIGITS: Final = 9
_SHARE: Final = 0.1
"""Share of the worker's time for one subscriber. Redacting takes microseconds a message, but a client may send hard ones."""
_FORM: Final = "call=SID, number=N, next=N, audio=keep|noise|omit, mask=0|1, parameters=0|1"

_encode = msgspec.json.Encoder().encode


class Asked(NamedTuple):
    """Request of a client: the calls, and the parts of their messages. A call has to match all that is named.

    ``call`` is a call_sid, stream_sid or conn_id; ``number`` the end of the caller's or the called number; ``next`` the number
    of calls that start from now on, 0 for any number and those that are live. ``parameters``: keep custom parameters.
    """

    call: str = ""
    number: str = ""
    next: int = 0
    audio: Audio = "keep"
    mask: bool = False
    parameters: bool = False

    @classmethod
    def parse(cls, query: str) -> "Asked":
        """Read ``call=…&number=…&next=…&audio=keep|noise|omit&mask=0|1&parameters=0|1``. Raises `BadRequest`."""
        values = dict(parse_qsl(query, keep_blank_values=True))
        try:
            return msgspec.convert(values, _Query).asked()
        except msgspec.ValidationError as error:
            raise BadRequest(f"{error}: {_FORM}") from None

    def record(self) -> dict[str, str | int]:
        """Return the filter for the first line of the capture."""
        number = "x" * len(self.number) if self.mask else self.number
        values: dict[str, str | int] = {"call": self.call, "number": number, "next": self.next}
        return {name: value for name, value in values.items() if value}


class _Query(msgspec.Struct, forbid_unknown_fields=True):
    call: str = ""
    number: str = ""
    next: str = "0"
    audio: Audio = "keep"
    mask: Literal["0", "1"] = "0"
    parameters: Literal["0", "1"] = "0"

    def asked(self) -> Asked:
        if not self.next.isdecimal() or len(self.next) > _MOST_DIGITS:
            raise msgspec.ValidationError(f"next is a count of at most {_MOST_DIGITS} digits")
        if self.mask == self.parameters == "1":
            raise msgspec.ValidationError("mask and parameters exclude each other: a parameter may be somebody's number")
        return Asked(self.call, self.number, int(self.next), self.audio, self.mask == "1", self.parameters == "1")


class Subscriber:
    """One client of the tap: a bounded queue of records, and the rule which calls they are of."""

    def __init__(self, asked: Asked, redactor: Callable[[], Redactor]) -> None:
        self.asked = asked
        self.redactor = redactor
        self._clock = time.time() - time.monotonic()
        self.over = asyncio.Event()
        self.why = "the server ends"
        self.live = 0
        """Connections whose opening was sent and that have not ended."""
        self.started = 0
        self.incomplete = ""
        self._ended = 0
        self._news = asyncio.Event()
        self._queue: list[bytes] = []
        self._size = 0
        self._written = 0
        self._opened = 0
        self._lost: dict[str, int] = {}
        self._lost_at = 0.0
        self._spent_s = 0.0
        self._window = 0.0

    def now(self) -> float:
        """Return Unix seconds, of a clock that never steps."""
        return round(self._clock + time.monotonic(), 6)

    def wants(self, call: Call) -> bool:
        """Return True if a call that has started is asked for."""
        asked, start = self.asked, call.start
        if asked.call and asked.call not in (call.conn_id, start.call_sid, start.stream_sid):
            return False
        if asked.number and not (start.from_.endswith(asked.number) or start.to.endswith(asked.number)):
            return False
        return not asked.next or self.started < asked.next

    def busy(self) -> bool:
        """Return True if this second's share of the worker's time is used up."""
        second = time.monotonic() // 1
        if second != self._window:
            self._window, self._spent_s = second, 0.0
        return self._spent_s > _SHARE

    def spend(self, seconds: float) -> None:
        """Count time that the worker spent for this subscriber."""
        self._spent_s += seconds

    def put(self, record: bytes, conn: str) -> None:
        """Queue the record of a message; count it as lost if it does not fit."""
        if self._lost:
            if self._size > _QUEUE // 2:
                self.lose(conn)
                return
            self._tell_gap()
        if self._size + len(record) > _QUEUE:
            self.lose(conn)
        else:
            self._written += 1
            self._append(record)

    def put_opening(self, record: bytes, conn: str) -> None:
        """Queue the first record of a connection."""
        self._opened += 1
        self.put_mark(record, conn)

    def put_mark(self, record: bytes, conn: str) -> None:
        """Queue the record of an opening or an end, which may use the reserve."""
        if self._size + len(record) > _QUEUE + _RESERVE:
            self.lose(conn)
            return
        if self._lost:
            self._tell_gap()
        self._append(record)

    def lose(self, conn: str, messages: int = 1) -> None:
        """Count messages of ``conn`` as lost."""
        if not self._lost:
            self._lost_at = self.now()
        self._lost[conn] = self._lost.get(conn, 0) + messages
        self.incomplete = self.incomplete or "messages were lost: the reader was too slow, or the worker too busy"

    def call_ended(self) -> None:
        """Count a call that has ended; finish if it was the last that is asked for."""
        self._ended += 1
        if self.asked.next and self._ended >= self.asked.next:
            self.finish("every call that was asked for has ended")

    def finish(self, why: str) -> None:
        """Take no more records; those that are queued are still sent. The first reason counts."""
        if not self.over.is_set():
            self.why = why
            self.over.set()
            self._news.set()

    async def send(self, writer: asyncio.StreamWriter) -> None:
        """Write records as they come, to the end. Raises OSError if the client is gone."""
        while not (self.over.is_set() and not self._queue):
            await self._news.wait()
            self._news.clear()
            if not self.over.is_set():
                await asyncio.sleep(_FLUSH_S)  # collect more records for one write
            while self._queue:
                writer.write(self._batch())
                await writer.drain()
                if self._lost and self._size <= _QUEUE // 2:
                    self._tell_gap()
        if self._lost:
            self._tell_gap()
        writer.write(b"".join([*self._queue, self._end()]))
        await writer.drain()

    def _batch(self) -> bytes:
        count, size = 0, 0
        while count < len(self._queue) and size < _BATCH:
            size += len(self._queue[count])
            count += 1
        batch = b"".join(self._queue[:count])
        del self._queue[:count]
        self._size -= size
        return batch

    def _end(self) -> bytes:
        if not self.incomplete and self.live:
            self.incomplete = "calls were still going on"
        why = f"{self.why}; {self.incomplete}" if self.incomplete else self.why
        end = {"at": self.now(), "complete": not self.incomplete, "why": why, "messages": self._written, "calls": self._opened}
        return line("end", end)

    def _tell_gap(self) -> None:
        lost, self._lost = self._lost, {}
        self._append(line("gap", {"at": self._lost_at, "messages": sum(lost.values()), "conns": lost}))

    def _append(self, record: bytes) -> None:
        self._queue.append(record)
        self._size += len(record)
        self._news.set()


def line(kind: str, record: Mapping[str, object]) -> bytes:
    """Return a record of the capture format as a line, newline included."""
    return _encode({"type": kind, **record}) + b"\n"
