"""Estimate percentiles of any number of values in constant memory: logarithmic buckets with a known relative error."""

import dataclasses
import math
from collections import Counter

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

    buckets: Counter[int] = dataclasses.field(default_factory=Counter)
    count: int = 0
    least: float = math.inf
    most: float = 0.0

    def add(self, value: float) -> None:
        """Count ``value``."""
        bucket = math.ceil(math.log(value if value > _LEAST else _LEAST) * _PER_LOG)
        self.buckets[bucket] += 1
        self.count += 1
        self.most = max(self.most, value)
        self.least = min(self.least, value)

    def merge(self, other: "Histogram") -> None:
        """Add the counts of ``other``."""
        self.buckets.update(other.buckets)
        self.count += other.count
        self.most = max(self.most, other.most)
        self.least = min(self.least, other.least)

    def percentile(self, percent: float) -> float | None:
        """Return the nearest-rank percentile, within `ERROR` of it; None if nothing was counted."""
        rank = max(1, math.ceil(self.count * percent / 100))
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                middle = 2 * _GROWTH**bucket / (_GROWTH + 1)
                return min(max(middle, self.least), self.most)
        return None

    def summary(self, digits: int | None = None) -> dict[str, float] | None:
        """Return p50, p95, p99 and the maximum, rounded to ``digits`` if given; None if nothing was counted."""
        named = {**{f"p{percent}": self.percentile(percent) for percent in (50, 95, 99)}, "max": self.most}
        found = {name: value if digits is None else round(value, digits) for name, value in named.items() if value is not None}
        return found if self.count else None
