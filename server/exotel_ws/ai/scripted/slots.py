"""Ask for the values that an intent needs: each asked, said back, corrected, and kept for the call of a tool."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from exotel_ws.ai.scripted import numerals, values
from exotel_ws.ai.scripted.values import MOST_DIGITS, Kind
from exotel_ws.ai.settings import Lines

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
MOST_MISSES: Final = 3
"""Turns in a row that give a slot nothing, or times that what was said back is wrong; then the flow's fallback is said."""
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,31})\}")
_LEAST_UNASKED: Final = 3
"""Fewest digits of a number that is taken out of a sentence which was no answer to a question."""


class Slot(Struct, frozen=True, forbid_unknown_fields=True):
    """A value that callers are asked for. ``digits`` are how many a number has: one count, or the fewest and the most.

    ``again`` is said where an answer held no such value, and ``read_back`` with the value in it before it is used.
    """

    kind: Kind
    ask: Lines
    again: Lines = ""
    read_back: Lines = ""
    digits: list[int] = []

    @property
    def lengths(self) -> tuple[int, int]:
        """Return the fewest and the most digits."""
        return values.lengths_of(self.kind, self.digits)


class Taken(Enum):
    """Effect of a turn on the slots that are being filled."""

    MISSED = auto()
    """It gave them nothing."""
    PART = auto()
    """Something is still to be said by the caller."""
    DONE = auto()
    """All have their value."""


@dataclass(slots=True)
class Filling:
    """Slots of one intent after the turns so far."""

    slots: Mapping[str, Slot]
    needs: Sequence[str]
    filled: dict[str, str] = field(default_factory=dict)
    heard: str = ""
    """Value that was said back and is not yet confirmed."""
    part: str = ""
    """Digits of a number of which the caller has said a part."""
    misses: int = 0
    rejections: int = 0
    """Times that what was said back of the slot was wrong."""

    @property
    def asked(self) -> str:
        """Return the name of the slot that is being filled."""
        return next(name for name in self.needs if name not in self.filled)

    def begin(self, text: str, today: date) -> Taken:
        """Take the values that the caller gave with their wish: "where is my order 4821". Keys give none."""
        slot = self.slots[self.asked]
        found = values.read(slot.kind, text, slot.lengths, today) if slot.kind != "yes_no" else ""
        if slot.kind in ("number", "phone") and len(found) < _LEAST_UNASKED:
            found = ""
        return self._keep(found) if found else Taken.PART

    def take(self, text: str, today: date, *, keys: bool = False) -> Taken:
        """Take an answer: a value, a part of one, a correction, or a yes or no to what was said back."""
        slot = self.slots[self.asked]
        if keys:
            found = values.pressed(slot.kind, text, slot.lengths, today)
        else:
            found = values.read(slot.kind, text, slot.lengths, today)
        if self.heard and slot.kind != "yes_no":
            return self._confirm(text, found, keys=keys)
        if not found and slot.kind in ("number", "phone"):
            found = self._joined(slot, text if keys else numerals.digits(text))
            if self.part:
                return Taken.PART
        return self._keep(found) if found else self._missed()

    def put_off(self, closes: bool) -> bool:
        """Return True if the question stays open behind the answer to another wish; a yes would then answer that one."""
        self.heard = self.part = ""
        return not closes and self.slots[self.asked].kind != "yes_no"

    def question(self, language: str) -> Lines:
        """Return what to ask now, with the value that was heard in it; of a number in parts what there is, to be continued."""
        slot = self.slots[self.asked]
        if self.heard:
            return filled(slot.read_back, {self.asked: values.spoken(slot.kind, self.heard, language)})
        if self.part:
            return f"{', '.join(self.part)}…"
        return slot.again if self.misses and slot.again else slot.ask

    def _confirm(self, text: str, found: str, *, keys: bool) -> Taken:
        answer = {"1": True, "2": False}.get(text) if keys else values.agrees(text)
        if answer is True and (not found or found == self.heard or keys):
            self.filled[self.asked] = self.heard
            return self._next()
        if found and not (keys and answer is False):
            return self._keep(found)
        if answer is False:
            self.heard = self.part = ""
            self.misses = 0
            self.rejections += 1
            if self.rejections < MOST_MISSES:
                return Taken.PART
            self.misses = MOST_MISSES  # what the caller says reaches us as something else, and would the next time
            return Taken.MISSED
        return self._missed()

    def _joined(self, slot: Slot, digits: str) -> str:
        """Return the number that earlier parts and ``digits`` are together; as long as it is too short, keep them."""
        if not digits.isdigit():
            self.part = ""
            return ""
        together = self.part + digits
        joined = values.fitting(slot.kind, together, slot.lengths)
        self.part = "" if joined or len(together) > slot.lengths[1] else together
        return joined

    def _keep(self, found: str) -> Taken:
        self.part, self.misses = "", 0
        if self.slots[self.asked].read_back:
            self.heard = found
            return Taken.PART
        self.filled[self.asked] = found
        return self._next()

    def _next(self) -> Taken:
        self.heard, self.misses, self.rejections = "", 0, 0
        return Taken.DONE if all(name in self.filled for name in self.needs) else Taken.PART

    def _missed(self) -> Taken:
        self.misses += 1
        return Taken.MISSED


