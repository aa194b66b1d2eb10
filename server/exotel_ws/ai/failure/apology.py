"""Sentences for a caller when nothing else works. They are spoken when the worker starts, so that a call in trouble needs no
provider, model or pipeline for them.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from exotel_ws.ai.settings import AiLimits, Failure

_USUAL: Final = AiLimits()


class Phrases:
    """The settings' sentences, each with its PCM16 at one sample rate."""

    def __init__(self, settings: Failure, speak: Callable[[str], bytes], limits: AiLimits = _USUAL) -> None:
        """``speak`` returns a sentence as PCM16 at that rate; it blocks."""
        self.fillers = tuple((text, speak(text)) for text in settings.fillers)
        self.not_heard = (settings.not_heard, speak(settings.not_heard))
        self.apology = (settings.apology, speak(settings.apology))
        self.too_fast = (limits.too_fast, speak(limits.too_fast))
        self.enough = (limits.enough, speak(limits.enough))


def prepare(
    settings: Failure, speak: Callable[[str, int], bytes], rates: Collection[int], limits: AiLimits = _USUAL
) -> Mapping[int, Phrases]:
    """Return the phrases by sample rate, for each of ``rates`` in Hz. Blocks while ``speak`` does."""

    def at(rate: int) -> Callable[[str], bytes]:
        return lambda text: speak(text, rate)

    return {rate: Phrases(settings, at(rate), limits) for rate in rates}
