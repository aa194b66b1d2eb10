"""How close what was heard comes to what was expected: words are recognised nearly right, and people say more than asked."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import JaroWinkler, Levenshtein

LEAST: Final = 0.58
"""Of 1: what comes less close than this is not understood. See docs/flows.md for what it was chosen by."""
LEAST_FINAL: Final = 0.70
"""The same where the call would end by it."""

_ALIKE: Final = 0.72
"""Of two words that are taken for one another."""
_EXAMPLE_FIRST: Final = 1.7
"""How many times more it counts that all of an example was heard, than that nothing else was."""
_WEAK: Final = 0.3
"""What a word counts that says little, where any other counts 1."""

_SAYING_NOTHING: Final = """
um uh er erm hmm hm mm mhm ah oh eh well so please hello hi hey okay ok kindly just actually
"""
_FILLERS: Final = frozenset(_SAYING_NOTHING.split())
"""Left out, unless they are all that is said."""
_SAYING_LITTLE: Final = """
a an the i me my we our us you your he she it its this that these those there is are was were be been am do does did
have has had will would shall should can could may might must to of in on at for from with about and or but if then than as
by into up out want like need know tell let get give go now
"""
_WEAK_WORDS: Final = frozenset(_SAYING_LITTLE.split())
_SHORT_FORMS: Final = (
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(what|where|when|who|how|that|it|there|here|he|she)'s\b"), r"\1 is"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"'m\b"), " am"),
)


def words(text: str) -> tuple[str, ...]:
    """The words of ``text`` without case, punctuation, English short forms and fillers. A letter keeps its marks (को, é)."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    for short, full in _SHORT_FORMS:
        text = short.sub(full, text)
    text = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in text.replace("'", ""))
    said = text.split()
    return tuple(word for word in said if word not in _FILLERS) or tuple(said)


class Examples:
    """What each intent sounds like."""

    def __init__(self, examples: Mapping[str, Iterable[str]], final: Iterable[str] = ()) -> None:
        """``final`` are intents that end the call: they have to be meant more clearly."""
        self._examples = [(words(example), name) for name, some in examples.items() for example in some]
        self._known: dict[str, tuple[str, ...]] = {}
        for example, name in self._examples:
            self._known[name] = tuple(dict.fromkeys((*self._known.get(name, ()), *example)))
        self._least = dict.fromkeys(final, LEAST_FINAL)
        self._closest = lru_cache(maxsize=1024)(self._find)

    def closest(self, heard: str) -> str | None:
        """The intent that ``heard`` comes closest to; None where it comes close to none."""
        return self._closest(words(heard))

    def _find(self, heard: tuple[str, ...]) -> str | None:
        scored = ((likeness(heard, example, self._known[name]), name) for example, name in self._examples)
        score, name = max(scored, key=lambda found: found[0], default=(0.0, ""))
        return name if score >= self._least.get(name, LEAST) else None


def likeness(heard: tuple[str, ...], example: tuple[str, ...], known: tuple[str, ...]) -> float:
    """From 0 to 1. ``known`` are the words of all examples of the intent.

    Either word by word: how much of the example was heard, and how much of what was heard is in the example, or at least known;
    in any order. Or as a whole: words may have been split or joined.
    """
    if not heard or not example:
        return 0.0
    whole = Levenshtein.normalized_similarity("".join(heard), "".join(example))
    found = _share(example, heard)
    wanted = (_share(heard, example) + _share(heard, known)) / 2
    weight = _EXAMPLE_FIRST**2
    by_word = (1 + weight) * found * wanted / (weight * wanted + found) if found and wanted else 0.0
    return max(whole, by_word)


def _share(some: tuple[str, ...], others: tuple[str, ...]) -> float:
    """How much of ``some`` is among ``others``."""
    weights = [_WEAK if word in _WEAK_WORDS else 1.0 for word in some]
    found = sum(weight * max(_alike(word, other) for other in others) for word, weight in zip(some, weights, strict=True))
    return found / sum(weights)


@lru_cache(maxsize=65536)
def _alike(word: str, other: str) -> float:
    if word == other:
        return 1.0
    likeness = Levenshtein.normalized_similarity(word, other)
    if min(len(word), len(other)) > 3:
        likeness = max(likeness, JaroWinkler.similarity(word, other) - 0.1)
    return likeness if likeness >= _ALIKE else 0.0
