"""Tell the caller's voice from others that are far softer: a second talker, a television, a crowd."""

import math
from typing import Final

from exotel_ws.ai.hearing.windows import WINDOW_S

_BELOW_DB: Final = 14.0
"""Distance from the caller's loudest words below which a voice is not theirs. They exceed the mean of their voice by 4 dB."""
_ABOVE_NOISE_DB: Final = 7.0
"""Distance by which a voice stands above the noise; what does not is one of a crowd."""
_UP: Final = 0.2
_DOWN: Final = 0.02
"""Share by which the level follows a window that is louder, or softer: so it settles at the loud words."""
_KNOWN_S: Final = 0.5
"""Seconds of voice after which the caller's level is known."""
_PATIENCE_S: Final = 4.0
"""Seconds of softer voices, without a word of the caller, after which it is the caller who has become softer."""
_MEAN: Final = 0.4
"""Weight of a window in the mean power that is judged, which so is of a tenth of a second."""


class CallerLevel:
    """Level of one caller's voice, and which voices are too soft to be theirs."""

    def __init__(self) -> None:
        self._level = 0.0
        self._power = 0.0
        self._heard_s = self._refused_s = 0.0
        self.other = False
        """True if the last window is of a voice that is not the caller's."""

    @property
    def level(self) -> float | None:
        """Return the level of the caller's loud words in dB of full scale; None until it is known."""
        return self._level if self._heard_s >= _KNOWN_S else None

    def is_theirs(self, voice: bool, level: float, floor: float) -> bool:
        """Take the next window; return True if it is of a voice that may be the caller's.

        ``level`` and the ``floor`` of noise are in dB of full scale.
        """
        self._power += _MEAN * (10 ** (level / 10) - self._power)
        mean = 10 * math.log10(self._power)
        self.other = False
        if not voice:
            return False
        if self.level is not None and mean < self._level - _BELOW_DB:
            return self._refused(mean)
        if mean < floor + _ABOVE_NOISE_DB:
            return False
        self._refused_s = 0.0
        if not self._heard_s:
            self._level = mean
        self._heard_s += WINDOW_S
        self._level += (_UP if mean > self._level else _DOWN) * (mean - self._level)
        return True

    def _refused(self, mean: float) -> bool:
        """Refuse a voice, but not for ever: a caller who has moved away from the telephone is heard again."""
        self._refused_s += WINDOW_S
        if self._refused_s < _PATIENCE_S:
            self.other = True
            return False
        self._level = mean + _BELOW_DB / 2
        self._refused_s = 0.0
        return True
