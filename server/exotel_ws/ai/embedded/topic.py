"""Topic of a bot: its understanding, by which the better of two readings of a caller's speech can be told."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from exotel_ws.ai.embedded.expected import Expected
from exotel_ws.ai.embedded.reading import Reading
from exotel_ws.ai.remarks import Meaning

_DOUBTFUL: Final = -0.7
"""Likelihood, as a natural logarithm for each word and the end, of a reading to which there may be a better one."""
_LESS: Final[Mapping[Meaning, float]] = {"something": 0.0, "nothing": 5.0, "end": 5.0}
"""Natural logarithm of how much less likely a reading is for what it means: callers mean something, and mostly no end."""


@dataclass(frozen=True)
class Topic:
    """Phrases that are expected of callers; ``meaning`` returns what a text means to the bot, in any thread."""

    expected: Expected
    meaning: Callable[[str], Meaning]

    def doubts(self, reading: Reading) -> bool:
        """Return True if another reading of the same speech may be better."""
        unlikely = reading.likelihood < _DOUBTFUL * (len(reading.text.split()) + 1)
        return unlikely or self.meaning(reading.text) == "nothing"

    def best(self, readings: Iterable[Reading]) -> Reading:
        """Return the likeliest of some readings, at least one, of the same speech, if what they mean counts."""
        best, most = None, float("-inf")
        for reading in sorted(readings, key=lambda each: -each.likelihood):
            if reading.likelihood <= most:
                break  # what it means makes it no likelier, and to ask takes milliseconds
            worth = reading.likelihood - _LESS[self.meaning(reading.text)]
            if worth > most:
                best, most = reading, worth
        assert best is not None
        return best
