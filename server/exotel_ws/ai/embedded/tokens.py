"""Tokens of a model's text: pieces of words, each of which begins with a mark where a word does."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

BEGIN: Final = 1
END: Final = 2
"""Tokens around a text."""
_LONG: Final = 128
"""Least length of a token that is written as two bytes, of seven bits and of eight."""
_SPACE: Final = "▁"


class Tokens:
    """Text as tokens, and tokens as text."""

    def __init__(self, packed: bytes) -> None:
        """``packed`` has each token after its length."""
        self._pieces = list(_unpacked(packed))
        self._numbers = {piece: number for number, piece in enumerate(self._pieces) if number > END}

    def __len__(self) -> int:
        return len(self._pieces)

    def text(self, tokens: Iterable[int]) -> str:
        text = b"".join(self._pieces[token] for token in tokens).decode("utf-8", "ignore")
        return text.replace(_SPACE, " ").strip()

    def of(self, text: str) -> list[int]:
        """Return the tokens of ``text``, joined as the model's were: the pair that makes the commonest token first.

        Letters that the model does not know are left out.
        """
        parts = [letter.encode() for letter in _SPACE + text.replace(" ", _SPACE)]
        while pairs := [(self._numbers[a + b], at) for at, (a, b) in enumerate(pairwise(parts)) if a + b in self._numbers]:
            _, at = min(pairs)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [self._numbers[part] for part in parts if part in self._numbers]


def _unpacked(packed: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(packed):
        length, at = packed[at], at + 1
        if length >= _LONG:
            length, at = length - _LONG + packed[at] * _LONG, at + 1
        yield packed[at : at + length]
        at += length
