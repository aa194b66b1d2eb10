"""Sentences for a caller when nothing else works. They are spoken before the call, so that one in trouble needs no provider,
model or pipeline for them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Self

from exotel_ws.ai.sentences import USUAL, Sentences

Spoken = tuple[str, bytes]
"""A sentence, and its PCM16 little-endian at the sample rate of a call."""


class Phrases(NamedTuple):
    """Sentences of one language with their audio at one sample rate."""

    not_heard: Spoken
    apology: Spoken
    too_fast: Spoken
    enough: Spoken
    fillers: tuple[Spoken, ...]

    @classmethod
    def spoken(cls, said: Sentences, speak: Callable[[str], bytes]) -> Self:
        """Return the phrases of ``said``; ``speak`` returns a text's audio, and may block.

        A sentence of which ``speak`` makes nothing is replaced by the English one that ships: silence would help nobody.
        """

        def one(text: str, usual: str) -> Spoken:
            return (text, pcm) if (pcm := speak(text)) else (usual, speak(usual))

        fillers = ((text, speak(text)) for text in said.fillers)
        return cls(
            one(said.not_heard, USUAL.not_heard),
            one(said.apology, USUAL.apology),
            one(said.too_fast, USUAL.too_fast),
            one(said.enough, USUAL.enough),
            tuple(filler for filler in fillers if filler[1])
            or tuple((text, speak(text)) for text in USUAL.fillers if said.fillers),
        )

    @classmethod
    def of(cls, said: Sentences, audio: Sequence[bytes]) -> Self:
        """Return the phrases of ``said``, whose audio was made for `texts`."""
        not_heard, apology, too_fast, enough, *fillers = zip(texts(said), audio, strict=True)
        return cls(not_heard, apology, too_fast, enough, tuple(fillers))


def texts(said: Sentences) -> tuple[str, ...]:
    """Return the sentences of ``said`` that are needed as audio."""
    return (said.not_heard, said.apology, said.too_fast, said.enough, *said.fillers)


def prepare(said: Sentences, speak: Callable[[str, int], bytes], rates: Collection[int]) -> Mapping[int, Phrases]:
    """Return the phrases by sample rate, for each of ``rates`` in Hz. Blocks while ``speak`` does."""

    def at(rate: int) -> Callable[[str], bytes]:
        return lambda text: speak(text, rate)

    return {rate: Phrases.spoken(said, at(rate)) for rate in rates}
