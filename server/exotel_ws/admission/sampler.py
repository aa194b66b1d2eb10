"""Sample equal log lines: write the first few of a kind, then at intervals one that counts the rest."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from exotel_ws.admission.bucket import Bucket

_MOST_KINDS: Final = 1000


class Sampler:
    """Let ``burst`` lines of a kind through, then one each ``every_s`` seconds.

    Keeps at most a thousand kinds: the one that was not seen for longest is forgotten.
    """

    def __init__(self, every_s: float, burst: int = 1) -> None:
        self._every_s = every_s
        self._burst = burst
        self._kinds: OrderedDict[Hashable, tuple[Bucket, int]] = OrderedDict()

    def due(self, kind: Hashable, now: float) -> int | None:
        """Return the number of lines of this kind left out since the last one; None if this one is left out too."""
        bucket, left_out = self._kinds.get(kind) or (Bucket(1 / self._every_s, self._burst, now), 0)
        due = bucket.take(now)
        self._kinds[kind] = (bucket, 0 if due else left_out + 1)
        self._kinds.move_to_end(kind)
        if len(self._kinds) > _MOST_KINDS:
            self._kinds.popitem(last=False)
        return left_out if due else None
