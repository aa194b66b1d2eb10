"""Compare two calls message by message in each direction, without the ids and numbering that differ between calls. Pure."""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from exotel_ws.mask import masked

from exotel_phone.captures.calls import Call, audio_of, document_of, kind_of
from exotel_phone.captures.gaps import GapChange, changes
from exotel_phone.captures.records import Message, Side
from exotel_phone.text import plural, printable

_SIDES: Final[tuple[Side, Side]] = ("exotel", "server")
_NUMBERS: Final = ("sequence_number", "chunk", "timestamp")
_CONTEXT: Final = 2
_NUMBERED_FROM: Final = 20
"""Messages of a direction in which its numbering is looked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parting:
    """The first difference in one direction, or of the ends.

    ``at_s`` is seconds since the call A opened, ``message`` the number of the message in its direction, from 1, in A; ``offset``
    the byte of this direction's audio where it is about audio. ``same_audio``: the sound is the same, only cut differently.
    ``context_a`` and ``context_b`` are the messages around it, one line each, the one itself marked.
    """

    side: Side | None
    at_s: float
    message: int
    kind: str
    text: str
    offset: int | None = None
    same_audio: bool | None = None
    context_a: tuple[str, ...] = ()
    context_b: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of two calls. ``partings`` are in order of time; ``doubts`` name what a capture does not hold."""

    partings: tuple[Parting, ...]
    gaps: tuple[GapChange, ...]
    doubts: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Return True if both say the same in the same messages."""
        return not self.partings


def compare(a: Call, b: Call, sides: Sequence[Side] = _SIDES) -> Comparison:
    """Compare two calls in ``sides`` and in how they ended. A different pace is told, and is no difference."""
    partings = [parting for side in sides if (parting := _walk(_Lane(a, side), _Lane(b, side)))]
    if a.close and b.close and (a.close.ended, a.close.code) != (b.close.ended, b.close.code):
        text = f"A ended by {_ending(a)}, B by {_ending(b)}"
        partings.append(Parting(None, a.close.at - a.opening.at, len(a.messages), "end", text))
    doubts = tuple(f"{name} lacks {call.missing}" for name, call in (("A", a), ("B", b)) if call.missing)
    return Comparison(tuple(sorted(partings, key=lambda parting: parting.at_s)), changes(a, b), doubts)


class _Lane:
    """One direction of a call."""

    def __init__(self, call: Call, side: Side) -> None:
        self.side = side
        self.began = call.opening.at
        self.messages = call.of(side)
        self._names = {value: f"<{key}>" for key, value in call.ids.items()}
        self._first: dict[str, int] = {}
        for message in self.messages[:_NUMBERED_FROM]:
            for key, value in _numbers(document_of(message.text)):
                self._first.setdefault(key, value)

    def meaning(self, message: Message) -> object:
        """Return the message with ids replaced by their names and numbers from zero; its text if it is no object."""
        document = document_of(message.text)
        try:
            return self._plain(document, "") if document else message.text
        except RecursionError:
            return message.text

    def _plain(self, value: Any, key: str) -> object:
        if isinstance(value, dict):
            return {name: self._plain(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self._plain(item, "") for item in value]
        if key in _NUMBERS and (number := _number(value)) is not None and key in self._first:
            return (type(value).__name__, number - self._first[key])
        return self._names.get(value, value) if isinstance(value, str) else value

    def context(self, index: int) -> tuple[str, ...]:
        """Return the messages around one, a line each."""
        around = range(max(0, index - _CONTEXT), min(len(self.messages), index + _CONTEXT + 1))
        lines = [f"{'>' if at == index else ' '} {self._line(self.messages[at])}" for at in around]
        return (*lines, "> (nothing more)") if index >= len(self.messages) else tuple(lines)

    def _line(self, message: Message) -> str:
        return f"{message.at - self.began:9.3f} s  {self.side:6}  {summary(message)}"


def summary(message: Message) -> str:
    """Return a message in a few words, fit for a terminal."""
    kind = kind_of(message)
    if kind == "media":
        pcm = audio_of(message)
        return f"media, {message.omitted} characters left out" if pcm is None else f"media, {plural(len(pcm), 'byte')}"
    if kind == "left out":
        return f"{plural(message.omitted, 'character')} left out"
    start = document_of(message.text).get("start") if kind == "start" else None
    if isinstance(start, dict):
        people = [masked(printable(str(start.get(key, "")), 30)) for key in ("from", "to")]
        return f"start, from {' to '.join(people)}, {printable(str(start.get('media_format')), 80)}"
    return printable(message.text.strip(), 110)


def _walk(a: _Lane, b: _Lane) -> Parting | None:
    """Return the first difference of two directions; None if there is none."""
    offset = 0
    for index, (left, right) in enumerate(zip_longest(a.messages, b.messages)):
        if left is None or right is None or not _same(a, left, b, right):
            return _parting(a, b, index, offset)
        offset += len(audio_of(left) or b"") if kind_of(left) == "media" else 0
    return None


def _same(a: _Lane, left: Message, b: _Lane, right: Message) -> bool:
    return left.omitted == right.omitted and (left.text == right.text or a.meaning(left) == b.meaning(right))


def _parting(a: _Lane, b: _Lane, index: int, offset: int) -> Parting:
    """Return the parting at a message, before which there are ``offset`` bytes of audio."""
    lane = a if index < len(a.messages) else b
    kind = kind_of(lane.messages[index])
    text, place, same_audio = _explanation(a, b, index, offset)
    place = place if kind == "media" else None
    at_s = lane.messages[index].at - lane.began
    return Parting(a.side, at_s, index + 1, kind, text, place, same_audio, a.context(index), b.context(index))


def _explanation(a: _Lane, b: _Lane, index: int, offset: int) -> tuple[str, int | None, bool | None]:
    """Return the text, the byte of the audio, and whether it is the same audio."""
    more = len(a.messages) - len(b.messages)
    if index == min(len(a.messages), len(b.messages)):
        longer, other = ("A", "B") if more > 0 else ("B", "A")
        return f"{other} has nothing more, {longer} {plural(abs(more), 'message')}", offset, None
    left, right = a.messages[index], b.messages[index]
    kinds = kind_of(left), kind_of(right)
    if kinds[0] != kinds[1]:
        return f"A has {printable(kinds[0], 40)}, B has {printable(kinds[1], 40)}", offset, None
    sound_a, sound_b = audio_of(left), audio_of(right)
    if kinds[0] == "media" and sound_a != sound_b and sound_a is not None and sound_b is not None:
        text, equal = _sounds(b"".join(_run(a, index)), b"".join(_run(b, index)), offset)
        size = f"A has {plural(len(sound_a), 'byte')} in a message, B {len(sound_b)}, from byte {offset} on; "
        place = offset if equal is None else offset + equal
        return text if len(sound_a) == len(sound_b) else size + text, place, equal is None
    return "; ".join(_differences(a.meaning(left), b.meaning(right), "")) or "left out differently", None, None


def _sounds(a: bytes, b: bytes, offset: int) -> tuple[str, int | None]:
    """Compare audio that begins at byte ``offset``; return the text, and how many bytes are equal, None: all that both have."""
    shared = min(len(a), len(b))
    equal = next((at for at in range(shared) if a[at] != b[at]), None)
    if equal is not None:
        return f"the audio differs from byte {offset + equal} on", equal
    more = "" if len(a) == len(b) else f", then {'A' if len(a) > len(b) else 'B'} has {abs(len(a) - len(b))} more"
    return f"the audio is the same in {plural(shared, 'byte')}{more}", None


def _run(lane: _Lane, index: int) -> Iterator[bytes]:
    """Return the PCM of the media from a message on, up to the first message of another kind."""
    for message in lane.messages[index:]:
        pcm = audio_of(message) if kind_of(message) == "media" else None
        if pcm is None:
            return
        yield pcm


def _differences(left: object, right: object, where: str) -> Iterator[str]:
    """Return every value that differs, by its path."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in dict.fromkeys([*left, *right]):
            path = f"{where}.{key}" if where else str(key)
            if key not in left or key not in right:
                yield f"{printable(path, 60)} is in {'A' if key in left else 'B'} only"
            elif left[key] != right[key]:
                yield from _differences(left[key], right[key], path)
        if list(left) != list(right) and left == right:
            yield f"the keys of {where or 'the message'} stand in another order"
    else:
        hide = masked if where in ("start.from", "start.to") else str
        yield f"{printable(where, 60) or 'text'}: A {hide(_shown(left))}, B {hide(_shown(right))}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"{value[1]} after the first, {'in quotes' if value[0] == 'str' else 'as a number'}"
    return printable(repr(value), 80)


def _numbers(document: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for place in (document, document.get("media")):
        if isinstance(place, dict):
            for key in _NUMBERS:
                number = _number(place.get(key))
                if number is not None:
                    yield key, number


def _number(value: object) -> int | None:
    try:
        return int(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _ending(call: Call) -> str:
    assert call.close is not None
    return f"{printable(call.close.ended, 40)} ({call.close.code})"
