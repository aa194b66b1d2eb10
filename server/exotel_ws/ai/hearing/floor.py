"""Level of the line without a voice, and how far voices stand above it."""

from typing import Final

import numpy as np

from exotel_ws.ai.hearing.windows import SILENCE_DB, WINDOW_S

_REMEMBERED_S: Final = 4.0
"""Seconds that are looked back upon: nobody speaks for so long without a pause for breath."""
_SHARE: Final = 10
"""Percent of the time in which the line is as quiet as its floor."""
_EVERY: Final = 8
"""Windows between two looks, a quarter of a second."""


class Floor:
    """Noise floor: the level below which the line is in a tenth of the last seconds."""

    def __init__(self) -> None:
        self.level = SILENCE_DB
        """dB of full scale."""
        self._levels = np.full(int(_REMEMBERED_S / WINDOW_S), SILENCE_DB, np.float32)
        self._count = 0

    def take(self, level: float) -> None:
        """Take the level of the next window, in dB of full scale."""
        self._levels[self._count % len(self._levels)] = level
        self._count += 1
        if not self._count % _EVERY:
            place = len(self._levels) * _SHARE // 100
            self.level = float(np.partition(self._levels, place)[place])
