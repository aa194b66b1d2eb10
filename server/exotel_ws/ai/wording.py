"""Bring what is heard and what is listed into one form, so that spelling keeps no two equal phrases apart."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_ALIKE: Final = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "ँ": "ं"})
"""Letters that people and recognisers use for each other: apostrophes, and the two signs of a nasal vowel in Devanagari."""
_LONG: Final = re.compile(r"(.)\1+")


def plain(text: str) -> str:
    """Return ``text`` in one case and composition, with one kind of apostrophe."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold().translate(_ALIKE))


def words(text: str) -> tuple[str, ...]:
    """Return the words of ``text`` in one case, without punctuation. Hyphens part words, apostrophes do not; marks stay (को)."""
    return tuple("".join(map(_letter, plain(text))).split())


class Phrases:
    """Short phrases, found however they are written: with hyphens or spaces, drawn out, said again or one after another."""

    def __init__(self, phrases: Iterable[str]) -> None:
        said = [words(phrase) for phrase in phrases]
        self._keys = {_key(some) for some in said if some}
        self._most = 2 * max(map(len, said), default=0)
        """Most words of a phrase as heard: one that is listed as "uhhuh" may be written "uh-huh"."""

    def make_up(self, said: tuple[str, ...]) -> bool:
        """Return True if ``said``, `words`, is nothing but these phrases: once, again, or several in any order."""
        reached = [True] + [False] * len(said)
        for end in range(1, len(said) + 1):
            reached[end] = any(
                reached[begin] and _key(said[begin:end]) in self._keys for begin in range(max(0, end - self._most), end)
            )
        return bool(said) and reached[-1]

    def are_in(self, said: tuple[str, ...]) -> bool:
        """Return True if one of these phrases is anywhere in ``said``."""
        places = range(len(said))
        return any(_key(said[begin : end + 1]) in self._keys for begin in places for end in places[begin : begin + self._most])


def _letter(letter: str) -> str:
    """Return a letter, mark or digit as it is, and what parts words as a space. Joiners and apostrophes part none."""
    category = unicodedata.category(letter)
    if category[0] in "LMN":
        return letter
    return "" if letter == "'" or category == "Cf" else " "


def _key(said: tuple[str, ...]) -> str:
    """Return words in a form that joining them and drawing out a letter does not change: "Mm-hmmm" is "mhm"."""
    return _LONG.sub(r"\1", "".join(said))
