"""Tell what is said to the bot from what only shows that somebody listens, or was never said to it."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from exotel_ws.ai.keypad import KEYS
from exotel_ws.ai.settings import BargeIn, Turns
from exotel_ws.ai.wording import Phrases, words

Understands = Callable[[str], Awaitable[bool]]
"""Return True if a text means something to the flow."""
Meaning = Literal["nothing", "something", "end"]
"""Effect of a text on a scripted flow: ``end`` ends the call, and can't be taken back."""
Understood = Literal["all", "some", "nothing"]
"""Part of the sentences of a turn that mean something to a flow."""
MeaningOf = Callable[[str], Awaitable[Meaning]]
"""Return the effect of a text on the flow."""
_SHORT: Final = 5
"""Most words of a remark over the bot that are no turn if the flow makes nothing of them."""
_BEFORE_LAST: Final = re.compile(r".*[.!?।？](?=\s*\S)", re.DOTALL)
_PARTS: Final = re.compile(r"(?<=[.!?…।])\s+")
_WH: Final = frozenset(words("who what when where why which how"))
_WH_HINDI: Final = frozenset(words("kaun kab kahan kyun kaise kitna kitne kitni कौन कब कहाँ क्यों कैसे कितना कितने कितनी"))
_FIRST: Final = 2
"""Words at the beginning of an English question of which one asks for more than a yes or no: "and what", "how"."""


def asks_yes_or_no(text: str) -> bool:
    """Return True if the last sentence of ``text`` is a question to which a yes, or an okay, is an answer."""
    if not text.rstrip().endswith(("?", "？")):
        return False
    asked = words(_BEFORE_LAST.sub("", text))
    return not (_WH.intersection(asked[:_FIRST]) or _WH_HINDI.intersection(asked))


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

        ``asked``: the bot was asking for a yes or no at that moment. It may be answered by "yes" or "okay"; by a hum it is not.
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

    async def understood(self, texts: Sequence[str]) -> Understood:
        """Return how much of ``texts`` means something to the flow; nods and greetings count as what is beside them."""
        if self._understands is None or any(text.startswith(KEYS) for text in texts):
            return "all"
        parts = [part for text in texts for part in _PARTS.split(text) if not self._is_courtesy(words(part))]
        known = [await self._understands(part) for part in parts]
        if all(known):
            return "all"
        return "some" if any(known) or any([await self._understands(text) for text in texts]) else "nothing"

    def _is_courtesy(self, said: tuple[str, ...]) -> bool:
        return self._nods.make_up(said) or self._greetings.make_up(said)

    async def means_nothing(self, text: str, *, asked: bool) -> bool:
        """Return True if ``text``, said into the greeting, asks for nothing: "hello?", a nod, or an announcement.

        ``asked``: the greeting asks for a yes or no.
        """
        said = words(text)
        line = f" {' '.join(said)} "
        if asked and self._answers.are_in(said):
            return False
        if not said or self._nods.make_up(said) or self._greetings.make_up(said):
            return True
        if any(f" {each} " in line for each in self._announcements):
            return True
        return self._understands is not None and not await self._understands(text)
