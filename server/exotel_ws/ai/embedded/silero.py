"""Silero, the model that tells a voice from other sound, a window of 32 ms at a time, for one call."""

from typing import Any, Final

import numpy as np
import onnxruntime

from exotel_ws.ai.hearing.windows import RATE, WINDOW, Window

_BEFORE: Final = 64
"""Samples before a window that are judged with it."""
_RATE: Final = np.array(RATE, np.int64)


class Silero:
    """State of one call in a session that all calls share.

    It is called as pipecat's `SileroOnnxModel` is. That one checks, copies and converts what here is always alike, which takes a
    quarter as long as the model itself.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        self.reset_states()

    def reset_states(self) -> None:
        """Forget what was heard."""
        self._sound = np.zeros((1, _BEFORE + WINDOW), np.float32)
        self._asked: dict[str, Any] = {"input": self._sound, "state": np.zeros((2, 1, 128), np.float32), "sr": _RATE}

    def __call__(self, window: Window, _rate: int) -> Any:
        """Return how likely ``window``, 16 kHz, is of a voice, as an array of one number in each of its two dimensions."""
        sound = self._sound
        sound[0, :_BEFORE] = sound[0, WINDOW:]
        sound[0, _BEFORE:] = window
        likely, self._asked["state"] = self.session.run(None, self._asked)
        return likely
