"""How much all taps of a worker together hold back of connections of which nobody knows yet whether they are asked for."""

from typing import Final

MOST: Final = 4 * 1024 * 1024
"""Bytes, whatever the number of taps and connections: anybody may connect, and need not start a call."""
_SMALL: Final = 4 * 1024
"""Bytes of one connection. Up to here all of `MOST` may be used, beyond it half: a few that talk much leave room for a call."""
_RECORD: Final = 64
"""Bytes that a record takes beside its own."""


class Held:
    """The account of a worker."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, record: bytes, held: int) -> int:
        """Bytes to be counted for ``record`` of a connection that has ``held`` so far; 0 where there is no room for it."""
        size = len(record) + _RECORD
        if self.size + size > (MOST if held + size <= _SMALL else MOST // 2):
            return 0
        self.size += size
        return size

    def give(self, size: int) -> None:
        """They are no longer held back."""
        self.size -= size
