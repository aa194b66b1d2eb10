"""What a bot understands, by which the better of two readings of a caller's speech can be told."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from exotel_ws.ai.embedded.expected import Expected
from exotel_ws.ai.embedded.reading import Reading
from exotel_ws.ai.remarks import Meaning

_LESS: Final[Mapping[Meaning, float]] = {"something": 5.0, "end": 0.0}
"""Natural logarithm of how much less likely than the likeliest a reading may be, by what it means."""


@dataclass(frozen=True)
class Topic:
    """Phrases that are expected of callers; ``meaning`` returns what a text means to the bot, in any thread."""

    expected: Expected
    meaning: Callable[[str], Meaning]

    def likeliest(self, meaningless: Reading, others: Iterable[Reading]) -> Reading:
        """Return the likeliest of ``others`` that means something and is likely enough beside ``meaningless``; else that."""
        fit = [each for each in others if each.likelihood >= meaningless.likelihood - self._less(each.text)]
        return max(fit, key=lambda each: each.likelihood, default=meaningless)

    def _less(self, text: str) -> float:
        return _LESS.get(self.meaning(text), float("-inf"))
