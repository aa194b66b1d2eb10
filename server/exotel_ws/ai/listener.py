"""Let the bot, which a voice has stopped, go on after a listener's word: once it is known for one, or soon after it is over."""

import asyncio
from collections.abc import Callable
from typing import Final

from exotel_ws.ai.alarm import Alarm, Clock
from exotel_ws.ai.remarks import Remarks

_SHORT_S: Final = 0.4
"""Longest time in seconds from the bot's stop to the pause after a short word: the bot goes on at once."""
_WORD_S: Final = 0.9
"""The same of the longest of listeners' words. Who speaks for longer wants something."""
_WORDS_COME_S: Final = 0.1
"""Seconds in the pause after a word that is not short in which it may be recognised; then the bot goes on without."""


class Listener:
    """Judge what is said over the bot while it is held back.

    Guarantees: a voice that is no longer than a listener's word holds the bot back until `_WORDS_COME_S` after its pause was
    noticed, whatever becomes of its words. If these want something, the bot stops again.
    """

    def __init__(self, remarks: Remarks, clock: Clock, go_on: Callable[[], None], stop: Callable[[], None]) -> None:
        """Call ``go_on`` to let the bot go on, and ``stop`` if it was let go on too soon."""
        self._remarks = remarks
        self._clock = clock
        self._go_on, self._stop = go_on, stop
        self._considering: asyncio.Task[None] | None = None
        """Task that asks the flow about what seems to be a remark."""
        self._alarm = Alarm(clock, self._without_words)
        self._stopped_at = 0.0
        self._unsure = self._wants = False
        """True if the bot goes on after a voice whose words are not known yet; and once some words want something."""

    def stopped(self) -> None:
        """Note that a voice has stopped the bot."""
        if not self._unsure:
            self._stopped_at = self._clock.time()

    def voice(self) -> None:
        """Note a voice: whatever was being judged is not all."""
        self._alarm.off()
        if self._considering is not None:
            self._considering.cancel()
            self._considering = None

    def over(self) -> None:
        """Judge nothing more of what was said."""
        self.voice()
        self._unsure = self._wants = False

    def pauses(self) -> None:
        """Note that the voice pauses."""
        held_s = self._clock.time() - self._stopped_at
        if held_s <= _WORD_S and not self._wants:
            self._alarm.set(0.0 if held_s <= _SHORT_S else _WORDS_COME_S)

    def seems(self, text: str, *, asked: bool, joins: bool) -> None:
        """Take what the speech is so far. ``asked``: the bot was asking for a yes or no.

        ``joins``: it may be the rest of the caller's last turn, of which a flow makes nothing by itself.
        """
        self.voice()
        if self._remarks.is_nod(text, asked=asked):
            self._known(none=True)
        elif not joins:
            self._considering = asyncio.create_task(self._consider(text, asked))

    async def _consider(self, text: str, asked: bool) -> None:
        self._known(none=await self._remarks.takes_no_turn(text, asked=asked))

    def _known(self, *, none: bool) -> None:
        """Act on speech that takes no turn, or takes one."""
        unsure, self._unsure, self._wants = self._unsure, False, not none
        if none:
            self._go_on()
        elif unsure:
            self._stop()

    def _without_words(self) -> None:
        self._unsure = True
        self._go_on()
