"""A token bucket: so many events a second on average, and so many at once."""


class Bucket:
    """Allow ``rate`` events a second, and ``burst`` of them at once after a pause. The caller brings the clock (seconds)."""

    __slots__ = ("_at", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._left = burst
        self._at = now

    def take(self, now: float, count: float = 1.0) -> bool:
        """Take ``count`` events out. Return False, and take none, if there are not so many."""
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < count:
            return False
        self._left -= count
        return True

    def owe(self, count: float) -> None:
        """Take ``count`` events out, though fewer may be left: they are missing later."""
        self._left -= count

    def give(self, count: float) -> None:
        """Put ``count`` events back, up to the burst."""
        self._left = min(self.burst, self._left + count)
