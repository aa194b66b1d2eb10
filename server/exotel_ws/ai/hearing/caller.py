"""Tell the caller's voice from others that are far softer: a second talker, a television, a crowd."""

import math
from typing import Final

from exotel_ws.ai.hearing.windows import WINDOW_S

_BELOW_DB: Final = 14.0
"""Distance from the caller's loudest words below which a voice is not theirs. They exceed the mean of their voice by 4 dB."""
_ABOVE_CROWD_DB: Final = 7.0
"""Distance by which a voice stands above the noise where that is a crowd; what does not is one of it."""
_OF_NOISE_DB: Final = 4.0
"""Distance from the floor within which a window is of the noise alone."""
_CROWD: Final = 0.3
"""Share of voices in the noise that makes it a crowd. A motor has hardly any: a caller is told from it without their level."""
_SLOWLY: Final = 0.03
"""Weight of a window in that share, which so is of a second of noise."""
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
        self._power = self._crowd = 0.0
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
        if mean < floor + _OF_NOISE_DB:
            self._crowd += _SLOWLY * (voice - self._crowd)
        if not voice:
            return False
        if self.level is not None and mean < self._level - _BELOW_DB:
            return self._refused(mean)
        if self._crowd > _CROWD and mean < floor + _ABOVE_CROWD_DB:
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
