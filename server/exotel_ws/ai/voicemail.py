"""Tell a machine that answers a call which the bot placed from a person, and say when to speak to it."""

from collections.abc import Callable, Mapping
from typing import Final

from exotel_ws.ai.alarm import Alarm, Clock
from exotel_ws.ai.settings import Outbound
from exotel_ws.ai.tone import Tone
from exotel_ws.ai.wording import words

DIRECTION: Final = "direction"
"""Custom parameter of a stream; its value `OUTBOUND` tells that the bot placed the call, as ``exotelctl dial`` does."""
OUTBOUND: Final = "outbound"
_WAITS_S: Final = 30.0
"""Seconds after which the message is left, whatever the machine still says."""


def is_outbound(parameters: Mapping[str, str]) -> bool:
    """Return True if the bot placed the call with these custom parameters."""
    return parameters.get(DIRECTION) == OUTBOUND


class Voicemail:
    """Judge what answers one call. Without ``outbound``, or where machines are to be ignored, everybody is a person."""

    def __init__(self, settings: Outbound, clock: Clock, sample_rate: int, *, outbound: bool) -> None:
        """``sample_rate`` is the stream's in Hz."""
        self._phrases = [f" {' '.join(words(each))} " for each in settings.machines]
        self._judges = outbound and settings.voicemail != "ignore"
        self._leaves = settings.voicemail == "leave_message"
        self._clock = clock
        self._until = clock.time() + settings.within_s
        self._tone = Tone(sample_rate)
        self._speak: Callable[[], None] | None = None
        self._latest = Alarm(clock, self._begin)

    def answers(self, text: str) -> bool:
        """Return True if ``text`` is what a machine says; only once, and not later than ``outbound.within_s``."""
        if not self._judges or self._clock.time() > self._until:
            return False
        said = f" {' '.join(words(text))} "
        if not any(phrase in said for phrase in self._phrases):
            return False
        self._judges = False
        return True

    def wait(self, speak: Callable[[], None], hang_up: Callable[[], None]) -> None:
        """Call ``speak`` once the machine records, or ``hang_up`` at once where no message is to be left."""
        if not self._leaves:
            hang_up()
            return
        self._speak = speak
        self._latest.set(_WAITS_S)

    def hear(self, pcm: bytes) -> None:
        """Take audio, PCM16 little-endian mono; do nothing unless a machine is waited for."""
        if self._speak is not None and self._tone.over(pcm):
            self._begin()

    def close(self) -> None:
        """Wait no more."""
        self._latest.off()
        self._speak = None

    def _begin(self) -> None:
        speak, self._speak = self._speak, None
        self._latest.off()
        if speak is not None:
            speak()
