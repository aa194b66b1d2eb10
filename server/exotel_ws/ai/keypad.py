"""Keys as one input: several in quick succession are a number."""

from collections.abc import Callable
from typing import Final

from exotel_ws.ai.alarm import Alarm
from exotel_ws.ai.playout import Clock

APART_S: Final = 1.0
"""Keys further apart than this are inputs of their own."""
END: Final = "#"
"""Ends an input at once."""
MOST: Final = 32
"""Keys in one input."""


class Keypad:
    """Collects keys until `END`, or until none follows for `APART_S`. `END` alone is an input too."""

    def __init__(self, clock: Clock, told: Callable[[str], None]) -> None:
        """``told`` is told each input: its keys, without the `END` that ended it."""
        self._told = told
        self._keys = ""
        self._pause = Alarm(clock, self._done)

    @property
    def waiting(self) -> bool:
        """Whether there are keys that may be followed by more."""
        return bool(self._keys)

    def press(self, key: str) -> None:
        self._keys += key
        if key == END or len(self._keys) >= MOST:
            self._done()
        else:
            self._pause.set(APART_S)

    def close(self) -> None:
        """Forget what was pressed."""
        self._keys = ""
        self._pause.off()

    def _done(self) -> None:
        keys = self._keys
        self.close()
        self._told(keys.removesuffix(END) or keys)
