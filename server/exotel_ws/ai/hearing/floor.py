"""Level of the line without a voice, and how far voices stand above it."""

from typing import Final

import numpy as np

from exotel_ws.ai.hearing.windows import SILENCE_DB, WINDOW_S

_REMEMBERED_S: Final = 4.0
"""Seconds that are looked back upon: nobody speaks for so long without a pause for breath."""
_SHARE: Final = 10
"""Percent of the time in which the line is as quiet as its floor."""
_LOW: Final = 30
"""Percent of the time in which nobody speaks but who makes the noise, even if the bot has only just answered."""
_STEADY_DB: Final = 1.3
"""Most difference of these two levels in the noise of a motor, a fan or a wire; in that of voices it is 1.8 dB and more."""
_EVERY: Final = 8
"""Windows between two looks, a quarter of a second."""


class Floor:
    """Noise floor: the level below which the line is in a tenth of the last seconds."""

    def __init__(self) -> None:
        self.level = SILENCE_DB
        """dB of full scale."""
        self.steady = True
        """True if the noise hardly varies."""
        self._levels = np.full(int(_REMEMBERED_S / WINDOW_S), SILENCE_DB, np.float32)
        self._count = 0

    def take(self, level: float) -> None:
        """Take the level of the next window, in dB of full scale."""
        self._levels[self._count % len(self._levels)] = level
        self._count += 1
        if not self._count % _EVERY:
            place, low = (len(self._levels) * share // 100 for share in (_SHARE, _LOW))
            levels = np.partition(self._levels, (place, low))
            self.level = float(levels[place])
            self.steady = bool(levels[low] - levels[place] < _STEADY_DB)
