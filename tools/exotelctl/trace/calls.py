"""All calls of a capture, or of the workers that are being followed: records in, calls out, within bounds of memory.

What is not complete says so: "no data" must never look like "nothing happened".
"""

import dataclasses
from collections import deque
from typing import Final

from exotel_phone.captures.records import Capture, Close, End, Gap, Message, Open, Record
from exotel_phone.text import plural, printable

from exotelctl.trace.call import Call, Limits

_NOTICES: Final = 20
_AT_ONCE: Final = 100
"""Messages that are let go of at once: to find the largest call costs more than to drop one of its messages."""


@dataclasses.dataclass(slots=True)
class Source:
    """One worker's part of the capture: its first record, and how it ended; ``complete`` is None while it goes on."""

    header: Capture
    complete: bool | None = None
    why: str = ""


class Trace:
    """Record of what was seen: ``calls`` by connection, in the order in which they were first seen; ``sources`` by worker."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.calls: dict[str, Call] = {}
        self.sources: dict[str, Source] = {}
        self.notices: deque[str] = deque(maxlen=_NOTICES)
        self.missing = self.calls_dropped = self.calls_refused = 0
        self.characters = 0
        self._refused: set[str] = set()

    def take(self, record: Record) -> None:
        """Take one record, of any worker."""
        match record:
            case Capture():
                self.sources[record.instance] = Source(record)
            case Open():
                self._open(record)
            case Message():
                self._message(record)
            case Close():
                self._refused.discard(record.conn)
                if record.conn in self.calls:
                    self.calls[record.conn].close(record)
            case Gap():
                self.missing += record.messages
                for conn, count in record.conns.items():
                    if conn in self.calls:
                        self.calls[conn].miss(Gap(record.at, count, {conn: count}))
            case End():
                self._end(record)

    def remarks(self) -> list[str]:
        """Return what is missing from the whole picture; empty if nothing is."""
        said = [
            f"{f'worker {printable(name)}' if name else 'the capture'} is not complete: {printable(source.why) or 'no word why'}"
            for name, source in self.sources.items()
            if source.complete is False
        ]
        if self.missing:
            said.append(f"{plural(self.missing, 'message')} missing: the recording could not keep up")
        if self.calls_dropped:
            said.append(f"{plural(self.calls_dropped, 'ended call')} no longer kept: memory is bounded")
        if self.calls_refused:
            said.append(f"{plural(self.calls_refused, 'call')} not shown: {self.limits.calls} live ones are followed already")
        return [*said, *self.notices]

    def find(self, text: str) -> list[Call]:
        """Return the calls with ``text`` in a sid, a number or the name of the connection; all of them for ""."""
        return [call for call in self.calls.values() if call.matches(text)]

    def _open(self, opening: Open) -> Call | None:
        """Return the new call; None if as many live ones are followed as there may be."""
        conn = opening.conn
        if len(self.calls) >= self.limits.calls and not self._drop_an_ended_call():
            if conn not in self._refused and len(self._refused) < self.limits.calls:
                self._refused.add(conn)
                self.calls_refused += 1
            return None
        only = next(iter(self.sources)) if len(self.sources) == 1 else ""
        call = self.calls[conn] = Call(opening, opening.instance or only, self.limits)
        return call

    def _message(self, record: Message) -> None:
        # A capture that lost the beginning, by a gap or a cut file, knows a call from its middle.
        call = self.calls.get(record.conn) or self._open(Open(record.at, record.conn, joined=True))
        if call is None:
            return
        before = call.characters
        call.take(record)
        self.characters += call.characters - before
        while self.characters > self.limits.characters and self._let_go():
            pass

    def _end(self, record: End) -> None:
        """End a worker's stream, or, if it names none, the whole capture."""
        for name, source in self.sources.items():
            if record.instance in ("", name):
                source.complete, source.why = record.complete, record.why
        for call in self.calls.values():
            if record.instance in ("", call.worker):
                call.lose_sight(record.why)

    def _drop_an_ended_call(self) -> bool:
        oldest = next((conn for conn, call in self.calls.items() if call.state != "live"), None)
        if oldest is None:
            return False
        self.characters -= self.calls.pop(oldest).characters
        self.calls_dropped += 1
        return True

    def _let_go(self) -> bool:
        """Drop old messages of the call that holds most text; return False if that makes no room."""
        largest = max(self.calls.values(), key=lambda call: call.characters)
        before = largest.characters
        for _ in range(_AT_ONCE):
            if not largest.let_go():
                break
        self.characters -= before - largest.characters
        return largest.characters < before
