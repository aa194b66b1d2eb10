"""What a caller is told where nothing else works: spoken at the worker's start, so that it needs no provider, no model and no
pipeline when it is needed.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from exotel_ws.ai.settings import AiLimits, Failure

_USUAL: Final = AiLimits()


class Phrases:
    """PCM16 of each of the settings' sentences, at one stream's rate."""

    def __init__(self, settings: Failure, speak: Callable[[str], bytes], limits: AiLimits = _USUAL) -> None:
        """``speak`` gives a sentence as PCM16 at the stream's rate; it blocks."""
        self.fillers = tuple((text, speak(text)) for text in settings.fillers)
        self.not_heard = (settings.not_heard, speak(settings.not_heard))
        self.apology = (settings.apology, speak(settings.apology))
        self.too_fast = (limits.too_fast, speak(limits.too_fast))
        self.enough = (limits.enough, speak(limits.enough))


def prepare(
    settings: Failure, speak: Callable[[str, int], bytes], rates: Collection[int], limits: AiLimits = _USUAL
) -> Mapping[int, Phrases]:
    """For every rate in Hz that a stream may have. Blocks for as long as ``speak`` takes."""

    def at(rate: int) -> Callable[[str], bytes]:
        return lambda text: speak(text, rate)

    return {rate: Phrases(settings, at(rate), limits) for rate in rates}
