"""Recognise the bot's words (English) by AI mode's embedded recogniser, if it is installed."""

from collections.abc import Iterable
from typing import Final

from exotel_phone.talk import sound
from exotel_phone.talk.playback import Utterance
from exotel_phone.talk.voice import installed

_RATE: Final = 16000
_AROUND_S: Final = 0.2
"""Seconds of silence around an utterance: with less a soft first word is lost, with more one is made up."""


def recognise(spoken: Iterable[Utterance]) -> None:
    """Write the recognised words into each utterance. Leave all as they are without a recogniser."""
    if not installed("exotel_ws", "moonshine_voice", "numpy", "soxr"):
        return
    from exotel_ws.ai.embedded.models import Recogniser

    recogniser = Recogniser()
    for utterance in spoken:
        silence = bytes(round(_AROUND_S * utterance.rate) * 2)
        heard = sound.trimmed(silence + utterance.pcm + silence, utterance.rate, _AROUND_S)
        utterance.text = recogniser.recognise(sound.resample(heard, utterance.rate, _RATE)) if heard else ""
