"""Remaining budget of one connection for what costs money: requests to a language model, characters for a voice."""

from collections.abc import Callable

from exotel_ws.admission.bucket import Bucket
from exotel_ws.ai.settings import AiLimits


class Allowance:
    """Account of one connection, kept when its stream restarts. Names of bounds are those of `exotel_ws.metrics.tally.BOUNDS`."""

    def __init__(self, limits: AiLimits, clock: Callable[[], float], share: Callable[[], Bucket | None] = lambda: None) -> None:
        """``clock`` tells seconds.

        ``share`` returns the requests that untrusted connections of this source have together; None for a trusted connection.
        """
        self._clock = clock
        self._share = share
        now = clock()
        self._requests = Bucket(limits.requests_per_minute / 60, limits.requests_at_once, now)
        self._requests_left = limits.requests_per_call
        per_minute = limits.speech_characters_per_minute
        self._speech = Bucket(per_minute / 60, per_minute, now)
        self._speech_left = limits.speech_characters_per_call

    def request(self) -> str:
        """Take one request for a turn of the caller. Return the bound that bites, or an empty text if it may be made."""
        if self._requests_left <= 0:
            return "ai_requests_call"
        now, share = self._clock(), self._share()
        if not self._requests.take(now):
            return "ai_requests"
        if share is not None and not share.take(now):
            self._requests.give(1)
            return "ai_requests"
        self._requests_left -= 1
        return ""

    def request_ahead(self) -> bool:
        """Take one request that may be made in vain, if another is left for the turn that it is made ahead of."""
        now, share = self._clock(), self._share()
        if self._requests_left < 2 or not self._requests.take(now, 2):
            return False
        if share is not None and not share.take(now, 2):
            self._requests.give(2)
            return False
        self._requests_left -= 2
        self.request_back()
        return True

    def request_back(self) -> None:
        """Give one request back: the one that was made ahead of a turn is the turn's own."""
        self._requests_left += 1
        self._requests.give(1)
        if (share := self._share()) is not None:
            share.give(1)

    def request_again(self) -> None:
        """Count a further request of a turn, after a tool or a failure; with none left, it becomes a debt."""
        self._requests_left -= 1
        self._requests.owe(1)
        if (share := self._share()) is not None:
            share.owe(1)

    def speak(self, characters: int) -> str:
        """Take ``characters`` of a model's answer. Return the bound that bites, or an empty text if they may be spoken."""
        if self._speech_left <= 0:
            return "ai_speech_call"
        if not self._speech.take(self._clock(), min(characters, self._speech.burst)):
            return "ai_speech"
        self._speech_left -= characters
        return ""

    def speak_anyway(self, characters: int) -> None:
        """Count a sentence of the server's own; these are few and short, and never cut."""
        self._speech_left -= characters
        self._speech.owe(characters)
