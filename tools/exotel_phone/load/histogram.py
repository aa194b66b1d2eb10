"""Estimate percentiles of any number of values in constant memory: logarithmic buckets with a known relative error."""

import dataclasses
import math

ERROR = 0.01
"""Relative error of a percentile."""

_GROWTH = (1 + ERROR) / (1 - ERROR)
_PER_LOG = 1 / math.log(_GROWTH)
_LEAST = 1e-6


@dataclasses.dataclass(slots=True)
class Histogram:
    """Counts of values from 1e-6 up; smaller ones count as that. Between 1e-6 and 1e6 there are 1382 buckets at most.

    Bucket ``n`` holds what lies in (growth ** (n-1), growth ** n] and answers with the value in its middle. ``least`` and
    ``most`` are exact.
    """

    buckets: dict[int, int] = dataclasses.field(default_factory=dict)
    count: int = 0
    least: float = math.inf
    most: float = 0.0

    def add(self, value: float) -> None:
        """Count ``value``."""
        bucket = math.ceil(math.log(value if value > _LEAST else _LEAST) * _PER_LOG)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        if value > self.most:
            self.most = value
        if value < self.least:
            self.least = value

    def merge(self, other: "Histogram") -> None:
        """Add the counts of ``other``."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.most = max(self.most, other.most)
        self.least = min(self.least, other.least)

    def percentile(self, percent: float) -> float:
        """Return the nearest-rank percentile, within `ERROR` of it. The histogram must not be empty."""
        rank = max(1, math.ceil(self.count * percent / 100))
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                middle = 2 * _GROWTH**bucket / (_GROWTH + 1)
                return min(max(middle, self.least), self.most)
        raise ValueError("an empty histogram has no percentile")

    def summary(self) -> dict[str, float] | None:
        """Return p50, p95, p99 and the maximum; None if nothing was counted."""
        if not self.count:
            return None
        return {**{f"p{percent}": self.percentile(percent) for percent in (50, 95, 99)}, "max": self.most}
