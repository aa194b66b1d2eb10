"""Steps of a call's ladder, in the order they happened: messages, runs of media, and events of no message.

A run is what was said without a break by one side. It counts every message of its own, and keeps only those that memory
is spent on, so that an hour's call can be watched: the first ones of the call and the latest.
"""

import dataclasses
from collections import deque
from collections.abc import Iterator
from typing import Final

from exotel_phone.captures.records import Message, Side

_TENTHS: Final = 10_000
"""Gaps are counted in tenths of a millisecond: exact enough to tell 20.0 from 20.1, and few different ones."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """One message as it came. ``gap_s`` is the time since the message before of the same side, None for its first."""

    number: int
    gap_s: float | None
    kind: str
    faults: tuple[str, ...]
    record: Message

    @property
    def at(self) -> float:
        """Unix seconds."""
        return self.record.at


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Something that no message tells: the connection opened or closed, ``missing`` messages. ``fault`` where it is one."""

    number: int
    at: float
    kind: str
    text: str
    fault: bool = False
    missing: int = 0


@dataclasses.dataclass(slots=True)
class Run:
    """Media of one side without a break. ``first`` and ``latest`` are the messages kept, ``dropped`` counts those let go."""

    number: int
    sender: Side
    began: float
    gap_s: float | None
    ended: float = 0.0
    count: int = 0
    audio_bytes: int = 0
    longest_gap_s: float = 0.0
    faults: dict[str, int] = dataclasses.field(default_factory=dict)
    first: list[Moment] = dataclasses.field(default_factory=list)
    latest: deque[Moment] = dataclasses.field(default_factory=deque)
    dropped: int = 0
    _gaps: dict[int, int] = dataclasses.field(default_factory=dict)

    def add(self, at: float, gap_s: float | None, faults: tuple[str, ...], audio_bytes: int) -> None:
        """Count one message."""
        if self.count and gap_s is not None:
            tenths = round(gap_s * _TENTHS)
            self._gaps[tenths] = self._gaps.get(tenths, 0) + 1
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
        for fault in faults:
            self.faults[fault] = self.faults.get(fault, 0) + 1
        self.count += 1
        self.audio_bytes += audio_bytes
        self.ended = at

    @property
    def median_gap_s(self) -> float | None:
        """The middle one of the gaps between the messages of this run; None where there is none."""
        half = (sum(self._gaps.values()) + 1) // 2
        for tenths in sorted(self._gaps):
            half -= self._gaps[tenths]
            if half <= 0:
                return tenths / _TENTHS
        return None

    @property
    def kept(self) -> Iterator[Moment]:
        """The messages that can still be looked at, in order."""
        yield from self.first
        yield from self.latest


@dataclasses.dataclass(slots=True)
class Segment:
    """A stretch of media with nothing else in between: at most one run a side, in the order in which they began."""

    runs: list[Run] = dataclasses.field(default_factory=list)

    def of(self, sender: Side) -> Run | None:
        """The run of this side."""
        return next((run for run in self.runs if run.sender == sender), None)

    def kept(self) -> list[Moment]:
        """The messages of both sides that can still be looked at, in order."""
        return sorted((moment for run in self.runs for moment in run.kept), key=lambda moment: moment.number)


Step = Moment | Event | Segment
