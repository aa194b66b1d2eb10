"""One call as it was seen: who, how it goes, and the steps of its ladder, within bounds of memory."""

import dataclasses
from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec
from exotel_phone.captures.records import Message, Open, Side
from exotel_phone.target import SAMPLE_RATES
from exotel_phone.text import plural, printable

from exotelctl.trace import message
from exotelctl.trace.message import Identity, Seen
from exotelctl.trace.steps import Event, Moment, Run, Segment, Step

LATE_S: Final = 0.060
"""Exotel sends a frame each 20 ms: one that comes this long after the one before is late by two, and the caller heard it."""
_LONGEST_TEXT: Final = 65_536
_ENDINGS: Final = {
    "stop": "stop by Exotel",
    "no_stop": "dropped without stop",
    "no_start": "ended before start",
    "closed_by_client": "closed by Exotel's side",
    "closed_by_server": "closed by the server",
    "no_media": "closed by the server, no media came",
}
_FAULTY_ENDINGS: Final = frozenset({"no_stop", "no_start", "no_media"})


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what is kept: ``calls`` in all; of each the ``media_first`` and ``media_latest`` messages and ``steps`` of the
    ladder; ``characters`` of message text over all calls."""

    calls: int = 500
    media_first: int = 250
    media_latest: int = 1000
    steps: int = 2000
    characters: int = 64 * 2**20


AMPLE: Final = Limits(media_latest=400_000, steps=20_000, characters=256 * 2**20)
"""For a saved capture, and where a live call is to be saved with its audio: an hour of it."""


class Call:
    """One connection. Times are Unix seconds; ``opened`` is when the capture first knew of it, where it ``joined`` late."""

    def __init__(self, conn: str, worker: str, opened: float, limits: Limits, *, joined: bool = False) -> None:
        self.conn, self.worker, self.opened, self.joined = conn, worker, opened, joined
        self.call_sid = self.stream_sid = self.number_from = self.number_to = self.remote = ""
        self.rate = 0
        self.opening: Open | None = None
        self.closed: float | None = None
        self.out_of_sight = False
        self.code: int | None = None
        self.ended = self.stop_reason = self.lost_why = ""
        self.frames: dict[Side, int] = {"exotel": 0, "server": 0}
        self.last_at, self.last_kind = opened, "open"
        self.missing = self.dropped = self.steps_dropped = self.characters = self.faults = 0
        self.texts_cut = 0
        self.steps: deque[Step] = deque()
        self.version = 0
        self._limits = limits
        self._numbers = 0
        self._media_kept = 0
        self._latest: deque[Run] = deque()
        self._before: dict[Side, float] = {}
        self._media_before: dict[Side, float] = {}
        self._spoken_until = 0.0
        text = "joined here: the call was already going on" if joined else "WebSocket opened"
        self._add(Event(self._number(), opened, "open", text, joined))

    @property
    def state(self) -> str:
        """``live``, ``ended``, or ``lost`` where the capture ended before the call did."""
        return "ended" if self.closed is not None else "lost" if self.out_of_sight else "live"

    @property
    def how_it_ended(self) -> str:
        """Return in words how the call ended; empty while it goes on."""
        if self.closed is None:
            return "the capture ended first" if self.out_of_sight else ""
        words = _ENDINGS.get(self.ended, printable(self.ended, 30) or "closed")
        reason = f": {printable(self.stop_reason, 40)}" if self.stop_reason and self.ended == "stop" else ""
        return words + (f" ({self.code})" if self.code else "") + reason

    @property
    def ended_badly(self) -> bool:
        """Return True if the connection ended without the ``start`` or ``stop`` that has to come first."""
        return self.closed is not None and self.ended in _FAULTY_ENDINGS

    def identify(self, who: Identity) -> None:
        """Take what a start message, or the server at joining, knows."""
        self.call_sid = who.call_sid or self.call_sid
        self.stream_sid = who.stream_sid or self.stream_sid
        self.number_from = who.number_from or self.number_from
        self.number_to = who.number_to or self.number_to
        self.rate = int(who.rate) if who.rate in map(str, SAMPLE_RATES) else self.rate

    def matches(self, text: str) -> bool:
        """``text`` is part of a sid, a number or the connection's name, in any case."""
        wanted = text.lower()
        return any(wanted in own.lower() for own in (self.call_sid, self.stream_sid, self.conn, self.number_from, self.number_to))

    def take(self, record: Message) -> None:
        """One message."""
        at, sender = record.at, record.from_
        document = None if record.binary else message.decode(record.text)
        seen = message.examine(document, record)
        if document is not None:
            seen = self._learn(document, seen) if sender == "exotel" else self._judge(document, seen)
        before = self._before.get(sender)
        gap_s = None if before is None else at - before
        self._before[sender] = self.last_at = at
        self.last_kind = seen.kind
        self.version += 1
        if seen.kind == "media":
            self._media(record, seen, gap_s)
        else:
            self.faults += len(seen.faults)
            self._add(self._moment(record, seen, gap_s))

    def miss(self, at: float, count: int) -> None:
        """``count`` messages of this call are missing from here on: whoever recorded read too slowly."""
        self.missing += count
        self._before.clear()
        self._media_before.clear()
        self._add(Event(self._number(), at, "gap", f"{plural(count, 'message')} missing from here on", True, count))

    def close(self, at: float, ended: str, code: int | None) -> None:
        """The connection is gone."""
        self.closed = self.last_at = at
        self.ended, self.code = ended, code
        self.last_kind = "close"
        self.faults += self.ended_badly
        self._add(Event(self._number(), at, "close", self.how_it_ended, self.ended_badly))

    def lose_sight(self, why: str) -> None:
        """The capture ends here, ``why`` as it says; the call may go on."""
        if self.closed is None:
            self.out_of_sight, self.lost_why = True, why
            self.version += 1

    def doubts(self) -> list[str]:
        """Return why part of this call may be missing; empty if nothing is."""
        said = []
        if self.joined:
            said.append("joined late: what was said before is not here")
        if self.missing:
            said.append(f"{plural(self.missing, 'message')} missing: the recording could not keep up")
        if self.out_of_sight:
            said.append(f"the capture ended before the call did{f': {printable(self.lost_why)}' if self.lost_why else ''}")
        if self.dropped:
            said.append(f"{plural(self.dropped, 'message')} counted, but no longer kept: memory is bounded")
        if self.steps_dropped:
            said.append(f"{plural(self.steps_dropped, 'row')} of the ladder no longer kept: memory is bounded")
        if self.texts_cut:
            said.append(f"{plural(self.texts_cut, 'message')} cut: longer than is kept")
        return said

    def kept(self) -> Iterator[Moment | Event]:
        """The messages and events that are kept, in order; a jump in their numbers is where some are not."""
        for step in self.steps:
            if isinstance(step, Segment):
                yield from step.kept()
            else:
                yield step

    def let_go(self) -> bool:
        """Drop the oldest message that can be spared: media first, then the oldest step; False where nothing is left."""
        while self._latest:
            run = self._latest.popleft()
            if run.latest:
                self._drop_latest(run)
                return True
        if len(self.steps) > 1:
            self._drop_step(0)
            return True
        return False

    def _learn(self, document: message.Document, seen: Seen) -> Seen:
        if seen.kind == "start":
            self.identify(message.identity(document))
        elif seen.kind == "stop":
            self.stop_reason = message.stop_reason(document)
        return seen

    def _judge(self, document: message.Document, seen: Seen) -> Seen:
        """Mark a message of the server that is for another stream."""
        own = message.stream_sid(document)
        if not self.stream_sid or own == self.stream_sid:
            return seen
        return dataclasses.replace(seen, faults=(f"{'another' if own else 'no'} stream_sid", *seen.faults))

    def _media(self, record: Message, seen: Seen, gap_s: float | None) -> None:
        at, sender = record.at, record.from_
        before = self._media_before.get(sender)
        since_s = None if before is None else at - before
        late = False
        if sender == "exotel":
            late = since_s is not None and since_s > LATE_S
            if late and since_s is not None:
                seen = dataclasses.replace(seen, faults=(f"gap {since_s * 1000:.0f} ms", *seen.faults))
        else:
            late = since_s is not None and at > self._spoken_until + LATE_S
            self._spoken_until = max(at, self._spoken_until) + seen.audio_bytes / 2 / (self.rate or SAMPLE_RATES[0])
        self._media_before[sender] = at
        self.frames[sender] += 1
        self.faults += len(seen.faults)
        run = self._run(record, gap_s, broken=late)
        run.add(at, since_s, seen.faults, seen.audio_bytes)
        self._keep(run, self._moment(record, seen, gap_s))

    def _run(self, record: Message, gap_s: float | None, *, broken: bool) -> Run:
        """The run that this message belongs to: a ``broken`` one is not gone on with."""
        segment = self.steps[-1] if self.steps else None
        if not isinstance(segment, Segment) or (broken and segment.of(record.from_)):
            segment = Segment()
            self._add(segment)
        run = segment.of(record.from_)
        if run is None:
            run = Run(self._numbers + 1, record.from_, record.at, gap_s)
            segment.runs.append(run)
        return run

    def _keep(self, run: Run, moment: Moment) -> None:
        self._media_kept += 1
        if self._media_kept <= self._limits.media_first:
            run.first.append(moment)
            return
        run.latest.append(moment)
        self._latest.append(run)
        if len(self._latest) > self._limits.media_latest:
            oldest = self._latest.popleft()
            if oldest.latest:
                self._drop_latest(oldest)

    def _drop_latest(self, run: Run) -> None:
        self.characters -= len(run.latest.popleft().record.text)
        run.dropped += 1
        self.dropped += 1

    def _moment(self, record: Message, seen: Seen, gap_s: float | None) -> Moment:
        text = record.text
        if len(text) > _LONGEST_TEXT and seen.kind != "media":
            text = text[:_LONGEST_TEXT]
            record = msgspec.structs.replace(record, text=text, omitted=record.omitted + len(record.text) - len(text))
            self.texts_cut += 1
        self.characters += len(text)
        return Moment(self._number(), gap_s, seen.kind, seen.faults, record)

    def _add(self, step: Step) -> None:
        self.version += 1
        self.steps.append(step)
        if len(self.steps) > self._limits.steps:
            self._drop_step(self._limits.steps // 10)

    def _drop_step(self, index: int) -> None:
        """Let go of a step; the first tenth of a ladder is kept, as a call's beginning explains the rest."""
        step = self.steps[index]
        del self.steps[index]
        self.steps_dropped += 1
        if isinstance(step, Moment):
            self.characters -= len(step.record.text)
            self.dropped += 1
        elif isinstance(step, Segment):
            for run in step.runs:
                self.characters -= sum(len(moment.record.text) for moment in run.kept)
                self.dropped += len(run.first) + len(run.latest)
                run.first.clear()
                run.latest.clear()

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