def filled(said: Lines, texts: Mapping[str, str]) -> Lines:
    """Return ``said`` with each ``{name}`` that ``texts`` has replaced; others stay."""

    def put(some: str | list[str]) -> str | list[str]:
        if isinstance(some, list):
            return [_put(text, texts) for text in some]
        return _put(some, texts)

    return {tag: put(some) for tag, some in said.items()} if isinstance(said, dict) else put(said)


def _put(text: str, texts: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: texts.get(found[1], found[0]), text)


def placeholders(said: Lines) -> Iterator[str]:
    """Yield the name of each ``{name}`` in ``said``."""
    for some in said.values() if isinstance(said, dict) else (said,):
        for text in (some,) if isinstance(some, str) else some:
            yield from _PLACEHOLDER.findall(text)


def problems(name: str, slot: Slot) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a slot: the key, and the text with what to do."""
    if not NAME.fullmatch(name):
        yield "", "a slot's name is up to 32 letters, digits and _, and begins with a letter: it stands in texts as {name}"
    if not slot.ask:
        yield "ask", "an empty text can't be said"
    if slot.kind != "yes_no" and not slot.read_back:
        yield "", f'needs read_back, in which {{{name}}} is what was heard: "{{{name}}}. Is that right?"'
    if slot.kind == "yes_no" and slot.read_back:
        yield "read_back", "has no place here: a yes or no is not said back"
    for key, said in (("ask", slot.ask), ("again", slot.again), ("read_back", slot.read_back)):
        known = {name} if key == "read_back" else set()
        for unknown in sorted(set(placeholders(said)) - known):
            yield key, f"{{{unknown}}} is not known here" + (f", only {{{name}}} is" if known else "")
    texts = slot.read_back.values() if isinstance(slot.read_back, dict) else (slot.read_back,)
    for text in texts:
        for one in (text,) if isinstance(text, str) else text:
            if one and name not in _PLACEHOLDER.findall(one):
                yield "read_back", f"needs {{{name}}} in each text: what was heard stands there"
    yield from (("digits", problem) for problem in _lengths(slot))


def _lengths(slot: Slot) -> Iterator[str]:
    if not slot.digits:
        return
    if slot.kind not in ("number", "phone"):
        yield f"a {slot.kind} has no number of digits: take it out"
    elif len(slot.digits) > 2 or not 1 <= slot.digits[0] <= slot.digits[-1] <= MOST_DIGITS:
        yield f"is one count, or the fewest and the most, of 1 to {MOST_DIGITS}: [6] or [4, 12]"
