"""Sentences given to voices: the voices go round, so that each has some of every kind."""

from itertools import chain, cycle
from typing import Final

from benchmarks.ai.listening.sentences import CLEAN, EASY, HALVES, LISTENING, NEARBY, REMARKS, ROOM, Sentence
from benchmarks.ai.listening.voices import INDIAN, VOICES, Voice

_KOKORO: Final = tuple(voice for voice in VOICES if voice.engine == "kokoro")

SENTENCES: Final[tuple[tuple[Sentence, Voice], ...]] = tuple(zip(CLEAN, cycle(VOICES), strict=False))
REMARKERS: Final = tuple(zip(REMARKS, cycle(VOICES), strict=False))
LISTENERS: Final = tuple(
    (word, INDIAN[number % len(INDIAN)] if not word.isascii() else _KOKORO[number % len(_KOKORO)])
    for number, word in enumerate(LISTENING)
)
PAUSING: Final = tuple(zip(HALVES, cycle(VOICES), strict=False))
CROWD: Final = tuple(zip(ROOM, VOICES[3:], strict=False))
"""Six people in a room, none with the voice of a caller in it."""
IN_A_ROOM: Final = VOICES[:3]
ASKING: Final = tuple((text, right, voice) for voice in VOICES for text, right in EASY)
"""Each voice with each of the easy questions."""
SECOND: Final = tuple(zip(NEARBY, VOICES[4:], strict=False))


def speech() -> list[tuple[str, Voice]]:
    """Return all that is said in the measurement, each with its voice."""
    return [
        *((sentence.text, voice) for sentence, voice in chain(SENTENCES, REMARKERS)),
        *LISTENERS,
        *((half, voice) for (first, second, _), voice in PAUSING for half in (first, second)),
        *CROWD,
        *((text, voice) for text, _, voice in ASKING),
        *SECOND,
    ]
