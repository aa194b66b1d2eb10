"""How close what was heard comes to what was expected: words are recognised nearly right, and people say more than asked."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
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

_SOUNDS_THE_SAME: Final = 0.95
"""How alike two words are that are spoken alike."""
_SEVERAL: Final = 0.9
_ONE: Final = 0.6
"""What it is worth that all which says something is known, where that is several words, and one."""

_SAYING_NOTHING: Final = """
um uh er erm hmm hm mm mhm ah oh eh well so please hello hi hey okay ok kindly just actually
"""
_FILLERS: Final = frozenset(_SAYING_NOTHING.split())
"""Left out, unless they are all that is said."""
_SAYING_LITTLE: Final = """
a an the i me my we our us you your he she it its this that these those there is are was were be been am do does did
have has had will would shall should can could may might must to of in on at for from with about and or but if then than as
by into up out want like need know tell let get give go now what when where who how which why
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


MOST_WORDS: Final = 40
"""Most words of a turn that are compared, each with each word of each example. A question has about ten."""


def words(text: str) -> tuple[str, ...]:
    """The words of ``text`` without case, punctuation, English short forms and fillers. A letter keeps its marks (को, é)."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    for short, full in _SHORT_FORMS:
        text = short.sub(full, text)
    text = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in text.replace("'", ""))
    said = text.split()
    return tuple(word for word in said if word not in _FILLERS) or tuple(said)


class Examples:
    """What each intent sounds like. Safe to be shared by calls."""

    def __init__(
        self, examples: Mapping[str, Iterable[str]], final: Iterable[str] = (), sounds: Callable[[str], str] | None = None
    ) -> None:
        """``final`` are intents that end the call: they have to be meant more clearly.

        ``sounds`` writes words as they are spoken, one letter a sound. With it "by" is "bye", and "Dubai" nearly "goodbye".
        """
        self._sounds = lru_cache(maxsize=4096)(sounds or (lambda _text: ""))
        self._alike = lru_cache(maxsize=65536)(self._compare)
        self._examples = [(words(example), name) for name, some in examples.items() for example in some]
        self._known: dict[str, tuple[str, ...]] = {}
        for example, name in self._examples:
            self._known[name] = tuple(dict.fromkeys((*self._known.get(name, ()), *example)))
            for said in (*example, " ".join(example)):
                self._sounds(said)  # now, and not while a caller waits
        self._least = dict.fromkeys(final, LEAST_FINAL)
        self._closest = lru_cache(maxsize=8192)(self._find)

    def closest(self, heard: str) -> str | None:
        """The intent that ``heard`` comes closest to; None where it comes close to none."""
        return self._closest(words(heard)[:MOST_WORDS])

    def _find(self, heard: tuple[str, ...]) -> str | None:
        if not heard:
            return None
        scored = [
            (max(self._as_a_whole(heard, example), self._by_word(heard, example, name)), name) for example, name in self._examples
        ]
        scored += [(self._by_what_counts(heard, known), name) for name, known in self._known.items()]
        score, name = max(scored, key=lambda found: found[0], default=(0.0, ""))
        return name if score >= self._least.get(name, LEAST) else None

    def _as_a_whole(self, heard: tuple[str, ...], example: tuple[str, ...]) -> float:
        """Words may have been split or joined."""
        written = Levenshtein.normalized_similarity("".join(heard), "".join(example))
        spoken = self._sounds(" ".join(heard)), self._sounds(" ".join(example))
        return max(written, (written + Levenshtein.normalized_similarity(*spoken)) / 2) if all(spoken) else written

    def _by_word(self, heard: tuple[str, ...], example: tuple[str, ...], name: str) -> float:
        """How much of the example was heard, and how much of what was heard is in it, or at least in another of its intent."""
        found = self._share(example, heard)
        wanted = (self._share(heard, example) + self._share(heard, self._known[name])) / 2
        weight = _EXAMPLE_FIRST**2
        return (1 + weight) * found * wanted / (weight * wanted + found) if found and wanted else 0.0

    def _by_what_counts(self, heard: tuple[str, ...], known: tuple[str, ...]) -> float:
        """How much of what says something in ``heard`` is in the examples of one intent, whichever."""
        said, choice = [[word for word in some if word not in _WEAK_WORDS] for some in (heard, known)]
        if not said or not choice:
            return 0.0
        found = [max(self._alike(word, other) for other in choice) for word in said]
        return sum(found) / len(found) * (_SEVERAL if sum(map(bool, found)) > 1 else _ONE)

    def _share(self, some: tuple[str, ...], others: tuple[str, ...]) -> float:
        """How much of ``some`` is among ``others``."""
        weights = [_WEAK if word in _WEAK_WORDS else 1.0 for word in some]
        found = [max(self._alike(word, other) for other in others) for word in some]
        return sum(part * weight for part, weight in zip(found, weights, strict=True)) / sum(weights)

    def _compare(self, word: str, other: str) -> float:
        if word == other:
            return 1.0
        likeness = Levenshtein.normalized_similarity(word, other)
        if min(len(word), len(other)) > 3:
            likeness = max(likeness, JaroWinkler.similarity(word, other) - 0.1)
        spoken = self._sounds(word), self._sounds(other)
        if all(spoken) and spoken[0] == spoken[1]:
            likeness = max(likeness, _SOUNDS_THE_SAME)
        elif min(map(len, spoken)) > 3:
            likeness = max(likeness, Levenshtein.normalized_similarity(*spoken))
        return likeness if likeness >= _ALIKE else 0.0
