"""Judge how much silence ends a caller's turn: by what was said, and by the turn model's judgement of how it was said."""

import re
from collections.abc import Iterable
from typing import Final

from exotel_ws.ai.settings import Turns
from exotel_ws.ai.usual_phrases import NUMBERS
from exotel_ws.ai.wording import Phrases, words

_SENTENCE: Final = re.compile(r"[.!?…।]+(?=\s|$)")
_NUMBERS: Final = frozenset(word for number in NUMBERS for word in words(number))
_ASKING: Final = frozenset(["where", "when", "who", "how", "what", "which", "why"])
_LINKING: Final = frozenset(["is", "are", "was", "were", "am", "has", "have", "will", "would", "can", "could", "should"])
_A_NUMBER: Final = 2
"""Most digits of a number that is not the beginning of a longer one."""


class Endings:
    """Judge turns by the settings' rules. Calls can share one object."""

    def __init__(self, settings: Turns) -> None:
        self._settings = settings
        self._short = Phrases(settings.short_answers)
        self._open = _endings(settings.open_endings)
        self._whole = {words(each) for each in settings.whole_sentences}
        self._longest = max(map(len, self._open), default=0)
        self.unclear_s = settings.unsure_s
        """Least seconds of silence after a turn that may be half of what is meant, by what a scripted flow makes of it."""

    def silence_s(self, text: str, finished: bool | None) -> float | None:
        """Return after how many seconds of silence a turn is over of which ``text`` was heard so far.

        ``finished`` is the turn model's judgement, None if there is none yet; then the result may be None: it depends on it.
        """
        said, last = words(text), _last_sentence(text)
        settings = self._settings
        if self._short.make_up(said) or _is_a_number(said):
            return settings.sure_s
        if said and _is_digits(said[-1]) and len(said) > 1:
            return settings.unsure_s  # numbers are read in groups, each with the melody of an end
        if self._is_open(last):
            return settings.open_s
        if finished is None:
            return None
        if finished:
            return settings.sure_s
        return settings.question_s if text.rstrip().endswith("?") else settings.unsure_s

    def _is_open(self, last: tuple[str, ...]) -> bool:
        if last in self._whole or _asks_within(last):
            return False
        return any(last[-size:] in self._open for size in range(1, self._longest + 1))


def _asks_within(last: tuple[str, ...]) -> bool:
    """Return True for a sentence such as "tell me where my order is", unlike "where is" and "what I want is"."""
    if not last or last[-1] not in _LINKING:
        return False
    return any(word in _ASKING and (at or word != "what") for at, word in enumerate(last[:-2]))


def _endings(phrases: Iterable[str]) -> set[tuple[str, ...]]:
    return {words(phrase) for phrase in phrases}


def _last_sentence(text: str) -> tuple[str, ...]:
    sentences = [said for part in _SENTENCE.split(text) if (said := words(part))]
    return sentences[-1] if sentences else ()


def _is_digits(word: str) -> bool:
    return word.isdecimal() or word in _NUMBERS


def _is_a_number(said: tuple[str, ...]) -> bool:
    return len(said) == 1 and _is_digits(said[0]) and (not said[0].isdecimal() or len(said[0]) <= _A_NUMBER)
