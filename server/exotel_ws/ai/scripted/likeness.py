"""Find the intent of recognised words by examples: they are nearly right, and people say more than they are asked."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from rapidfuzz.distance import JaroWinkler, Levenshtein

from exotel_ws.ai.scripted.alike import Alike
from exotel_ws.ai.scripted.compared import Compared, weight
from exotel_ws.ai.scripted.vocabulary import (
    ARTICLES,
    ASKING,
    GOES_ON,
    LINKING,
    NAHI,
    NEGATIONS,
    NO,
    OPENS_QUESTION,
    WEAK,
    Heard,
    denials,
    heard,
    opposite,
    stem,
    words,
)

Then = Literal["", "hang_up", "transfer"]
"""See `exotel_ws.ai.scripted.flow.Reply`."""

LEAST: Final = 0.58
"""Least likeness, of 1, that counts as understood. docs/flows.md says how it was chosen."""
LEAST_FINAL: Final = {"hang_up": 0.70, "transfer": 0.62}
"""Least likeness for an intent that ends the call."""
MOST_WORDS: Final = 40
"""Most words of a turn that are compared. A question has about ten."""
MOST_PARTS: Final = 6
"""Most parts of a sentence that are compared by themselves; of more, the last: people correct themselves."""

_ALIKE: Final = 0.75
"""Least likeness of two words that count as the same."""
_LONG: Final = 5
"""Letters that two words need to be alike by them: of shorter ones too many are one letter apart."""
_SOUNDS_THE_SAME: Final = 0.95
"""Likeness of two words that sound the same."""
_DENTAL: Final = str.maketrans("θð", "td")
"""Sounds that Indian English does not tell apart, so that a recogniser writes "tank you" for "thank you"."""
_SAME_STEM: Final = 0.95
"""Likeness of two forms of one word."""
_CERTAIN: Final = 0.95
_BESIDE_CERTAIN: Final = 0.81
"""Likeness by which a word surely is a known one; and the least of others that it may be misheard for even so."""
_SOUNDS_NEAR: Final = 0.5
_SAME_BEGINNING: Final = 0.1
"""Least likeness of sounds for words to be alike by their beginnings; and what that counts less than all letters."""
_REST: Final = 0.66
"""Least likeness of what is left of a sentence and of an example without the words that both have."""
_SAME: Final = 0.85
"""Least likeness of a sentence to an example that hangs up, where not all of its words were heard."""
_MOST_APART: Final = 3
"""Most words that splitting and joining make more or less."""
_EXAMPLE_FIRST: Final = 1.7
"""Most weight of having heard all of an example, relative to having heard nothing else; a short example has less."""
_DOUBT: Final = 0.45
"""Doubt that an example is meant which was heard whole among other words, a word of weight 1; more words leave less of it."""
_CARRIES: Final = 0.5
"""Least weight of a word that an example can't do without."""
_MOST_OF_WEAK: Final = 0.75
"""Least share of the words of an example, all of which say little, that has to be heard."""
_LACKING: Final = 0.95
"""Factor of an example of which only words that say little were not heard."""
_BESIDE: Final = 0.95
_BESIDE_SOME: Final = 0.87
"""Factor of each of these other words that says something; and of each where it is not asked whether all was heard."""
_DENIED: Final = 0.6
"""Factor of an intent denied by a word that none of its examples has, and of an example that denies what was not denied."""
_CLEAR: Final = 0.9
"""Least likeness of an answer that goes before a wish in the same sentence: there is nothing else in it."""
_PART: Final = 0.97
_LONE: Final = 0.75
"""Factor of a part of a sentence; and of one that is a single word, or an answer."""
_HINT: Final = 0.45
_ALSO: Final = 0.15
"""Least likeness of a part that adds to another part of the same intent; and how much of it is added."""
_LATER: Final = 1.02
"""Factor of each part that comes later: of two that mean as much, the last is meant."""
_COVERED: Final = 0.75
"""Least share of what was heard, by weight, that is in examples which hang up, for the bot to hang up."""


class _Example(NamedTuple):
    words: tuple[str, ...]
    weights: tuple[float, ...]
    total: float
    denials: frozenset[str]
    """Words that deny, and a "no" that is an answer."""
    denying: frozenset[str]
    """Those of them that deny."""
    name: str
    carrying: tuple[str, ...]
    """Words without those that say little; all, if the others only deny or ask."""

    def is_in(self, turn: Compared) -> bool:
        """Return True if the whole example was heard. "No, I have more questions" is not "no more questions"."""
        return turn.has(self.words) and self.denying <= turn.denials

    def says_something(self, found: list[float]) -> bool:
        """Return True if one of the words that carry the example was ``found``; if none carries it, if most were."""
        if max(self.weights) < 1:
            return sum(bool(part) for part in found) >= _MOST_OF_WEAK * len(found)
        said = [
            part for part, each, word in zip(found, self.weights, self.words, strict=True) if each == 1 and word not in NEGATIONS
        ]
        return any(said) or not said


