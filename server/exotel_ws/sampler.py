"""Decides which of many equal log lines is written: the first of its kind, then one in a while that counts the rest."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

_MOST_KEYS: Final = 1000


class Sampler:
    """Let one line of a kind through each ``every_s`` seconds. Keeps at most a thousand kinds; the oldest is forgotten."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def due(self, kind: Hashable, now: float) -> int | None:
        """Return how many lines of this kind were left out since the last one; None if this one is to be left out too."""
        said_at, left_out = self._kinds.get(kind, (float("-inf"), 0))
        if now - said_at < self._every_s:
            self._kinds[kind] = (said_at, left_out + 1)
            return None
        self._kinds[kind] = (now, 0)
        self._kinds.move_to_end(kind)
        if len(self._kinds) > _MOST_KEYS:
            self._kinds.popitem(last=False)
        return left_out
