"""Know the bot's own words when they come back: recognised from an echo, or from another leg of the same call."""

import re
from collections import deque
from typing import Final

from rapidfuzz import fuzz

from exotel_ws.ai.wording import words

_REMEMBERED_S: Final = 10.0
"""Seconds after its end for which a sentence is remembered: legs of one call say the same some seconds apart."""
_MOST: Final = 40
"""Sentences remembered at most."""
_LETTERS: Final = 500
"""Letters of a sentence, and of what was heard, that are compared."""
_WORDS: Final = 40
"""Words at the beginning of what was heard that may be the bot's: an echo is cut after some seconds, and each costs time."""
_LIKE: Final = 80.0
"""Least likeness, of 100, of words to the part of the bot's that they may be; recognisers mistake some letters."""
_UNLIKE: Final = 60.0
"""Likeness of words that have nothing to do with each other: a longer part is worth its letters only if they are more alike."""
_SAME: Final = 85.0
"""Least likeness of words to a whole sentence of the bot's, if they sounded as it did."""
_EQUAL: Final = 92.0
"""The same without that proof: callers answer with the words of the question ("yes, I would like to talk to an agent")."""
_NUMBERS: Final = re.compile(r"\d+")
_ENDS: Final = tuple(".!?…।")
_PARTS: Final = re.compile(r"(?<=[.!?…।])\s+")
_FEWEST: Final = 4
"""Fewest words that are the bot's without any other proof: callers say "opening hours" after the bot, too."""


class Sayings:
    """Sentences that the bot says, or has just said."""

    def __init__(self) -> None:
        self._said: deque[tuple[float, str]] = deque(maxlen=_MOST)
        """Texts, each a sentence or less, and the time until which each is remembered."""

    def say(self, text: str, until: float) -> None:
        """Take a text, or the next word of one, that is heard to its end ``until``, in seconds of any clock."""
        for part in _PARTS.split(text[:_LETTERS].strip()):
            if self._said and not self._said[-1][1].endswith(_ENDS):
                part = f"{self._said.pop()[1]} {part}"[-_LETTERS:]
            self._said.append((until + _REMEMBERED_S, part))

    def without(self, text: str, now: float, *, over: bool, sure: bool = False, few: bool = False) -> str:
        """Return ``text``, which was heard, without the bot's own words; empty if nothing is left.

        ``over``: it sounded while the bot spoke, and may be any part of what was said then. Otherwise only whole sentences are
        the bot's: a caller may ask back with some of its words. ``sure``: its levels are those of the bot's
        voice, so that few and badly understood words are it, too. ``few``: few words are it, but only if well understood.
        """
        said = [" ".join(words(part)) for until, part in self._said if until >= now]
        if not said or len(text) > _LETTERS:
            return text
        tokens = text.split()
        lines = ((count, words(" ".join(tokens[:count]))) for count in range(1, min(len(tokens), _WORDS) + 1))
        fewest, least = 1 if sure or few else _FEWEST, _UNLIKE if sure else _LIKE
        owned = [(_owned(" ".join(line), said, over, least), count) for count, line in lines if len(line) >= fewest]
        most, count = max(owned, default=(0.0, 0))
        if not most or (sure and 2 * count >= len(tokens)):
            return "" if most else text
        return " ".join(tokens[count:])


def _owned(line: str, said: list[str], over: bool, least: float) -> float:
    """Return how many letters of ``line`` are the bot's, less those that are not; 0 if it is not alike enough."""
    together = " ".join(said)
    like = max((fuzz.ratio(line, each) for each in (*said, together) if over or _same_numbers(line, each)), default=0.0)
    part = fuzz.partial_ratio(line, together) if over and len(line) <= len(together) else 0.0
    like = max(like if like >= (_SAME if over else _EQUAL) else 0.0, part if part >= least else 0.0)
    return len(line) * max(0.0, like - _UNLIKE)


def _same_numbers(line: str, said: str) -> bool:
    """Return True if two texts have the same digits: who corrects a number that was read back says most of it again."""
    return "".join(_NUMBERS.findall(line)) == "".join(_NUMBERS.findall(said))
