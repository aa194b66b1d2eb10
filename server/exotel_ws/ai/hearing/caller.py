"""Tell the caller's voice from others that are far softer: a second talker, a television, a crowd."""

import math
from typing import Final

from exotel_ws.ai.hearing.windows import WINDOW_S

_BELOW_DB: Final = 14.0
"""Distance from the caller's loudest words below which a voice is not theirs. They exceed the mean of their voice by 4 dB."""
_BEGINS_DB: Final = (8.0, 12.0)
"""Least and greatest distance at which they begin to speak, where another's voice is known: it is midway between the two."""
_GOES_ON_DB: Final = 3.0
"""Distance below that at which they still go on, as ends of sentences are soft; ``_GOES_ON_S`` seconds after their last sound."""
_GOES_ON_S: Final = 0.2
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
_SOFT_DB: Final = -33.0
"""Level of loud words in dB of full scale. Few callers are softer: the first voice of a call may be somebody else's."""
_SOFT_OVER_DB: Final = -28.0
"""The same over the bot, where nobody waits for an answer."""
_LOUDER_DB: Final = 10.0
"""Distance by which a voice exceeds such a one if it is another's, the caller's; words of one voice differ less."""
_LOUDER: Final = 4
"""Windows in a row that exceed it so."""
_PATIENCE_S: Final = 4.0
"""Seconds of softer voices, without a word of the caller or the bot, after which it is the caller who has become softer."""
_OTHER_S: Final = 1.0
"""Seconds of such voices, without a word of the caller, after which they are somebody else's and not soft words of the caller."""
_MEAN: Final = 0.4
"""Weight of a window in the mean power that is judged, which so is of a tenth of a second."""


class CallerLevel:
    """Level of one caller's voice, and which voices are too soft to be theirs."""

    def __init__(self) -> None:
        self._level = 0.0
        self._other: float | None = None
        """Level of the loud words of somebody else; None if nobody else is known."""
        self._power = self._crowd = 0.0
        self._heard_s = self._refused_s = self._others_s = 0.0
        self.silent_s = math.inf
        """Seconds since their voice was last heard."""
        self._louder = 0
        """Windows in a row that are far louder than the first voice."""
        self._sure = False
        """True if the voice at the level is known to be the caller's."""
        self._soft = _SOFT_DB
        """Level below which it may be another's."""
        self.other = False
        """True if the last window is of a voice that is not the caller's."""
        self.took_over = False
        """True if all voice before the last windows was somebody else's."""

    @property
    def level(self) -> float | None:
        """Return the level of the caller's loud words in dB of full scale; None until it is known."""
        return self._level if self._heard_s >= _KNOWN_S else None

    @property
    def doubtful(self) -> bool:
        """Return True if the voice that is heard is so soft that it may be another's."""
        return not self._sure and self._level < self._soft

    @property
    def has_company(self) -> bool:
        """Return True if somebody else is known, whose voice is softer."""
        return self._other is not None

    @property
    def in_a_crowd(self) -> bool:
        """Return True if the noise around the caller is of voices."""
        return self._crowd > _CROWD

    def trust(self) -> None:
        """Note that the soft voice is the caller's."""
        self._sure = True

    def distrust(self) -> None:
        """Note that the soft voice is somebody else's, and the caller's is not known yet."""
        self._other, self._heard_s = self._level, 0.0

    def is_theirs(self, voice: bool, level: float, floor: float, *, over: bool = False) -> bool:
        """Take the next window; return True if it is of a voice that may be the caller's.

        ``level`` and the ``floor`` of noise are in dB of full scale. ``over``: the bot speaks.
        """
        self._power += _MEAN * (10 ** (level / 10) - self._power)
        mean = 10 * math.log10(self._power)
        self.other = self.took_over = False
        self.silent_s += WINDOW_S
        if mean < floor + _OF_NOISE_DB:
            self._crowd += _SLOWLY * (voice - self._crowd)
        if not voice:
            return False
        if self.in_a_crowd and mean < floor + _ABOVE_CROWD_DB:
            self.other = True
            return False
        if mean < self._least():
            return self._refused(mean, over)
        self._refused_s = self._others_s = self.silent_s = 0.0
        self._follow(mean, over)
        return True

    def _least(self) -> float:
        """Return the level in dB of full scale from which on a voice is the caller's."""
        goes_on = _GOES_ON_DB if self.silent_s < _GOES_ON_S else 0.0
        least, most = _BEGINS_DB
        if self.level is None:
            return -math.inf if self._other is None else self._other + least - goes_on
        if self._other is None:
            return self._level - (least if self.in_a_crowd and not goes_on else _BELOW_DB)
        return self._level - min(max((self._level - self._other) / 2, least), most) - goes_on

    def _follow(self, mean: float, over: bool) -> None:
        if not self._heard_s:
            self._level = mean
            self._soft = _SOFT_OVER_DB if over else _SOFT_DB
        self._heard_s += WINDOW_S
        if self.doubtful and self.level is not None and mean > self._level + _LOUDER_DB:
            self._louder += 1
            if self._louder >= _LOUDER:
                self._other, self._level = self._level, mean
                self._sure = self.took_over = True
            return
        self._louder = 0
        self._level = _followed(self._level, mean)
        self._sure |= self.level is not None and self._level >= self._soft

    def _refused(self, mean: float, over: bool) -> bool:
        """Refuse a voice, but not for ever: a caller who has moved away from the telephone is heard again."""
        self._others_s += WINDOW_S
        self._refused_s += WINDOW_S * (not over)
        if self._refused_s < _PATIENCE_S:
            self.other = True
            if self._others_s > _OTHER_S:
                self._other = mean if self._other is None else _followed(self._other, mean)
            return False
        self._level, self._other = mean + _BELOW_DB / 2, None
        self._refused_s = 0.0
        return True


def _followed(level: float, mean: float) -> float:
    """Return the level of a voice's loud words after a window of it."""
    return level + (_UP if mean > level else _DOWN) * (mean - level)
