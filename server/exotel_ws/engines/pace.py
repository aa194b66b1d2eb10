"""Bounds on the messages and bytes of one connection: a phone's pace, and bursts that the network held back."""

from collections.abc import Callable
from typing import Final

from exotel_ws.settings import Limits

QUICK: Final = 25
"""Frames that are counted at once: half a second of a call."""
QUICK_BYTES: Final = 2048
"""Most bytes of such a frame, which has 600 at 8 kHz and 1,500 at 24 kHz.

At a phone's pace 100 kB/s are counted, a fifth of the bound.
"""


class Pace:
    """Count the frames of one connection, including pings and fragments.

    Until `start` a connection may send ``early_messages`` and as many times ``early_message_bytes`` / 8 in all; from then on
    ``messages_per_s`` and ``bytes_per_s`` with their bursts. The clock is read only when an allowance is used up, so
    up to twice the burst may come after a pause.
    """

    __slots__ = ("_at", "_bytes", "_clock", "_limits", "_messages", "_started", "exceeded", "most_bytes")

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._at = clock()
        self._started = False
        self._messages: float = limits.early_messages
        self._bytes: float = limits.early_messages * limits.early_message_bytes // 8
        self.most_bytes = min(limits.early_message_bytes, limits.max_message_bytes)
        """Bytes of one message; fewer are allowed before the start."""
        self.exceeded = ""
        """The bound that was exceeded, once `take` has returned False."""

    def start(self) -> None:
        """Switch to the bounds of a started call."""
        limits = self._limits
        self._started = True
        self._at = self._clock()
        self._messages, self._bytes = limits.messages_burst, limits.bytes_burst
        self.most_bytes = limits.max_message_bytes

    def take(self, size: int) -> bool:
        """Count a frame of ``size`` bytes. Return False once the connection has sent too much, and for ever after."""
        self._messages -= 1
        self._bytes -= size
        return (self._messages >= 0 and self._bytes >= 0) or self._earn()

    def advance(self) -> int:
        """Count `QUICK` frames of at most `QUICK_BYTES` ahead, and return their number; 0 if the allowance is too small."""
        if not self._started or self._messages < QUICK or self._bytes < QUICK * QUICK_BYTES:
            return 0
        self._messages -= QUICK
        self._bytes -= QUICK * QUICK_BYTES
        return QUICK

    def give_back(self, frames: int) -> None:
        """Take back what `advance` counted and did not come."""
        self._messages += frames
        self._bytes += frames * QUICK_BYTES

    def _earn(self) -> bool:
        if self.exceeded:
            return False
        limits = self._limits
        if self._started:
            now = self._clock()
            passed_s, self._at = now - self._at, now
            self._messages = min(limits.messages_burst, self._messages + passed_s * limits.messages_per_s)
            self._bytes = min(limits.bytes_burst, self._bytes + passed_s * limits.bytes_per_s)
        if self._messages < 0:
            self.exceeded = "message_rate"
        elif self._bytes < 0:
            self.exceeded = "byte_rate"
        return not self.exceeded

    def reason(self) -> str:
        """Return, for a close frame, the bound that was exceeded."""
        limits = self._limits
        if not self._started:
            return "too much before start, see limits.early_messages"
        if self.exceeded == "byte_rate":
            return f"more than limits.bytes_per_s = {limits.bytes_per_s}"
        return f"more than limits.messages_per_s = {limits.messages_per_s:g}"
