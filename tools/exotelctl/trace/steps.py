"""Steps of a call's ladder, in the order they happened: single records, and stretches of media.

A run is what was said without a break by one side. It counts every message of its own, and keeps only those that memory
is spent on, so that an hour's call can be watched: the first ones of the call and the latest.
"""

import dataclasses
from collections import Counter, deque
from typing import Final, TypeAlias

from exotel_phone.captures.records import Close, Gap, Message, Open, Side

_TENTHS: Final = 10_000
"""Gaps are counted in tenths of a millisecond: exact enough to tell 20.0 from 20.1, and few different ones."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """One record of the call as it came.

    ``gap_s`` is the time since the message before of the same side, None for its first; ``text`` says what no message tells:
    that the connection opened or closed, or that messages are missing.
    """

    number: int
    kind: str
    faults: tuple[str, ...]
    record: Open | Message | Gap | Close
    gap_s: float | None = None
    text: str = ""


@dataclasses.dataclass(slots=True)
class Run:
    """Media of one side without a break.

    ``kept`` are the messages that can still be looked at, the ``first`` of them among the call's first ones; ``dropped``
    counts the others.
    """

    number: int
    sender: Side
    began: float
    gap_s: float | None
    count: int = 0
    audio_bytes: int = 0
    longest_gap_s: float = 0.0
    faults: Counter[str] = dataclasses.field(default_factory=Counter)
    kept: deque[Moment] = dataclasses.field(default_factory=deque)
    first: int = 0
    dropped: int = 0
    _gaps: Counter[int] = dataclasses.field(default_factory=Counter)

    def add(self, gap_s: float | None, faults: tuple[str, ...], audio_bytes: int) -> None:
        """Count one message, ``gap_s`` seconds after the media before."""
        if self.count and gap_s is not None:
            self._gaps[round(gap_s * _TENTHS)] += 1
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
        self.faults.update(faults)
        self.count += 1
        self.audio_bytes += audio_bytes

    @property
    def median_gap_s(self) -> float | None:
        """Return the middle one of the gaps between the messages of this run; None if there is none."""
        half = (self._gaps.total() + 1) // 2
        for tenths in sorted(self._gaps):
            half -= self._gaps[tenths]
            if half <= 0:
                return tenths / _TENTHS
        return None


Stretch: TypeAlias = dict[Side, Run]
"""Media with nothing else in between: a run of each side that spoke, in the order in which they began."""
Step: TypeAlias = Moment | Stretch


def kept(stretch: Stretch) -> list[Moment]:
    """Return the messages of both sides that can still be looked at, in order."""
    return sorted((moment for run in stretch.values() for moment in run.kept), key=lambda moment: moment.number)
