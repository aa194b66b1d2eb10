"""Judge how much silence ends a caller's turn: by what was said, and by the turn model's judgement of how it was said."""

import re
from collections.abc import Collection, Iterable
from typing import Final

from exotel_ws.ai.manner import LANGUAGES, SHORT, Manner, manner
from exotel_ws.ai.remarks import Meaning
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

    def __init__(self, settings: Turns, language: str = "en", expected: Collection[tuple[str, ...]] = ()) -> None:
        """``language`` is the caller's. Of those without words here, only the turn model and the lists tell.

        ``expected`` are the words of sentences that callers say, as a scripted flow lists them.
        """
        self._settings = settings
        self._expected = expected
        self._knows_words = language.partition("-")[0].lower() in LANGUAGES
        self._answers = Phrases(settings.short_answers)
        self._short = Phrases([*settings.short_answers, *settings.courtesies])
        self._open = _endings(settings.open_endings)
        self._whole = {words(each) for each in settings.whole_sentences}
        self._longest = max(map(len, self._open), default=0)
        self.open_s = settings.open_s
        """Seconds of silence after what more is likely to come of."""

    def silence_s(self, text: str, finished: bool | None, *, asked: bool = False, meaning: Meaning = "something") -> float | None:
        """Return after how many seconds of silence a turn is over of which ``text`` was heard so far.

        ``finished`` is the turn model's judgement, None if there is none yet; then the result may be None: it depends on it.
        ``asked``: the bot's last sentence asks for a yes or no. ``meaning`` is what a scripted flow makes of the text.
        """
        said, settings = words(text), self._settings
        short = self._short.make_up(said)
        if short or _is_a_number(said):
            sure = not short or (asked and self._answers.are_in(said))
            return settings.sure_s if sure and meaning != "end" else settings.unsure_s
        wait_s = self._by_sound(text, said, finished)
        least_s = {"something": 0.0, "end": settings.unsure_s, "nothing": self._unclear_s(text, finished)}[meaning]
        return None if wait_s is None else max(wait_s, least_s)

    def _unclear_s(self, text: str, finished: bool | None) -> float:
        """Return the least silence after what a flow makes nothing of. The rest of a whole question would hardly tell it more."""
        last, settings = _last_sentence(text), self._settings
        if self._does(text, last) != "asks" or len(last) <= SHORT:
            return settings.open_s
        return settings.likely_s if finished else settings.unsure_s

    def _by_sound(self, text: str, said: tuple[str, ...], finished: bool | None) -> float | None:
        last, settings = _last_sentence(text), self._settings
        if said and _is_digits(said[-1]) and len(said) > 1:
            return settings.unsure_s  # numbers are read in groups, each with the melody of an end
        does = self._does(text, last)
        if does == "open" or self._is_open(last):
            return settings.open_s
        if does == "leads":
            return settings.unsure_s
        if does == "asks" and said in self._expected:
            return settings.sure_s
        if finished is None:
            return None
        if finished:
            return settings.likely_s if does == "states" else settings.sure_s
        return settings.likely_s if does == "asks" else settings.unsure_s

    def _does(self, text: str, last: tuple[str, ...]) -> Manner | None:
        """Return what the last sentence does; None if its words are not known, and it is not written as a question."""
        if not self._knows_words:
            return "asks" if text.rstrip().endswith("?") else None
        return "states" if last in self._whole else manner(text, last)

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
