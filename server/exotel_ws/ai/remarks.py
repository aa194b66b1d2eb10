"""Tell what is said to the bot from what only shows that somebody listens, or was never said to it."""

from collections.abc import Awaitable, Callable
from typing import Final

from exotel_ws.ai.settings import BargeIn, Turns
from exotel_ws.ai.wording import Phrases, words

Understands = Callable[[str], Awaitable[bool]]
"""Return True if a text means something to the flow."""
_SHORT: Final = 3
"""Most words of a remark over the bot that are no turn if the flow makes nothing of them."""


class Remarks:
    """Judge one call's remarks. ``understands`` is None where a language model answers, as only it knows what it understands."""

    def __init__(self, barge_in: BargeIn, turns: Turns, understands: Understands | None) -> None:
        self._least = barge_in.min_words
        self._nods = Phrases(barge_in.backchannels)
        self._answers = Phrases(barge_in.answers)
        self._always = Phrases(barge_in.always)
        self._greetings = Phrases(turns.greetings)
        self._announcements = [" ".join(words(each)) for each in turns.announcements]
        self._understands = understands

    def is_nod(self, text: str, *, asked: bool) -> bool:
        """Return True if ``text``, said over the bot, is nothing but words that listeners say.

        ``asked``: the bot was asking a question at that moment. It may be answered by "yes" or "okay"; by a hum it is not.
        """
        said = words(text)
        if len(said) < self._least:
            return True
        return self._nods.make_up(said) and not (asked and self._answers.are_in(said))

    async def takes_no_turn(self, text: str, *, asked: bool) -> bool:
        """Return True if ``text``, said over the bot, takes no turn: a nod, or a few words of which the flow makes nothing."""
        if self.is_nod(text, asked=asked):
            return True
        said = words(text)
        if len(said) > _SHORT or self._understands is None or self._always.make_up(said):
            return False
        if asked and self._answers.are_in(said):
            return False
        return not await self._understands(text)

    async def means_nothing(self, text: str) -> bool:
        """Return True if ``text``, said into the greeting, asks for nothing: "hello?", a nod, or an announcement."""
        said = words(text)
        line = f" {' '.join(said)} "
        if not said or self._nods.make_up(said) or self._greetings.make_up(said):
            return True
        if any(f" {each} " in line for each in self._announcements):
            return True
        return self._understands is not None and not await self._understands(text)
