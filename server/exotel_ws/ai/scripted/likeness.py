"""Compare recognised words with examples: they are nearly right, and people say more than they are asked."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import JaroWinkler, Levenshtein

from exotel_ws.ai import wording

LEAST: Final = 0.58
"""Least likeness, of 1, that counts as understood. docs/flows.md says how it was chosen."""
LEAST_FINAL: Final = 0.70
"""Least likeness for an intent that ends the call."""

_ALIKE: Final = 0.72
"""Least likeness of two words that count as the same."""
_EXAMPLE_FIRST: Final = 1.7
"""Weight of having heard all of an example, relative to having heard nothing else."""
_WEAK: Final = 0.3
"""Weight of a word that says little; any other has 1."""

_SOUNDS_THE_SAME: Final = 0.95
"""Likeness of two words that sound the same."""
_SEVERAL: Final = 0.9
_ONE: Final = 0.6
"""Likeness if all words that say something are known: if they are several, and if there is one."""

_SAYING_NOTHING: Final = """
um uh er erm hmm hm mm mhm ah oh eh well so please hello hi hey okay ok kindly just actually
"""
_FILLERS: Final = frozenset(_SAYING_NOTHING.split())
"""Words that are left out, unless there are no others."""
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
    """Return the words of ``text`` without case, punctuation, English short forms and fillers. Letters keep marks (को, é)."""
    text = wording.plain(text)
    for short, full in _SHORT_FORMS:
        text = short.sub(full, text)
    said = wording.words(text)
    return tuple(word for word in said if word not in _FILLERS) or said


class Examples:
    """Examples of each intent. Calls can share one object."""

    def __init__(
        self, examples: Mapping[str, Iterable[str]], final: Iterable[str] = (), sounds: Callable[[str], str] | None = None
    ) -> None:
        """``final`` are intents that end the call, which need `LEAST_FINAL`.

        ``sounds`` returns words as they are spoken, one letter a sound. With it "by" is "bye", and "Dubai" nearly "goodbye".
        """
        self._sounds = lru_cache(maxsize=4096)(sounds or (lambda _text: ""))
        self._alike = lru_cache(maxsize=65536)(self._compare)
        self._examples = [(words(example), name) for name, some in examples.items() for example in some]
        self._known: dict[str, tuple[str, ...]] = {}
        for example, name in self._examples:
            self._known[name] = tuple(dict.fromkeys((*self._known.get(name, ()), *example)))
            for said in (*example, " ".join(example)):
                self._sounds(said)  # fill the cache now, not while a caller waits
        self._least = dict.fromkeys(final, LEAST_FINAL)
        self._closest = lru_cache(maxsize=8192)(self._find)

    def closest(self, heard: str) -> str | None:
        """Return the intent that ``heard`` is most like; None if it is like none."""
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
        """Compare without regard to spaces: words may have been split or joined."""
        written = Levenshtein.normalized_similarity("".join(heard), "".join(example))
        spoken = self._sounds(" ".join(heard)), self._sounds(" ".join(example))
        return max(written, (written + Levenshtein.normalized_similarity(*spoken)) / 2) if all(spoken) else written

    def _by_word(self, heard: tuple[str, ...], example: tuple[str, ...], name: str) -> float:
        """Weigh how much of the example was heard, and how much of ``heard`` is in it or in another example of its intent."""
        found = self._share(example, heard)
        wanted = (self._share(heard, example) + self._share(heard, self._known[name])) / 2
        weight = _EXAMPLE_FIRST**2
        return (1 + weight) * found * wanted / (weight * wanted + found) if found and wanted else 0.0

    def _by_what_counts(self, heard: tuple[str, ...], known: tuple[str, ...]) -> float:
        """Weigh how many words of ``heard`` that say something are in the examples of one intent."""
        said, choice = [[word for word in some if word not in _WEAK_WORDS] for some in (heard, known)]
        if not said or not choice:
            return 0.0
        found = [max(self._alike(word, other) for other in choice) for word in said]
        return sum(found) / len(found) * (_SEVERAL if sum(map(bool, found)) > 1 else _ONE)

    def _share(self, some: tuple[str, ...], others: tuple[str, ...]) -> float:
        """Return the share of ``some`` that is among ``others``, of 1."""
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
