"""What was seen of a call to a bot. Times in seconds of one monotonic clock, turned into seconds from ``start`` by `Call.at`."""

import dataclasses

from exotel_phone.talk.playback import Clear, Utterance, Violation
from exotel_phone.talk.script import Turn
from exotel_phone.wire import Ids


@dataclasses.dataclass(slots=True)
class Said:
    """A turn of the caller's: ``pcm`` from its first sound to its last, or the keys that were pressed (no PCM).

    ``over_bot``: the bot's audio was being played when it began.
    """

    turn: Turn
    pcm: bytes
    begins: float = 0.0
    ends: float = 0.0
    over_bot: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How the call ended: ``code`` is the server's, if it sent any; ``unheard_s`` of the bot's audio were not played any more."""

    at: float
    by_bot: bool
    code: int | None
    how: str
    unheard_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A call that is over. ``begins`` is when ``start`` was sent; ``unsaid`` are turns that the bot did not stay for."""

    ids: Ids
    rate: int
    begins: float
    connect_ms: float
    said: list[Said]
    unsaid: list[Turn]
    spoken: list[Utterance]
    clears: list[Clear]
    sizes: list[int]
    violations: list[Violation]
    marks: int
    ahead_s: float
    faults: tuple[str, ...]
    fault_count: int
    late_max_ms: float
    end: End

    def at(self, time: float) -> float:
        """Seconds from ``start``."""
        return time - self.begins
