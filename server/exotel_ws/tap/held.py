"""Bound what the taps of a worker hold back: records of connections that have not started, so may not be asked for."""

from typing import Final

MOST: Final = 4 * 1024 * 1024
"""Most bytes of all taps and connections together: anybody may connect, and need not start a call."""
_SMALL: Final = 4 * 1024
"""Bytes of one connection that may use all of `MOST`; more may use half of it, so that a few talkers leave room for a call."""
_RECORD: Final = 64
"""Bytes of overhead of a record."""


class Held:
    """Account of the bytes that a worker holds back."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, record: bytes, held: int) -> int:
        """Count ``record`` of a connection that has ``held`` bytes so far. Return the bytes counted, 0 if there is no room."""
        size = len(record) + _RECORD
        if self.size + size > (MOST if held + size <= _SMALL else MOST // 2):
            return 0
        self.size += size
        return size

    def give(self, size: int) -> None:
        """Give back bytes that are no longer held."""
        self.size -= size
