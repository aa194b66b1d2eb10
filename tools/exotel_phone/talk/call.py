"""Hold what was seen of a call to a bot. Times are seconds of a monotonic clock; `Call.at` counts them from ``start``."""

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
    """End of the call: ``code`` is the server's, if it sent any; ``unheard_s`` of the bot's audio were not played."""

    at: float
    by_bot: bool
    code: int | None
    how: str
    unheard_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A call that is over. ``begins`` is when ``start`` was sent; ``unsaid`` are turns left when the bot ended the call."""

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
        """Return ``time`` as seconds from ``start``."""
        return time - self.begins
