"""Time at which audio was sent, told from how much of it has come: networks and loops deliver unevenly."""

from collections.abc import Callable
from typing import Final

_DRIFT: Final = 0.02
"""Share by which audio may come slower than the clock: so it catches up where some was lost on its way."""


class AudioTime:
    """Time of one call's audio, by its quickest piece: a piece that comes late is of the time at which it was due."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns seconds."""
        self._clock = clock
        self._ends: float | None = None

    def before(self, seconds: float) -> float:
        """Take ``seconds`` of audio that come now. Return the time at which they began."""
        now = self._clock()
        begins = now - seconds
        if self._ends is not None:
            begins = min(begins, self._ends + _DRIFT * seconds)
        self._ends = begins + seconds
        return begins
