"""Simulate Exotel's playback of a bot's audio: in real time as it comes, with marks, dropped by ``clear``. Pure.

Times are seconds of one monotonic clock.
"""

import dataclasses
from typing import Final

from exotel_phone.talk import sound
from exotel_phone.wire import CHUNK_LEAST, CHUNK_MOST, CHUNK_UNIT

SETTLE_S: Final = 0.8
"""Seconds of silence that end an utterance; a shorter silence inside it is a gap."""
_HOLE_S: Final = 0.005
"""Seconds; a shorter hole between two pieces is not heard."""


@dataclasses.dataclass(slots=True)
class Piece:
    """Audio that was heard without a hole from ``begins`` on."""

    begins: float
    pcm: bytearray


@dataclasses.dataclass(slots=True)
class Utterance:
    """Utterance of the bot. ``cut`` is the PCM that a clear dropped; ``text`` the words, None if not recognised."""

    rate: int
    pieces: list[Piece]
    cut: bytes = b""
    text: str | None = None

    @property
    def begins(self) -> float:
        """Return when its playback began."""
        return self.pieces[0].begins

    @property
    def ends(self) -> float:
        """Return when its playback ended."""
        last = self.pieces[-1]
        return last.begins + seconds(last.pcm, self.rate)

    @property
    def heard_from(self) -> float | None:
        """Return when its first sound was heard; None if it is silence."""
        found = sound.voiced(self.pcm, self.rate)
        return None if found is None else self.begins + found[0]

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Return the holes in it: the time and the length of each."""
        ends = [piece.begins + seconds(piece.pcm, self.rate) for piece in self.pieces]
        return [(end, piece.begins - end) for end, piece in zip(ends, self.pieces[1:], strict=False)]

    @property
    def pcm(self) -> bytes:
        """Return it as it was heard, with silence in its holes."""
        heard = bytearray()
        for piece in self.pieces:
            heard = heard.ljust(round((piece.begins - self.begins) * self.rate) * 2, b"\0") + piece.pcm
        return bytes(heard)


@dataclasses.dataclass(frozen=True, slots=True)
class Clear:
    """A ``clear``: its time, and the seconds of audio that it dropped."""

    at: float
    dropped_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """A message that breaks a rule of its size."""

    at: float
    size: int
    rule: str


class Playback:
    """Playback of a bot's audio by the platform, at ``rate`` Hz."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.utterances: list[Utterance] = []
        self.clears: list[Clear] = []
        self.sizes: list[int] = []
        """Bytes of each message."""
        self.violations: list[Violation] = []
        self.ends_at = 0.0
        """Time at which all audio received will have been played."""
        self.ahead_s = 0.0
        """Most seconds of audio that waited to be played."""
        self._begins = True
        """True: the next audio begins an utterance; ``_parted``: it does if there is a hole before it."""
        self._parted = False

    def media(self, pcm: bytes, at: float, size: int) -> None:
        """Queue audio that came at ``at``, in a message of ``size`` bytes of it, behind the audio that waits already."""
        self._judge(size, at)
        begins = max(at, self.ends_at)
        self._place(begins, pcm)
        self.ends_at = begins + seconds(pcm, self.rate)
        self.ahead_s = max(self.ahead_s, self.ends_at - at)

    def mark(self, at: float) -> float:
        """Return the time at which a mark that came at ``at`` is to be returned."""
        return max(at, self.ends_at)

    def clear(self, at: float) -> None:
        """Drop the audio that was not played yet; the next audio begins an utterance."""
        self.clears.append(Clear(at, self.end(at)))
        self._begins = True

    def end(self, at: float) -> float:
        """Stop the playback at ``at``; return the seconds of audio that were not played."""
        unheard_s = max(0.0, self.ends_at - at)
        if unheard_s:
            last = self.utterances[-1]
            piece = last.pieces[-1]  # no other can reach that far
            keep = max(0, round((at - piece.begins) * self.rate)) * 2
            last.cut = bytes(piece.pcm[keep:])
            del piece.pcm[keep:]
            self.ends_at = at
        return unheard_s

    def part(self) -> None:
        """Note that the caller has finished: the next audio is an answer of its own, after a silence of any length."""
        self._parted = True

    def sounding(self, at: float) -> bool:
        """Return True if audio is being played."""
        return at < self.ends_at

    def _place(self, begins: float, pcm: bytes) -> None:
        hole_s = begins - self.ends_at
        if self._begins or hole_s >= SETTLE_S or (self._parted and hole_s > 0):
            self.utterances.append(Utterance(self.rate, [Piece(begins, bytearray(pcm))]))
            self._begins = self._parted = False
        elif hole_s > _HOLE_S:
            self.utterances[-1].pieces.append(Piece(begins, bytearray(pcm)))
        else:
            self.utterances[-1].pieces[-1].pcm += pcm

    def _judge(self, size: int, at: float) -> None:
        self.sizes.append(size)
        rules = (
            (size % CHUNK_UNIT == 0, f"not a multiple of {CHUNK_UNIT}"),
            (size >= CHUNK_LEAST, f"less than {CHUNK_LEAST}"),
            (size <= CHUNK_MOST, f"more than {CHUNK_MOST}"),
        )
        self.violations += [Violation(at, size, rule) for kept, rule in rules if not kept]


def seconds(pcm: bytes | bytearray, rate: int) -> float:
    """Return the length of ``pcm`` in seconds."""
    return len(pcm) / 2 / rate
