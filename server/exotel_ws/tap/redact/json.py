"""Where in a JSON text its keys, strings and numbers are, and how a string in it is spelled. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from exotel_ws.tap.redact.names import Place, is_secret, under

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|-?[0-9][0-9.eE+\-]*', re.DOTALL)
_COLON: Final = re.compile(r"\s*:")
_UNIT: Final = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NAMING: Final = frozenset({"name", "key", "field", "param", "parameter", "header", "label", "id", "k", "n", "type"})
"""Keys whose value is the name of what stands beside it: ``{"name": "token", "value": "…"}``."""
_MOST_NAME: Final = 64
_MOST_DEPTH: Final = 32


class Doubt(Exception):
    """There is more of it, or it is nested deeper, than can be looked at."""


class Value(NamedTuple):
    """A key, string or number of a JSON text: where it is, and its place. Of a string the quotes are not part."""

    begin: int
    end: int
    place: Place
    text: str
    """As it is meant: escapes resolved."""
    is_key: bool
    is_number: bool
    inside: tuple[int, ...]
    """The objects and arrays around it, by number."""
    names: bool
    """Whether it may be the name of what stands beside it."""


def values(raw: str, place: Place, most: int) -> list[Value]:
    """Every key, string and number of a JSON text that stands at ``place``, in order; a repeated key too. Raises Doubt."""
    found: list[Value] = []
    for value in _walk(raw, place):
        if len(found) >= most:
            raise Doubt
        found.append(value)
    named = {value.inside[-1] for value in found if value.names and len(value.text) <= _MOST_NAME and is_secret(value.text)}
    if not place.nested:
        named.discard(0)  # The message itself: its keys are the protocol's.
    return _without_named(found, named) if named else found


def _without_named(found: list[Value], named: set[int]) -> list[Value]:
    """What stands in one object or array with the name of a secret is one; a name that stands alone names nothing."""
    sizes = Counter(around for value in found if not value.is_key for around in value.inside)
    secret = {around for around in named if sizes[around] > 1}
    return [
        value
        if secret.isdisjoint(value.inside[:-1] if value.is_key else value.inside)
        else value._replace(place=value.place._replace(secret=True))
        for value in found
    ]


def _walk(raw: str, place: Place) -> Iterator[Value]:
    # What stands on each level: the place that it was opened in, and the place of the value that comes next.
    outer = here = place
    key = ""
    stack: list[tuple[Place, bool]] = []
    inside: tuple[int, ...] = ()
    in_object = False
    for number, token in enumerate(_TOKEN.finditer(raw)):
        text, begin, end = token[0], token.start(), token.end()
        first = text[0]
        if first in "{[":
            if len(stack) >= _MOST_DEPTH:
                raise Doubt
            stack.append((outer, in_object))
            outer, in_object = here, first == "{"
            inside = (*inside, number)
        elif first in "}]":
            here = outer
            outer, in_object = stack.pop()
            inside = inside[:-1]
        elif first != '"':
            yield Value(begin, end, here, text, False, True, inside, False)
        else:
            is_key = in_object and _COLON.match(raw, end) is not None
            meant = json.loads(text, strict=False) if "\\" in text else text[1:-1]
            if is_key:
                key = meant.lower()
                here = under(outer, meant)
            names = not is_key and bool(inside) and (not in_object or key in _NAMING)
            where = outer._replace(person=False, digit=False) if is_key else here
            yield Value(begin + 1, end - 1, where, meant, is_key, False, inside, names)


def units(text: str) -> list[str]:
    """A text with backslashes, in pieces that stand for one character each."""
    return _UNIT.findall(text)


def percent_units(text: str) -> list[str]:
    """A percent-encoded text, in pieces that stand for one byte each."""
    return _PERCENT.findall(text)


def meant(pieces: list[str]) -> str:
    """The text that such pieces stand for, a character a piece."""
    return "".join(map(_meant, pieces))


def _meant(piece: str) -> str:
    if len(piece) == 1:
        return piece
    if piece[0] == "%":
        return chr(int(piece[1:], 16))
    if len(piece) == 2:
        return _ESCAPED.get(piece[1], piece[1])
    return chr(int(piece[2:6], 16)) if len(piece) == 6 else "?"
