"""Read the fields of a request of Exotel's in every shape that was seen, and in those that nobody has seen yet.

Fields come in the query, in a form or as JSON; by GET or by POST; a group of them as ``Stream[Status]``, as an object, or as an
object in a text: ``Stream={"Status": …}``. Names come as ``CallSid``, ``call_sid`` or ``callsid``. Facts: live captures, and
Exotel's pages on Passthru and on status callbacks.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

from exotel_ws.parameters import as_text

MOST_BODY: Final = 64 * 1024
"""Most bytes of a body, and most characters of a query, that are read."""
MOST_FIELDS: Final = 200
MOST_NAME: Final = 128
MOST_TEXT: Final = 4096
"""Most fields of a request, and most characters of a name and of a value; Exotel's have some 30 fields, of at most 1,000."""
MOST_DEPTH: Final = 6
"""Most groups within each other."""
REST: Final = "body"
"""Name of the field that holds a body in no form that is known."""
_PAIR: Final = re.compile(r"[^=&]+=")
_GROUPS: Final = re.compile(r"[\[\].]+")
_SPELLING: Final = re.compile(r"[^a-z0-9.]")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""Characters that no database stores as text: NUL, and halves of a character."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of one request, by their names as sent; the names of groups come before, ``Stream.Status``, ``Legs.0.Status``.

    ``left_out`` counts what was left out or shortened for the bounds of this module.
    """

    values: Mapping[str, str]
    left_out: int = 0

    def get(self, *names: str) -> str:
        """Return the first value that is not empty under one of ``names``, in any spelling; empty if there is none."""
        known: dict[str, str] = {}
        for name, value in self.values.items():
            if value:
                known.setdefault(spelling(name), value)
        return next((known[name] for name in map(spelling, names) if name in known), "")


def spelling(name: str) -> str:
    """Return ``name`` without what differs from one spelling of it to another: ``Call_Sid`` → ``callsid``."""
    return _SPELLING.sub("", name.lower())


def read(query: str, body: bytes) -> Fields:
    """Read a request's query, without its question mark, and its body. Never raises: what is in no known form is kept as `REST`.

    A field that comes twice counts the first time, the query's before the body's.
    """
    taken = _Taken()
    taken.left_out += (len(query) > MOST_BODY) + (len(body) > MOST_BODY)
    taken.pairs(query[:MOST_BODY])
    text = body[:MOST_BODY].decode("utf-8", "replace").strip()
    told = _object(text)
    if told is not None:
        taken.take((), told)
    elif _PAIR.match(text):
        taken.pairs(text)
    elif text:
        taken.take((REST,), text)
    return Fields(taken.values, taken.left_out)


class _Taken:
    """Fields that were taken so far."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.left_out = 0

    def pairs(self, text: str) -> None:
        """Take ``name=value`` pairs, as a query and a form have them."""
        pairs = text.split("&", MOST_FIELDS)
        self.left_out += len(pairs) > MOST_FIELDS
        for pair in pairs[:MOST_FIELDS]:
            name, _, value = pair.partition("=")
            if name:
                self.take(tuple(filter(None, _GROUPS.split(unquote_plus(name)))), unquote_plus(value))

    def take(self, name: tuple[str, ...], value: object) -> None:
        """Take a value, or all of a group."""
        for inner, text in _leaves(name, value):
            self._keep(_clean(".".join(inner)) or REST, _clean(text))

    def _keep(self, name: str, text: str) -> None:
        if name in self.values:
            return
        if len(self.values) >= MOST_FIELDS or len(name) > MOST_NAME:
            self.left_out += 1
            return
        self.left_out += len(text) > MOST_TEXT
        self.values[name] = text[:MOST_TEXT]


def _leaves(name: tuple[str, ...], value: object, depth: int = 0) -> Iterator[tuple[tuple[str, ...], str]]:
    """Return all texts within a value, each with its name."""
    told = _object(value) if isinstance(value, str) else value
    if isinstance(told, dict | list) and depth < MOST_DEPTH:
        for inner, each in told.items() if isinstance(told, dict) else enumerate(told):
            yield from _leaves((*name, str(inner)), each, depth + 1)
    else:
        yield name, _packed(value) if isinstance(value, dict | list) else as_text(value)


def _packed(value: dict[str, Any] | list[Any]) -> str:
    """Return a group as JSON; empty if it is too deep for that."""
    try:
        return json.dumps(value)
    except RecursionError:
        return ""


def _object(text: str) -> dict[str, Any] | list[Any] | None:
    """Return the object or list that ``text`` is in JSON; None if it is neither."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict | list) else None


def _clean(text: str) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
