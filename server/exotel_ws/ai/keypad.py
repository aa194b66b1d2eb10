"""Keys as one input: several in quick succession are a number."""

from collections.abc import Callable
from typing import Final

from exotel_ws.ai.alarm import Alarm, Clock

APART_S: Final = 1.0
"""Keys further apart than this are inputs of their own."""
END: Final = "#"
"""Key that ends an input at once, unless another input ended less than `APART_S` ago."""
KEYS: Final = "DTMF: "
"""Prefix of keys in the messages of a dialogue."""
MOST: Final = 32
"""Most keys of one input; further keys without a pause are left out."""


class Keypad:
    """Collects keys until `END`, or until none follows for `APART_S`. `END` alone is an input too.

    Each input causes a request to a language model, so two inputs are always `APART_S` without a key apart.
    """

    def __init__(self, clock: Clock) -> None:
        self.on_keys: Callable[[str], None] = lambda _keys: None
        """Called with the keys of each input, without the `END` that ended it."""
        self._clock = clock
        self._keys = ""
        self._pressed_at = float("-inf")
        self._again = False
        """True if the keys followed an input without a pause; only a pause ends them then."""
        self._pause = Alarm(clock, self._done)

    @property
    def waiting(self) -> bool:
        """Return True while an input is incomplete."""
        return bool(self._keys)

    def press(self, key: str) -> None:
        """Add a key, and report the input if it is complete."""
        now = self._clock.time()
        if not self._keys:
            self._again = now - self._pressed_at < APART_S
        self._pressed_at = now
        if len(self._keys) < MOST:
            self._keys += key
        if not self._again and (key == END or len(self._keys) >= MOST):
            self._done()
        else:
            self._pause.set(APART_S)

    def close(self) -> None:
        """Forget the pressed keys."""
        self._keys = ""
        self._pause.off()

    def _done(self) -> None:
        keys = self._keys
        self.close()
        self.on_keys(keys.rstrip(END) or END)
