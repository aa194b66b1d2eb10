"""Waits of a call that need a bound: for words after a voice, for a caller who is silent, and for the end of a goodbye."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from exotel_ws.ai.alarm import Alarm, Clock
from exotel_ws.ai.playout import Playout

_NO_WORDS_S: Final = 1.0
"""Seconds after a noise in which its words may come; without any, the bot goes on."""
NOTICED_S: Final = 0.25
"""Seconds of voice after which it is noticed: the detector's 0.2 s, and one of its windows."""
_RECOGNISED_S: Final = 2.0
"""Seconds in which the words of the longest speech become a turn; then its voice holds the bot back no more."""
_GOODBYE_BEGINS_S: Final = 5.0
"""Seconds in which the last sentence has to begin; then the stream ends without it."""
_GOODBYE_S: Final = 60.0
"""Longest duration of the last sentence in seconds."""
_GOODBYE_CHECK_S: Final = 1.0
"""Seconds between two looks at a last sentence that is still playing."""
_PROMPT_S: Final = 5.0
"""Seconds allowed for a prompt to be heard; then the silence after it counts all the same."""


class Utterance:
    """Speech of the caller that has not become a turn, and the time by which it has to."""

    def __init__(self, clock: Clock, on_nothing: Callable[[], None], longest_s: float) -> None:
        """Call ``on_nothing`` if the voice does not become words, or its words no turn.

        Speech is ended after ``longest_s`` seconds, or a while later at most: some lines are never quiet.
        """
        self.interrupts = False
        """True if the caller began to speak while the bot did."""
        self.over = asyncio.Event()
        """Set while nobody speaks, and all that was said has become a turn or nothing."""
        self.over.set()
        self.began = 0.0
        """Time of the clock at which the speech began."""
        self._clock = clock
        self._voice_s = longest_s + _RECOGNISED_S
        self._has_words = False
        self._alarm = Alarm(clock, on_nothing)

    def voice(self) -> None:
        """Note that the caller speaks."""
        now = self._clock.time()
        if self.over.is_set():
            self.over.clear()
            self.began = now - NOTICED_S
        # A noise that stops and begins again does not hold the bot back for longer than one that does not stop.
        self._alarm.set(self._voice_s if self._has_words else max(0.0, self.began + NOTICED_S + self._voice_s - now))

    def words(self) -> None:
        """Note that some of the speech became text."""
        self._has_words = True
        self._alarm.set(self._voice_s)

    def pause(self) -> None:
        """Note that the voice has stopped; the caller may go on."""
        self._alarm.set(self._voice_s if self._has_words else _NO_WORDS_S)

    def end(self) -> None:
        """Wait for nothing more of this speech. `interrupts` keeps its value until the interruption is counted."""
        self._has_words = False
        self.over.set()
        self._alarm.off()


class Patience:
    """Ask a caller who says nothing ``prompts`` in turn; then give up."""

    def __init__(
        self, prompts: Sequence[str], after_s: float, clock: Clock, on_prompt: Callable[[str], None], on_end: Callable[[], None]
    ) -> None:
        """``after_s`` is the silence in seconds before each prompt.

        Call ``on_prompt`` with each prompt, and ``on_end`` once the caller has not answered the last one.
        """
        self._prompts = prompts
        self._after_s = after_s
        self._on_prompt = on_prompt
        self._on_end = on_end
        self._asked = 0
        self._alarm = Alarm(clock, self._silent)

    def wait(self) -> None:
        """Count the caller's silence from now on."""
        self._alarm.set(self._after_s)

    def stop(self) -> None:
        """Stop counting."""
        self._alarm.off()

    def answered(self) -> None:
        """Stop counting, and begin with the first prompt the next time."""
        self._alarm.off()
        self._asked = 0

    def _silent(self) -> None:
        if self._asked < len(self._prompts):
            self._on_prompt(self._prompts[self._asked])
            self._asked += 1
            self._alarm.set(self._after_s + _PROMPT_S)
        else:
            self._on_end()


class Goodbye:
    """Wait for the last sentence to be heard, but not without end."""

    def __init__(self, clock: Clock, playout: Playout, on_late: Callable[[], None]) -> None:
        """Call ``on_late`` if the sentence has not begun in time, or does not end in time."""
        self._clock = clock
        self._playout = playout
        self._on_late = on_late
        self._until = 0.0
        self._alarm = Alarm(clock, self._check)

    def begin(self) -> None:
        """Wait for a last sentence from now on."""
        self._until = self._clock.time() + _GOODBYE_S
        self._alarm.set(_GOODBYE_BEGINS_S)

    def stop(self) -> None:
        """Stop waiting."""
        self._alarm.off()

    def _check(self) -> None:
        if self._playout.outstanding and self._clock.time() < self._until:
            self._alarm.set(_GOODBYE_CHECK_S)
        else:
            self._on_late()
