"""What one connection may still use of what costs money: requests to a language model, and characters for a voice."""

from collections.abc import Callable

from exotel_ws.ai.settings import Limits
from exotel_ws.bucket import Bucket


class Allowance:
    """The account of one connection, however often its stream begins anew. Each bound's name is in `exotel_ws.tally.BOUNDS`."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """``clock`` tells seconds."""
        self._clock = clock
        now = clock()
        self._requests = Bucket(limits.requests_per_minute / 60, limits.requests_at_once, now)
        self._requests_left = limits.requests_per_call
        per_minute = limits.speech_characters_per_minute
        self._speech = Bucket(per_minute / 60, per_minute, now)
        self._speech_left = limits.speech_characters_per_call

    def request(self) -> str:
        """Take one request for a turn of the caller. Returns the bound that bites; empty: it may be made."""
        if self._requests_left <= 0:
            return "ai_requests_call"
        if not self._requests.take(self._clock()):
            return "ai_requests"
        self._requests_left -= 1
        return ""

    def request_again(self) -> None:
        """Count a further request of a turn, after a tool or a failure: it is owed if none is left."""
        self._requests_left -= 1
        self._requests.owe(1)

    def speak(self, characters: int) -> str:
        """Take ``characters`` of a model's answer. Returns the bound that bites; empty: they may be spoken."""
        if self._speech_left <= 0:
            return "ai_speech_call"
        if not self._speech.take(self._clock(), min(characters, self._speech.burst)):
            return "ai_speech"
        self._speech_left -= characters
        return ""

    def speak_anyway(self, characters: int) -> None:
        """Count what the server says by itself: its sentences are few and short, and never cut."""
        self._speech_left -= characters
        self._speech.owe(characters)
