"""Judge by ear: which intent of the flow the bot's words answer, and how the call ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import soxr
from exotel_phone.talk import sound
from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.playback import Utterance
from exotel_ws.ai.embedded.models import STT_RATE, Recogniser
from exotel_ws.ai.scripted.flow import Flow, lines
from rapidfuzz import fuzz, utils

FALLBACK: Final = "(not understood)"
NOTHING: Final = "(nothing)"
OTHER: Final = "(other words)"
NORMAL: Final = 1000
_LIKE: Final = 70.0
"""Least likeness, in percent, of what was heard to a text of the flow."""
_AROUND: Final = bytes(STT_RATE // 5 * 2)
"""Silence of 0.2 s, without which the recogniser loses a first word."""


class Texts:
    """Texts of a flow, and the intent that each of them answers."""

    def __init__(self, flow: Flow) -> None:
        self._intents = [(text, name) for name, intent in flow.intents.items() for text in lines(intent.say, "en") if text]
        self._intents += [(text, FALLBACK) for reply in flow.fallback for text in lines(reply.say, "en")]
        self.ending = frozenset(name for name, intent in flow.intents.items() if intent.then)

    def of(self, name: str) -> str:
        """Return the first text of the intent ``name``."""
        return next(text for text, its in self._intents if its == name)

    def answered(self, heard: str) -> frozenset[str]:
        """Return the intents whose text is most like ``heard``: several that say the same, or none but a name for none."""
        if not heard:
            return frozenset([NOTHING])
        likeness = [
            (fuzz.partial_ratio(*_ordered(heard, text), processor=utils.default_process), name) for text, name in self._intents
        ]
        best = max(likeness)[0]
        return frozenset(name for like, name in likeness if like == best) if best >= _LIKE else frozenset([OTHER])


@dataclass(frozen=True)
class Answer:
    """Answer to a turn: the words heard, and the intents that the last of them answer, for it is these that stay."""

    words: str
    intents: frozenset[str]


def answer(call: Call, said: Said, texts: Texts) -> Answer:
    """Return the answer to ``said``: all that the bot began between the end of it and the next turn."""
    words = [text for one in after(call, said) if (text := heard(one))]
    return Answer(" ".join(words), texts.answered(words[-1] if words else ""))


def after(call: Call, said: Said) -> list[Utterance]:
    """Return the bot's utterances that began between the end of ``said`` and the next turn."""
    until = next((later.begins for before, later in pairwise(call.said) if before is said), float("inf"))
    return [one for one in call.spoken if said.ends <= one.begins < until]


def into(call: Call, said: Said) -> bool:
    """Return whether the bot began to speak while the caller was saying ``said``."""
    return any(said.begins < one.begins < said.ends for one in call.spoken)


def ended(call: Call, answers: Iterable[Answer], texts: Texts) -> bool:
    """Return whether the bot ended the call, or said what it says before it ends one."""
    return call.end.by_bot or any(one.intents & texts.ending for one in answers)


def heard(one: Utterance) -> str:
    """Return the words that are heard in an utterance; they are recognised once."""
    if one.text is None:
        one.text = _recognised(sound.trimmed(one.pcm, one.rate), one.rate)
    return one.text


def _recognised(pcm: bytes, rate: int) -> str:
    if not pcm:
        return ""
    samples = soxr.resample(np.frombuffer(pcm, "<i2"), rate, STT_RATE)
    return _recogniser().recognise(_AROUND + np.asarray(samples, "<i2").tobytes() + _AROUND)


def _ordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if len(one) <= len(other) else (other, one)


@cache
def _recogniser() -> Recogniser:
    return Recogniser()
