"""Phrases that callers are expected to say make the recogniser's tokens likelier: those of their words, in their order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from exotel_ws.ai.embedded.tokens import BEGIN, Tokens

_NEXT: Final = 1.5
_WORD: Final = 0.5
"""Natural logarithm of how much likelier a token is that follows in a phrase; and one that begins a word of any phrase."""

Floats = np.ndarray[Any, np.dtype[np.float32]]


class Expected:
    """Tokens of phrases. Recognitions can share one."""

    def __init__(self, phrases: Iterable[str], tokens: Tokens) -> None:
        """``phrases`` are words without marks at their end, as in a sentence or with a capital at the beginning."""
        follows: defaultdict[int, set[int]] = defaultdict(set)
        begins: set[int] = set()
        for phrase in phrases:
            within, first = tokens.of(phrase), tokens.of(phrase[:1].upper() + phrase[1:])
            for before, token in (*pairwise(within), *pairwise([BEGIN, *first])):
                follows[before].add(token)
            begins.update(some[0] for word in phrase.split() if (some := tokens.of(word)))
        self._follows = {before: np.fromiter(some, np.intp) for before, some in follows.items()}
        self._anywhere = np.zeros(len(tokens), np.float32)
        self._anywhere[list(begins)] = _WORD

    def favour(self, likely: Floats, last: Sequence[int]) -> Floats:
        """Return ``likely``, natural logarithms for each token in a row for each of the tokens ``last``, with this added."""
        favoured = likely + self._anywhere
        for row, token in enumerate(last):
            if token in self._follows:
                follows = self._follows[token]
                favoured[row, follows] = likely[row, follows] + np.float32(_NEXT)
        return favoured
