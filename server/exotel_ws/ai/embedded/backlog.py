"""Judge whether the turn model, which all calls of a worker share, would answer in time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_IN_TIME_S: Final = 0.4
"""Seconds in which an answer can still shorten a silence: from the shortest that ends a turn to the usual one."""
_FORGETS: Final = 0.9
"""Share of its time that is still expected after each question that was not asked, so that it is tried again."""


class Backlog:
    """Questions that the model has not answered yet, and the time it takes for one, which is longer on a busy core."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` returns seconds."""
        self._now = now
        self._owed = 0
        self._takes_s = 0.0
        self.on_left_out: Callable[[], None] = lambda: None
        """Called for each question that is not asked."""

    def in_time(self) -> bool:
        """Return True if one more question would be answered in time; otherwise count it as left out."""
        if (self._owed + 1) * self._takes_s <= _IN_TIME_S:
            return True
        self._takes_s *= _FORGETS
        self.on_left_out()
        return False

    @contextmanager
    def question(self) -> Iterator[None]:
        """Count a question for the length of the block."""
        self._owed += 1
        try:
            yield
        finally:
            self._owed -= 1

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Measure an answer, which the block computes, in the model's thread."""
        begun = self._now()
        yield
        self._takes_s = self._now() - begun
