"""The bot's words: recognised by the recogniser that AI mode embeds, where it is installed; English."""

import importlib.util
from collections.abc import Iterable
from typing import Final

from exotelctl.bot_call import sound
from exotelctl.bot_call.playback import Utterance

_RATE: Final = 16000


def recognise(spoken: Iterable[Utterance]) -> None:
    """Write into each utterance what is said in it. Leaves them as they are where there is no recogniser."""
    if not all(importlib.util.find_spec(module) for module in ("exotel_ws", "moonshine_voice", "numpy", "soxr")):
        return
    from exotel_ws.ai.embedded.models import Recogniser

    recogniser = Recogniser()
    for utterance in spoken:
        utterance.text = recogniser.recognise(sound.resample(utterance.pcm, utterance.rate, _RATE))