class Examples:
    """Examples of each intent. Calls can share one object."""

    def __init__(
        self,
        examples: Mapping[str, Iterable[str]],
        ends: Mapping[str, Then] | None = None,
        sounds: Callable[[str], str] | None = None,
        answers: Collection[str] = (),
        alike: Iterable[Iterable[str]] = (),
    ) -> None:
        """``ends`` says of intents how they end the call; these have to be meant without doubt.

        ``sounds`` returns words as they are spoken, one letter a sound: with it "by" is "bye". ``answers`` are intents that
        answer a question of the bot: a wish in the same sentence goes before them. Words and phrases of each list in ``alike``
        are taken for its first.
        """
        self._alike = Alike(alike)
        spoken = sounds or (lambda _text: "")
        self._sounds = lru_cache(maxsize=4096)(lambda text: spoken(text).translate(_DENTAL))
        self._ends = {name: then for name, then in (ends or {}).items() if then}
        self._least = {name: LEAST_FINAL.get(self._ends.get(name, ""), LEAST) for name in examples}
        self._parting = frozenset(name for name, then in self._ends.items() if then == "hang_up")
        self._answers = frozenset(answers)
        self._examples = [_example(self._alike.taken(words(text)), name) for name, some in examples.items() for text in some]
        self._alone: defaultdict[str, set[str]] = defaultdict(set)
        """Words that are an example of an intent by themselves. Without the others of a longer one they mean it, too."""
        for example in self._examples:
            if len(thing := [word for word in example.words if word not in ARTICLES]) == 1:
                self._alone[example.name].add(thing[0])
        names: defaultdict[str, set[str]] = defaultdict(set)
        affirmed: defaultdict[str, set[str]] = defaultdict(set)  # by words that need no denial beside them
        transfers = {name for name, then in self._ends.items() if then == "transfer"}
        wished = {word for each in self._examples if each.name in transfers and not each.denials for word in each.words}
        self._denials: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
        for example in self._examples:
            self._denials[example.name] |= example.denials
            for word in example.words:
                names[word].add(example.name)
                if not example.denials or (example.name not in transfers and word not in wished):
                    affirmed[word].add(example.name)
        self._names = {word: frozenset(some) for word, some in names.items()}
        self._affirmed = {word: frozenset(affirmed[word]) for word in names}
        self._forms = {form: word for word in self._names for form in self._alike.forms(word)}
        self._likest = lru_cache(maxsize=4096)(self._known_words_like)
        for word in self._forms:
            self._likest(word)  # fill the caches now, not while a caller waits
        self._whole = lru_cache(maxsize=4096)(self._one_word)
        self._closest = lru_cache(maxsize=8192)(self._find)

    def closest(self, text: str) -> str | None:
        """Return the intent that ``text`` is most like; None if it is like none."""
        return self._closest(heard(text, MOST_WORDS))

    def denied(self, text: str, name: str) -> bool:
        """Return True if ``text`` denies something, or asks to wait, as no example of the intent ``name`` does."""
        return bool(denials(self._alike.taken(heard(text, MOST_WORDS).whole)) - self._denials[name])

    def _find(self, said: Heard) -> str | None:
        if not said.whole:
            return None
        rest = said.after_waiting()
        wish = self._find(rest) if rest else None
        if wish and wish not in self._parting:
            return wish
        said = self._prepared(said)
        turn = self._compared(said.whole, several=len(said.parts) > 1)
        best = self._scores(turn)
        hints: defaultdict[str, list[float]] = defaultdict(list)
        for place, part in enumerate(said.parts[-MOST_PARTS:] if len(said.parts) > 1 else ()):
            scores = self._scores(self._compared(part))
            if max(scores, key=lambda name: scores[name], default="") in self._parting:
                continue  # "nothing else" is no wish, though a word of it is in one ("nothing has come")
            for name, score in scores.items():
                if name not in self._parting:
                    if name in self._answers:
                        factor = _LONE * _BESIDE_SOME ** turn.by(name).others
                    else:
                        factor = (_PART if len(part) > 1 else _LONE) * _LATER**place
                    best[name] = max(best.get(name, 0.0), score * factor)
                    if score >= _HINT and name not in self._ends and name not in self._answers:
                        hints[name].append(score)
        for name, some in hints.items():
            if max(some) < LEAST:
                best[name] += _ALSO * (sum(some) - max(some))
        taken = {name: score for name, score in best.items() if score >= self._least[name]}
        wishes = {name: score for name, score in taken.items() if name not in self._answers or score >= _CLEAR} or taken
        if not self._parting.isdisjoint(self._answers.intersection(wishes)):
            # It took all of the turn: a courtesy beside it is not what is meant.
            wishes = {name: score for name, score in wishes.items() if name in self._parting or name not in self._answers}
        return max(wishes, key=lambda name: wishes[name], default=None)

    def _prepared(self, said: Heard) -> Heard:
        """Return words in the form in which they are compared."""
        taken = [self._alike.taken(self._rejoined(part)) for part in (said.whole, *said.parts)]
        return Heard(taken[0], tuple(taken[1:]))

    def _compared(self, said: tuple[str, ...], *, several: bool = False) -> Compared:
        names = self._names if denials(said) else self._affirmed
        return Compared(said, [self._likest(word) for word in said], names, several=several)

    def _rejoined(self, said: tuple[str, ...]) -> tuple[str, ...]:
        """Return words with those joined again of which two are one of an example ("good by")."""
        made: list[str] = []
        for word in said:
            joined = self._whole(f"{made[-1]} {word}") if made else ""
            if joined:
                made[-1] = joined
            else:
                made.append(word)
        return tuple(made)

    def _one_word(self, pair: str) -> str:
        """Return the word of an example that two words are, by letters or by sounds; empty if there is none."""
        written, spoken = pair.replace(" ", ""), "".join(map(self._sounds, pair.split()))
        if written in self._forms:
            return written
        return next((word for word in self._forms if len(word) > _LONG and spoken and self._sounds(word) == spoken), "")

    def _scores(self, turn: Compared) -> dict[str, float]:
        """Return the likeness of each intent to words that belong together."""
        best: dict[str, float] = {}
        for example in self._examples:
            score = self._score(turn, example, best.get(example.name, 0.0))
            if score > best.get(example.name, 0.0):
                best[example.name] = score
        for name in turn.names - self._parting:
            denied = bool(turn.denials - self._denials[name])
            if not ((turn.denials or turn.reports) and name in self._ends):
                best[name] = max(best.get(name, 0.0), turn.by(name).that_counts * (_DENIED if denied else 1.0))
        return best

    def _score(self, turn: Compared, example: _Example, least: float) -> float:
        """Return the likeness of an example, or less than it if that is not more than ``least``."""
        then = self._ends.get(example.name)
        if then and (not turn.denials <= example.denials or turn.reports):
            return 0.0
        if turn.several and then != "hang_up" and example.denials and LINKING.isdisjoint(example.words):
            return 0.0  # a "not" in one part of a sentence denies nothing of another
        found = [turn.found.get(word, 0.0) for word in example.words]
        score = self._rest(turn.said, example)
        hangs_by_one = len(example.carrying) == 1 and example.carrying[0] not in self._alone[example.name]
        wanted = example.words if then == "hang_up" or (then and hangs_by_one) else example.carrying
        whole = turn.has(wanted)
        if then == "hang_up" and example.is_in(turn) and self._parts(turn, example):
            score = max(score, _CLEAR)
        elif score < _SAME and (then == "hang_up" or (then and (example.denials or hangs_by_one) and not whole)):
            return 0.0
        if any(found) and example.says_something(found):
            view = turn.by(example.name)
            share = sum([part * each for part, each in zip(found, example.weights, strict=True)]) / example.total
            first = min(_EXAMPLE_FIRST, example.total) ** 2
            # A word of the example that is missing may be what an unknown one was misheard for.
            missing = sum([not part and each == 1 for part, each in zip(found, example.weights, strict=True)])
            some = (1 + first) * _BESIDE_SOME ** max(0, view.others - missing)
            if some * share / (first + share) > least:
                both = (view.share + turn.share(example.name, example.words)) / 2
                score = max(score, some * share * both / (first * both + share))
            if whole:
                every = turn.has(example.words)
                known = example.total if every else sum(map(weight, example.carrying))
                lacking = 1.0 if every else _LACKING
                score = max(score, min(filter(None, found)) * (1 - _DOUBT**known) * _BESIDE**view.others * lacking)
        denied = not turn.denials <= self._denials[example.name] or (
            bool(example.denials) and not turn.has(wanted, example.denials)
        )
        return score * _DENIED if denied else score

    def _parts(self, turn: Compared, example: _Example) -> bool:
        """Return True if the caller says nothing else than that they part."""
        others = [word for word in turn.said if word not in example.words]
        if example.denials and not ARTICLES.isdisjoint(others):
            return False  # "not need a …" names what is not needed, however it was heard
        asks = any(word in ASKING for word in others) or (turn.said[0] in others and turn.said[0] in OPENS_QUESTION)
        if asks or self._goes_on(turn):
            return False
        parting = {each.name for each in self._examples if each.name in self._parting and each.is_in(turn)}
        if example.name in self._answers:
            return not turn.strange(parting) and turn.covered(parting) >= _COVERED
        # Courtesies go with a goodbye; and what ends with one may have a word before it that was misheard.
        known = parting | (self._answers - self._parting)
        misheard = turn.said[-1] == example.words[-1] and turn.unknown() == turn.strange(known) == 1
        return misheard or (not turn.strange(known) and turn.covered(known) >= _COVERED)

    def _goes_on(self, turn: Compared) -> bool:
        """Return True if beside all goodbyes that are whole there is a word by which the caller goes on."""
        wanted = GOES_ON.intersection(turn.said)
        if not wanted:
            return False
        ends = self._parting | self._answers
        whole = {word for each in self._examples if each.name in ends and each.is_in(turn) for word in each.words}
        return bool(wanted - whole)

    def _rest(self, said: tuple[str, ...], example: _Example) -> float:
        """Compare what is not word for word the same without regard to spaces: words may have been split or joined."""
        if abs(len(said) - len(example.words)) > _MOST_APART:
            return 0.0
        other = [word for word in example.words if word not in said]
        one = [word for word in said if word not in example.words]
        if said == example.words or (other and not one and said == tuple(word for word in example.words if word in said)):
            return 1 - sum(map(weight, other)) / example.total
        if not one or not other:
            return 0.0
        likeness = self._joined(one, other)
        if likeness < _REST:
            return 0.0
        rest = sum(map(weight, other))
        return 1 - (1 - likeness) * rest / example.total

    def _joined(self, some: list[str], others: list[str]) -> float:
        """Return the likeness of words without spaces, by letters and by sounds."""
        one, other = "".join(some), "".join(others)
        if min(len(one), len(other)) < _REST * max(len(one), len(other)):
            return 0.0
        likeness = Levenshtein.normalized_similarity(one, other)
        spoken = "".join(map(self._sounds, some)), "".join(map(self._sounds, others))
        return max(likeness, (likeness + Levenshtein.normalized_similarity(*spoken)) / 2) if all(spoken) else likeness

    def _known_words_like(self, word: str) -> dict[str, float]:
        """Return known words, and how much ``word`` is like one of them or like another of the same meaning."""
        found: dict[str, float] = {}
        for form, known in self._forms.items():
            if likeness := self._likeness(word, form):
                found[known] = max(found.get(known, 0.0), likeness)
        least = _BESIDE_CERTAIN if max(found.values(), default=0.0) >= _CERTAIN else 0.0
        return {known: likeness for known, likeness in found.items() if likeness >= least}

    def _likeness(self, word: str, known: str) -> float:
        if word == known or (word in NAHI and known in NAHI):
            return 1.0
        if (known in WEAK and word not in WEAK) or known in NO:  # "know" is no "no": it is written as it is said
            return 0.0
        spoken = self._sounds(word), self._sounds(known)
        if all(spoken) and spoken[0] == spoken[1]:
            return _SOUNDS_THE_SAME
        if word in WEAK or opposite(word, known):
            return 0.0
        if stem(word) == stem(known):
            return _SAME_STEM
        shorter = min(word, known, key=len)
        longer_form = len(shorter) == _LONG - 1 and word.startswith(shorter) and known.startswith(shorter)
        if len(shorter) < _LONG and not longer_form:
            return 0.0
        near = Levenshtein.normalized_similarity(*spoken) if all(spoken) else 0.0
        likeness = Levenshtein.normalized_similarity(word, known)
        if near >= _SOUNDS_NEAR or not all(spoken):  # "house" begins as "hours" does, and sounds otherwise
            likeness = max(likeness, JaroWinkler.similarity(word, known) - _SAME_BEGINNING)
        if min(map(len, spoken)) > 3:
            likeness = max(likeness, near)
        return likeness if likeness >= _ALIKE else 0.0


def _example(said: tuple[str, ...], name: str) -> _Example:
    weights = tuple(map(weight, said))
    carrying = tuple(word for word, each in zip(said, weights, strict=True) if each >= _CARRIES)
    if not any(each == 1 and word not in NEGATIONS for word, each in zip(said, weights, strict=True)):
        carrying = said
    denying = denials(said)
    return _Example(said, weights, sum(weights), denying | NO.intersection(said), denying, name, carrying)
