"""Share between the calls of a worker which services fail, so that new calls do not try those first."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

_LONGEST: Final = 16.0
"""Most times ``skip_s`` for which a service that keeps failing is skipped."""


class _Record:
    __slots__ = ("failed_at", "skipped_until", "times")

    def __init__(self) -> None:
        self.failed_at: deque[float] = deque()
        self.skipped_until = 0.0
        self.times = 1.0


class Breaker:
    """Skip a service in new calls for ``skip_s`` seconds, once it failed in ``failures`` calls within ``skip_s``.

    Then it is tried again; a further failure doubles the time, up to sixteenfold, and a success forgets all.
    """

    def __init__(self, failures: int, skip_s: float, clock: Callable[[], float]) -> None:
        self._failures = failures
        self._skip_s = skip_s
        self._clock = clock
        self._records: dict[tuple[str, str], _Record] = {}

    def order(self, stage: str, names: Sequence[str]) -> list[str]:
        """Return ``names`` in the order in which a new call should try them: skipped ones last, as they are better than none."""
        return sorted(names, key=lambda name: self.skipped(stage, name))

    def skipped(self, stage: str, name: str) -> bool:
        """Return True while new calls should not try the service first."""
        record = self._records.get((stage, name))
        return record is not None and self._clock() < record.skipped_until

    def failed(self, stage: str, name: str) -> None:
        """Note that the service failed in a call; call it once a call."""
        record = self._records.setdefault((stage, name), _Record())
        now = self._clock()
        if now < record.skipped_until:
            return
        on_trial = record.skipped_until > 0
        record.failed_at.append(now)
        while record.failed_at[0] < now - self._skip_s:
            record.failed_at.popleft()
        if on_trial or len(record.failed_at) >= self._failures:
            if on_trial:
                record.times = min(_LONGEST, record.times * 2)
            record.skipped_until = now + self._skip_s * record.times
            record.failed_at.clear()

    def worked(self, stage: str, name: str) -> None:
        """Note that the service did its work; forget its failures."""
        self._records.pop((stage, name), None)
