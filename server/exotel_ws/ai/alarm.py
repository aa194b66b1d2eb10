"""The clock of an event loop, and a timer that can be set again."""

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that an event loop is about to make."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of an event loop that timers need: its time in seconds, and a call at a time."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> Timer: ...


class Alarm:
    """Call ``ring`` once, a number of seconds after it was set last."""

    def __init__(self, clock: Clock, ring: Callable[[], object]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: Timer | None = None

    def set(self, seconds: float) -> None:
        """Ring in ``seconds``, and not when it was to ring before."""
        self.off()
        self._timer = self._clock.call_at(self._clock.time() + seconds, self._due)

    def off(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self._ring()
