"""Measure an echo: bit-exact or not, how late, how much is missing. Pure; holds only audio that has not come back yet."""

import math
from array import array
from collections import deque
from collections.abc import Sequence


class EchoMeter:
    """Compare audio received with audio sent as one continuous stream, so that a server may re-frame it.

    Times are seconds of one monotonic clock. Round trips are taken until the first difference: after it no
    received byte can be matched with the time it was sent.
    """

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.bytes_received = 0
        self.first_difference: int | None = None
        """Byte offset in the stream where the echo first differs from what was sent, or goes beyond it."""
        self.round_trips = array("d")
        """Seconds, one for each frame that came back."""
        self._outstanding = bytearray()
        self._matched = 0
        self._due: deque[tuple[int, float]] = deque()

    def sent(self, pcm: bytes, at: float) -> None:
        """Count ``pcm`` as sent at time ``at``."""
        self.bytes_sent += len(pcm)
        if self.first_difference is None:
            self._outstanding += pcm
            self._due.append((self.bytes_sent, at))

    def received(self, pcm: bytes, at: float) -> None:
        """Count ``pcm`` as received at time ``at``."""
        self.bytes_received += len(pcm)
        if self.first_difference is not None:
            return
        if not self._outstanding.startswith(pcm):
            self.first_difference = self._matched + _common(self._outstanding, pcm)
            self._outstanding.clear()
            self._due.clear()
            return
        del self._outstanding[: len(pcm)]
        self._matched += len(pcm)
        while self._due and self._due[0][0] <= self._matched:
            self.round_trips.append(at - self._due.popleft()[1])

    @property
    def complete(self) -> bool:
        """Return True if as much came back as was sent."""
        return self.bytes_received >= self.bytes_sent

    @property
    def difference(self) -> int | None:
        """Return `first_difference`, or the offset where the echo ends too soon; None: bit-exact and whole."""
        if self.first_difference is None and not self.complete:
            return self._matched
        return self.first_difference


def _common(left: bytes | bytearray, right: bytes) -> int:
    """Return how many bytes both begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(left), len(right)))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: the smallest value that ``percent`` % of ``values`` do not exceed. Not empty."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
