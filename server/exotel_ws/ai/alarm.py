"""A timer that can be set again."""

from collections.abc import Callable

from exotel_ws.ai.playout import Clock, Timer


class Alarm:
    """Rings once, so long after it was set last."""

    def __init__(self, clock: Clock, ring: Callable[[], object]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: Timer | None = None

    def set(self, seconds: float) -> None:
        self.off()
        self._timer = self._clock.call_at(self._clock.time() + seconds, self._due)

    def off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self._ring()
