"""Compare the words of one turn with the words of all examples, once, and weigh them for each intent."""

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Final

from exotel_ws.ai.scripted.vocabulary import ASKING, LINKING, NEGATIONS, OTHERS, WEAK, denials, reports

_WEAK: Final = 0.2
_ASKING: Final = 0.5
"""Weight of a word that says little, and of one that asks (when, where); any other has 1."""
_UNKNOWN: Final = 0.5
"""Factor of both where the word was heard and is in no example of the intent."""
_FOREIGN: Final = 1.6
"""Weight of a heard word that only examples of other intents have, or by which others are meant than caller and callee."""
_SEVERAL: Final = 0.9
_ONE: Final = 0.6
"""Likeness if all words that say something are known: if they are several, and if there is one."""


def weight(word: str) -> float:
    """Return how much a word says, of 1."""
    return _ASKING if word in ASKING else _WEAK if word in WEAK else 1.0


class Compared:
    """Words of a turn, or of a part of it. ``found`` is the likeness of each known word to the word that it is most like."""

    def __init__(
        self, said: tuple[str, ...], likest: list[dict[str, float]], names: Mapping[str, frozenset[str]], *, several: bool = False
    ) -> None:
        """``likest`` are, for each word, the known words that it is like; ``names`` the intents of each known word.

        ``several``: the words have several parts.
        """
        self.said = said
        self.several = several
        self.found: dict[str, float] = {}
        self._likest = likest
        self._liked = [(place, like) for place, like in enumerate(likest) if like]
        self._known: list[dict[str, float]] = []
        """For each word, its likeness to a word of each intent."""
        self._views: dict[str, View] = {}
        for like in likest:
            known: dict[str, float] = {}
            for word, likeness in like.items():
                self.found[word] = max(self.found.get(word, 0.0), likeness)
                for name in names[word]:
                    known[name] = max(known.get(name, 0.0), likeness)
            self._known.append(known)

    @cached_property
    def names(self) -> frozenset[str]:
        """Intents that have a word like one that was heard."""
        return frozenset[str]().union(*self._known)

    @cached_property
    def denials(self) -> frozenset[str]:
        """Words that deny or ask to wait."""
        return denials(self.said)

    @cached_property
    def reports(self) -> bool:
        """True if the words tell what somebody did, and ask for nothing."""
        return reports(self.said)

    def by(self, name: str) -> "View":
        """Return how the intent ``name`` sees the words."""
        if name not in self._views:
            self._views[name] = View(self.said, self._known, name)
        return self._views[name]

    def share(self, name: str, example: tuple[str, ...]) -> float:
        """Return how much of the turn is in an example of the intent ``name``, by weight, of 1."""
        weights = self.by(name).weights
        found = sum(weights[place] * max([like.get(word, 0.0) for word in example]) for place, like in self._liked)
        return found / sum(weights)

    def has(self, example: tuple[str, ...], denials: Collection[str] = ()) -> bool:
        """Return True if words like those of an example are there, in order; with ``denials``, those from the first of them."""
        wanted = iter(example)
        word = next((word for word in wanted if not denials or word in denials), None)
        for like in self._likest:
            if word in like:
                word = next(wanted, None)
        return word is None

    def strange(self, among: Collection[str]) -> int:
        """Return how many words of the turn say something that is in no example of the intents ``among``."""
        return sum(
            word not in WEAK and not any(name in known for name in among)
            for word, known in zip(self.said, self._known, strict=True)
        )

    def unknown(self) -> int:
        """Return how many words of the turn say something that is in no example at all."""
        return sum(word not in WEAK and not known for word, known in zip(self.said, self._known, strict=True))

    def covered(self, among: Collection[str]) -> float:
        """Return how much of the turn is in examples of the intents ``among``, by weight, of 1. "And" weighs nothing there."""
        weights = [0.0 if word in LINKING else _WEAK if word in WEAK else 1.0 for word in self.said]
        found = [max((known.get(name, 0.0) for name in among), default=0.0) for known in self._known]
        return sum(part * each for part, each in zip(found, weights, strict=True)) / max(sum(weights), _WEAK)


class View:
    """Words of a turn as one intent sees them.

    ``share`` of them, by weight, is in its examples, and so is ``that_counts`` of those that say something (less if it is only
    one); ``others`` say something, or ask, and are not.
    """

    def __init__(self, said: tuple[str, ...], known: list[dict[str, float]], name: str) -> None:
        found = [each.get(name, 0.0) for each in known]
        self.weights = [_seen(word, likeness, bool(each)) for word, likeness, each in zip(said, found, known, strict=True)]
        parts = [part * each for part, each in zip(found, self.weights, strict=True)]
        self.share = sum(parts) / sum(self.weights)
        says = [word not in WEAK or word in ASKING for word in said]
        self.others = sum(each and not likeness for each, likeness in zip(says, found, strict=True))
        counts = [place for place, word in enumerate(said) if word not in WEAK and word not in NEGATIONS]
        self.that_counts = 0.0
        if counts:
            share = sum(parts[place] for place in counts) / sum(self.weights[place] for place in counts)
            self.that_counts = share * (_SEVERAL if sum(bool(found[place]) for place in counts) > 1 else _ONE)


def _seen(word: str, likeness: float, known: bool) -> float:
    """Return the weight of a heard word for an intent that has a word like it, or for one that has none."""
    if word in ASKING or word in WEAK:
        return weight(word) * (1.0 if likeness else _UNKNOWN)
    return _FOREIGN if (known or word in OTHERS) and not likeness else 1.0
