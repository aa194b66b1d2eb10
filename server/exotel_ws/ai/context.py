"""Dialogue sent to a language model with each request: what was said in one turn is one message, and all is within a bound."""

import json
from typing import Any, Final

_LEAST: Final = 200
"""Least characters kept of a tool's result."""


def unasked(messages: list[Any], asked: Any) -> tuple[list[Any], Any]:
    """Return the caller's messages at the end of ``messages`` since ``asked``, and ``asked`` if it is next to them, else None."""
    begin = len(messages)
    while begin and _role(messages[begin - 1]) == "user" and messages[begin - 1] is not asked:
        begin -= 1
    return messages[begin:], asked if begin and asked is not None and messages[begin - 1] is asked else None


def replaced(messages: list[Any], some: list[Any], by: Any) -> list[Any]:
    """Return ``messages`` with ``by`` in place of the first of ``some``, objects in it, and without the others. None: without."""
    gone = {id(message) for message in some}
    at = next((at for at, message in enumerate(messages) if id(message) in gone), len(messages))
    kept = [message for message in messages[at:] if id(message) not in gone]
    return [*messages[:at], *([by] if by is not None else []), *kept]


def bounded(messages: list[Any], most: int, most_turn: int) -> list[Any]:
    """Return ``messages`` in at most ``most`` characters: drop whole turns, oldest first; the last turn always stays.

    Of what the caller said in the last turn the end is kept, ``most_turn`` characters. Results of tools in it are cut if the
    turn alone is too long. ``messages`` itself is returned, and nothing changed in it, if it fits.
    """
    fits = messages
    last = next((at for at in range(len(messages) - 1, -1, -1) if _role(messages[at]) == "user"), len(messages))
    if last < len(messages) and isinstance(said := messages[last].get("content"), str) and len(said) > most_turn:
        fits = [*messages[:last], {**messages[last], "content": said[-most_turn:]}, *messages[last + 1 :]]
    sizes = [_size(message) for message in fits]
    if sum(sizes) <= most:
        return fits
    rules = [message for message in fits[:last] if _role(message) in ("system", "developer")]
    first = last
    left = most - sum(sizes[last:]) - sum(map(_size, rules))
    for at in range(last - 1, -1, -1):
        left -= sizes[at]
        if left < 0:
            break
        if _role(fits[at]) == "user":
            first = at
    rules = [message for message in fits[:first] if _role(message) in ("system", "developer")]
    return _cut([*rules, *fits[first:]], most)


def _cut(messages: list[Any], most: int) -> list[Any]:
    over = sum(map(_size, messages)) - most
    for at, message in enumerate(messages):
        if over <= 0:
            break
        text = message.get("content") if _role(message) == "tool" else None
        if isinstance(text, str) and len(text) > _LEAST:
            shorter = {**message, "content": text[: max(_LEAST, len(text) - over)]}
            over -= _size(message) - _size(shorter)
            messages[at] = shorter
    return messages


def _role(message: Any) -> str:
    return str(message.get("role")) if isinstance(message, dict) else ""


def size(messages: list[Any]) -> int:
    """Return the characters of a dialogue, as `bounded` counts them."""
    return sum(map(_size, messages))


def _size(message: Any) -> int:
    """Return the characters of a message, including the names of its fields."""
    if not isinstance(message, dict):
        return len(repr(message))
    content = message.get("content")
    rest = {name: value for name, value in message.items() if name not in ("role", "content")}
    size = len(content) if isinstance(content, str) else len(json.dumps(content, ensure_ascii=False, default=str))
    return size + (len(json.dumps(rest, ensure_ascii=False, default=str)) if rest else 0)
