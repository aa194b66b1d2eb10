"""Automatic gain: soft callers reach the recognisers as loud as others do, and noise is not made into speech."""

from collections import deque
from typing import Final

import numpy as np

from exotel_ws.ai.hearing.windows import SILENCE_DB, WINDOW, Window

_WANTED_DB: Final = -24.0
"""Level of a usual caller."""
_MOST_DB: Final = 34.0
"""Greatest gain. A caller who is softer than that is not above the noise of the line's own coding."""
_FLOOR_DB: Final = -48.0
"""Level to which noise is amplified at most: no detector takes it for a voice, and no recogniser for a word."""
_STANDS_OUT_DB: Final = 10.0
"""Least distance of a voice from the noise, before anything is known to be one."""
AUDIBLE_DB: Final = -72.0
"""Level below which nothing is a voice: three bits of 16."""
_RECENT: Final = 10
"""Windows, a third of a second: the loudest of them stands for a voice that begins."""
_LOUDEST: Final = 0.9
"""Greatest amplitude of amplified sound, of full scale."""


class Gain:
    """Gain of one call, a window at a time; it never lowers a voice.

    Follows the caller's level once that is known, and what stands out of the noise until then. It changes within a window from
    one value to the next without a step; only what would be clipped lowers it at once.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._factor = 1.0

    def __call__(self, window: Window, level: float, floor: float, caller: float | None) -> Window:
        """Return ``window``, amplified; ``level``, the ``floor`` of noise and ``caller`` (None: unknown) are dB of full scale."""
        self._recent.append(level)
        factor = self._wanted(floor, caller)
        peak = float(np.abs(window).max())
        factor = min(factor, max(1.0, _LOUDEST / peak)) if peak else factor
        before = min(self._factor, factor) if peak * self._factor > _LOUDEST else self._factor
        self._factor = factor
        if before == factor:
            return window if factor == 1.0 else window * np.float32(factor)
        return window * np.linspace(before, factor, WINDOW, dtype=np.float32)

    def _wanted(self, floor: float, caller: float | None) -> float:
        if caller is None:
            loudest = max(self._recent)
            caller = loudest if loudest > max(AUDIBLE_DB, floor + _STANDS_OUT_DB) else None
        if caller is None:
            return self._factor
        db = min(_WANTED_DB - caller, _MOST_DB, _FLOOR_DB - max(floor, SILENCE_DB))
        return float(10 ** (max(0.0, db) / 20))
