"""One call as it was seen: who, how it goes, and the steps of its ladder, within bounds of memory."""

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec
from exotel_phone.captures.calls import decode
from exotel_phone.captures.records import Close, Gap, Message, Open, Side
from exotel_phone.target import SAMPLE_RATES
from exotel_phone.text import plural, printable
from exotel_ws.encodings import Encoding, named

from exotelctl.trace import message, steps
from exotelctl.trace.message import Identity, Seen
from exotelctl.trace.steps import Moment, Run, Step

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
    """Bounds of memory: ``calls`` in all; of each the ``media_first`` and ``media_latest`` messages and ``steps`` of the ladder;
    ``characters`` of message text over all calls.
    """

    calls: int = 500
    media_first: int = 250
    media_latest: int = 1000
    steps: int = 2000
    characters: int = 64 * 2**20


AMPLE: Final = Limits(media_latest=400_000, steps=20_000, characters=256 * 2**20)
"""For a saved capture, and where a live call is to be saved with its audio: an hour of it."""


class Call:
    """One connection. Times are Unix seconds; ``opened`` is when the capture first knew of it, where it ``joined`` late."""

    def __init__(self, opening: Open, worker: str, limits: Limits) -> None:
        self.opening, self.worker = opening, worker
        self.conn, self.opened, self.joined = opening.conn, opening.at, opening.joined
        self.call_sid = self.stream_sid = self.number_from = self.number_to = ""
        self.rate = 0
        self.encoding = Encoding.PCM16
        self.closed: float | None = None
        self.lost: str | None = None
        """Reason that the capture gives for its end, if it ended before the call did."""
        self.code: int | None = None
        self.ended = self.stop_reason = ""
        self.frames: dict[Side, int] = {"exotel": 0, "server": 0}
        self.last_at, self.last_kind = opening.at, "open"
        self.missing = self.dropped = self.steps_dropped = self.texts_cut = self.characters = self.faults = 0
        self.steps: deque[Step] = deque()
        self.version = 0
        self._limits = limits
        self._numbers = itertools.count(1)
        self._media_kept = 0
        self._latest: deque[Run] = deque()
        self._before: dict[Side, float] = {}
        self._media_before: dict[Side, float] = {}
        self._due: dict[Side, float] = {"exotel": 0.0, "server": 0.0}
        self._identify(Identity(opening.call_sid, opening.stream_sid, opening.from_, opening.to, opening.rate_asked))
        text = "joined here: the call was already going on" if opening.joined else "WebSocket opened"
        self._note(opening, "open", text, fault=opening.joined)

    @property
    def bytes_per_s(self) -> int:
        """Return the bytes of a second of audio on the wire."""
        return (self.rate or SAMPLE_RATES[0]) * self.encoding.sample_bytes

    @property
    def state(self) -> str:
        """Return ``live``, ``ended``, or ``lost`` if the capture ended before the call did."""
        return "ended" if self.closed is not None else "lost" if self.lost is not None else "live"

    @property
    def how_it_ended(self) -> str:
        """Return in words how the call ended; empty while it goes on."""
        if self.closed is None:
            return "the capture ended first" if self.state == "lost" else ""
        words = _ENDINGS.get(self.ended, printable(self.ended, 30) or "closed")
        reason = f": {printable(self.stop_reason, 40)}" if self.stop_reason and self.ended == "stop" else ""
        return words + (f" ({self.code})" if self.code else "") + reason

    @property
    def ended_badly(self) -> bool:
        """Return True if the connection ended without the ``start`` or ``stop`` that has to come first."""
        return self.closed is not None and self.ended in _FAULTY_ENDINGS

    def matches(self, text: str) -> bool:
        """Return True if ``text`` is part of a sid, a number or the connection's name, in any case."""
        wanted = text.lower()
        return any(wanted in own.lower() for own in (self.call_sid, self.stream_sid, self.conn, self.number_from, self.number_to))

    def take(self, record: Message) -> None:
        """Take one message."""
        at, sender = record.at, record.from_
        document = None if record.binary else decode(record.text)
        seen = message.examine(document, record)
        if document is not None and sender == "server":
            own = message.stream_sid(document)
            if self.stream_sid and own != self.stream_sid:
                seen.faults.insert(0, f"{'another' if own else 'no'} stream_sid")
        elif document is not None and seen.kind == "start":
            self._identify(message.identity(document))
        elif document is not None and seen.kind == "stop":
            self.stop_reason = message.stop_reason(document)
        gap_s = at - self._before[sender] if sender in self._before else None
        self._before[sender] = self.last_at = at
        self.last_kind = seen.kind
        self.version += 1
        if seen.kind == "media":
            self._media(record, seen, gap_s)
        else:
            self.faults += len(seen.faults)
            self._add(self._moment(record, seen, gap_s))

    def miss(self, gap: Gap) -> None:
        """Note that the messages of ``gap``, all of this call, are missing from here on: whoever recorded read too slowly."""
        self.missing += gap.messages
        self._before.clear()
        self._media_before.clear()
        self._note(gap, "gap", f"{plural(gap.messages, 'message')} missing from here on", fault=True)

    def close(self, record: Close) -> None:
        """Note that the connection is gone."""
        self.closed = self.last_at = record.at
        self.ended, self.code = record.ended, record.code
        self.last_kind = "close"
        self.faults += self.ended_badly
        self._note(record, "close", self.how_it_ended, fault=self.ended_badly)

    def lose_sight(self, why: str) -> None:
        """Note that the capture ends here, ``why`` as it says; the call may go on."""
        if self.closed is None:
            self.lost = why
            self.version += 1

    def doubts(self) -> list[str]:
        """Return why part of this call may be missing; empty if nothing is."""
        said = []
        if self.joined:
            said.append("joined late: what was said before is not here")
        if self.missing:
            said.append(f"{plural(self.missing, 'message')} missing: the recording could not keep up")
        if self.lost is not None:
            said.append(f"the capture ended before the call did{f': {printable(self.lost)}' if self.lost else ''}")
        if self.dropped:
            said.append(f"{plural(self.dropped, 'message')} counted, but no longer kept: memory is bounded")
        if self.steps_dropped:
            said.append(f"{plural(self.steps_dropped, 'row')} of the ladder no longer kept: memory is bounded")
        if self.texts_cut:
            said.append(f"{plural(self.texts_cut, 'message')} cut: longer than is kept")
        return said

    def kept(self) -> Iterator[Moment]:
        """Yield the records that are kept, in order; a jump in their numbers is where some are not."""
        for step in self.steps:
            yield from [step] if isinstance(step, Moment) else steps.kept(step)

    def let_go(self) -> bool:
        """Drop the oldest message that can be spared: media first, then the oldest step; return False if nothing is left."""
        while self._latest:
            if self._drop_media(self._latest.popleft()):
                return True
        if len(self.steps) > 1:
            self._drop_step(0)
            return True
        return False

    def _identify(self, who: Identity) -> None:
        """Take what a start message, or the server at joining, knows."""
        self.call_sid = who.call_sid or self.call_sid
        self.stream_sid = who.stream_sid or self.stream_sid
        self.number_from = who.number_from or self.number_from
        self.number_to = who.number_to or self.number_to
        self.rate = int(who.rate) if who.rate in map(str, SAMPLE_RATES) else self.rate
        self.encoding = (named(who.encoding) if who.encoding else None) or self.encoding

    def _media(self, record: Message, seen: Seen, gap_s: float | None) -> None:
        at, sender = record.at, record.from_
        since_s = at - self._media_before[sender] if sender in self._media_before else None
        late = since_s is not None and at > self._due[sender] + LATE_S
        if sender == "server":
            # What it sent ahead is still being played: the next is due when that ends.
            self._due[sender] = max(at, self._due[sender]) + seen.audio_bytes / self.bytes_per_s
        else:
            self._due[sender] = at
            if late and since_s is not None:
                seen.faults.insert(0, f"gap {since_s * 1000:.0f} ms")
        self._media_before[sender] = at
        self.frames[sender] += 1
        self.faults += len(seen.faults)
        moment = self._moment(record, seen, gap_s)
        run = self._run(moment, sender, at, broken=late)
        run.add(since_s, moment.faults, seen.audio_bytes)
        run.kept.append(moment)
        self._media_kept += 1
        if self._media_kept <= self._limits.media_first:
            run.first += 1
            return
        self._latest.append(run)
        if len(self._latest) > self._limits.media_latest:
            self._drop_media(self._latest.popleft())

    def _run(self, moment: Moment, sender: Side, at: float, *, broken: bool) -> Run:
        """Return the run that this message belongs to, a new one if the last is ``broken``."""
        stretch = self.steps[-1] if self.steps else None
        if not isinstance(stretch, dict) or (broken and sender in stretch):
            stretch = {}
            self._add(stretch)
        if sender not in stretch:
            stretch[sender] = Run(moment.number, sender, at, moment.gap_s)
        return stretch[sender]

    def _moment(self, record: Message, seen: Seen, gap_s: float | None) -> Moment:
        text = record.text
        if len(text) > _LONGEST_TEXT and seen.kind != "media":
            text = text[:_LONGEST_TEXT]
            record = msgspec.structs.replace(record, text=text, omitted=record.omitted + len(record.text) - len(text))
            self.texts_cut += 1
        self.characters += len(text)
        return Moment(next(self._numbers), seen.kind, tuple(seen.faults), record, gap_s)

    def _note(self, record: Open | Gap | Close, kind: str, text: str, *, fault: bool) -> None:
        """Add what no message tells."""
        self._add(Moment(next(self._numbers), kind, (text,) if fault else (), record, text=text))

    def _add(self, step: Step) -> None:
        self.version += 1
        self.steps.append(step)
        if len(self.steps) > self._limits.steps:
            # The first tenth of a ladder is kept, as a call's beginning explains the rest.
            self._drop_step(self._limits.steps // 10)

    def _drop_step(self, index: int) -> None:
        step = self.steps[index]
        del self.steps[index]
        self.steps_dropped += 1
        if isinstance(step, Moment):
            self._forget(step)
            return
        for run in step.values():
            run.first = 0
            while self._drop_media(run):
                pass

    def _drop_media(self, run: Run) -> bool:
        """Drop the oldest message of a run that is none of the call's first ones; return False if there is none."""
        if len(run.kept) <= run.first:
            return False
        self._forget(run.kept[run.first])
        del run.kept[run.first]
        run.dropped += 1
        return True

    def _forget(self, moment: Moment) -> None:
        if isinstance(moment.record, Message):
            self.characters -= len(moment.record.text)
            self.dropped += 1
