"""What has to be hidden in a text, at any depth: JSON in a string, percent-encoded, behind escapes. Pure.

A text is walked, not searched for a spelling: each layer of encoding is taken off, what is below is looked at in the same way,
and what was found there is carried back to the characters that stand for it. What is nested too deep, or too much, is in doubt.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from exotel_ws.tap.redact.json import Doubt, Value, meant, percent_units, units, values
from exotel_ws.tap.redact.known import Numbers, Secrets, runs
from exotel_ws.tap.redact.names import Place, is_secret

_MOST_DEPTH: Final = 4
_MOST_VALUES: Final = 500
"""Of one message; a start has some forty."""
_MOST_WALKED: Final = 128 * 1024
"""Characters, all layers of all strings of a message together."""
_MOST_PAIRS: Final = 500
_MOST_NAME: Final = 80
_PHONE: Final = 7
"""Digits. A run as long as this in custom parameters may be anybody's number."""
_AUDIO: Final = re.compile(r"[A-Za-z0-9+/_\-]{160,}={0,2}")
_X: Final = ord("x")
_ZERO: Final = ord("0")
_NINE: Final = ord("9")

_SEPARATOR: Final = re.compile(r"[=:]")
_BEFORE_NAME: Final = re.compile(r"[&?=:;,{}\[\]()\"'\\<>\n]")
_OPENING: Final = re.compile(r"[\s\\]*([\"']?)")
_LINE_END: Final = re.compile(r"[&\n]")
_SCHEME: Final = re.compile(
    r"(?<![^\W_])(?:bearer|basic|digest|negotiate|token|api[ _\-]?key|jwt|passw(?:or)?d|secret)[\s+]+([^&\"'\n]+)", re.IGNORECASE
)
"""``Bearer abc``: what stands behind such a word, to the end of the line."""
_PACKED: Final = re.compile(r"(?:eyJ|eyA|ewo|W3si)[\w+/=.\-]{8,}")
"""A JSON object in base64, as a JWT is."""
_WORD: Final = re.compile(r"\S+")
_EXPONENT: Final = re.compile(r"[eE][+\-]?(\d+)")


class Walk:
    """The look at one message. Marks are bytes, one a character of the text: what to write in its place, 0 to leave it."""

    def __init__(self, secrets: Secrets, numbers: Numbers, *, mask: bool, audio: bool) -> None:
        self._secrets = secrets
        self._numbers = numbers
        self._mask = mask
        self._audio = audio
        self._left = _MOST_WALKED
        self._values_left = _MOST_VALUES

    def values(self, raw: str, place: Place) -> list[Value]:
        """The values of JSON at ``place``; the numbers of people among them are learned. Raises Doubt."""
        found = values(raw, place, self._values_left)
        self._values_left -= len(found)
        if self._mask:
            for value in found:
                if value.place.person and not value.is_key:
                    self._numbers.learn(value.text)
        return found

    def is_audio(self, value: Value) -> bool:
        """Whether this is to be taken for audio that has to be left out: a payload, or whatever long text looks like one."""
        if value.is_key or value.is_number or not self._audio:
            return False
        return value.place.payload or _AUDIO.fullmatch(value.text) is not None

    def value(self, inner: str, value: Value, depth: int = 0) -> bytearray:
        """The marks of a value that is spelled ``inner``. Raises Doubt."""
        if value.is_number:
            return self._number(inner, value.place)
        if value.place.audio and not value.is_key and _AUDIO.fullmatch(value.text):
            return bytearray(len(inner))
        marks = self.text(value.text, value.place, depth)
        return marks if "\\" not in inner else _carried(units(inner), marks)

    def text(self, text: str, place: Place, depth: int = 0) -> bytearray:
        """The marks of a text that stands at ``place``. Raises Doubt."""
        self._left -= len(text)
        if self._left < 0:
            raise Doubt
        if place.secret:
            return bytearray(b"x" * len(text))
        if self._mask and place.digit:
            return bytearray(b"0" * len(text))
        marks = bytearray(len(text))
        if self._mask and place.person:
            _mark(marks, (at for at, char in enumerate(text) if char.isalnum()))
        self._known(text, place, marks)
        if _is_json(text):
            self._below(text, place, depth, marks)
        else:
            _named(text, marks)
            _unnamed(text, marks)
            self._layers(text, place, depth, marks)
        return marks

    def _known(self, text: str, place: Place, marks: bytearray) -> None:
        for secret in self._secrets.all if place.parameters else self._secrets.long:
            _mark_all(text, secret, marks)
        if not self._mask:
            return
        for known in self._numbers.texts:
            _mark_all(text, known, marks)
        for run in runs(text):
            if (place.parameters and sum(map(str.isdecimal, run[0])) >= _PHONE) or self._numbers.has(run[0]):
                _mark(marks, (at for at in range(run.start(), run.end()) if text[at].isdecimal()))

    def _below(self, text: str, place: Place, depth: int, marks: bytearray) -> None:
        """JSON in a string."""
        if depth >= _MOST_DEPTH:
            raise Doubt
        for value in self.values(text, place):
            inner = text[value.begin : value.end]
            hidden = b"x" * len(inner) if self.is_audio(value) else self.value(inner, value, depth + 1)
            _merge(marks, hidden, value.begin)

    def _layers(self, text: str, place: Place, depth: int, marks: bytearray) -> None:
        for sign, pieces_of in (("%", percent_units), ("\\", units)):
            pieces = pieces_of(text) if sign in text else []
            if len(pieces) in (0, len(text)):
                continue
            if depth >= _MOST_DEPTH:
                raise Doubt
            _merge(marks, _carried(pieces, self.text(meant(pieces), place, depth + 1)))

    def _number(self, inner: str, place: Place) -> bytearray:
        """A number stays one: its digits become 9, those of its exponent 0."""
        marks = bytearray(len(inner))
        phone = (place.parameters and sum(map(str.isdecimal, inner)) >= _PHONE) or self._numbers.has(inner)
        if place.secret or (self._mask and (place.person or place.digit or phone)):
            _mark(marks, (at for at, char in enumerate(inner) if char.isdecimal()), _NINE)
            if exponent := _EXPONENT.search(inner):
                _mark(marks, range(*exponent.span(1)), _ZERO)
        return marks


def hidden(text: str, marks: bytearray) -> str:
    """The text with what is marked overwritten, as long as before."""
    if not any(marks):
        return text
    return "".join(chr(mark) if mark else char for char, mark in zip(text, marks, strict=True))


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _named(text: str, marks: bytearray) -> None:
    """``token=abc``, ``token:abc=``, ``"token": "abc"``, ``Authorization: Bearer abc``, wherever in a text. Raises Doubt."""
    for count, separator in enumerate(_SEPARATOR.finditer(text)):
        if count >= _MOST_PAIRS:
            raise Doubt
        at = separator.start()
        before = text[max(0, at - _MOST_NAME) : at].rstrip(" \t\"'\\")
        if marks[at] or not is_secret(_BEFORE_NAME.split(before)[-1]):
            continue
        opening = _OPENING.match(text, at + 1)
        assert opening is not None, "it matches nothing, too"
        begin = opening.end()
        if opening[1]:
            end = text.find(opening[1], begin)
        else:
            line_end = _LINE_END.search(text, begin)
            end = line_end.start() if line_end else -1
        _mark(marks, range(begin, end if end >= 0 else len(text)))


def _unnamed(text: str, marks: bytearray) -> None:
    """Secrets that are known by their looks."""
    for found in _SCHEME.finditer(text):
        _mark(marks, range(*found.span(1)))
    for found in _PACKED.finditer(text):
        _mark(marks, range(*found.span()))
    for word in _WORD.finditer(text) if "@" in text else ():
        # user:token@host, with a scheme in front or not; a token may hold any sign.
        user, _, _ = word[0].rpartition("@")
        scheme, slashes, _ = user.partition("//")
        if slashes or ":" in user:
            begin = word.start() + (len(scheme) + 2 if slashes else 0)
            _mark(marks, range(begin, word.start() + len(user)))


def _mark_all(text: str, wanted: str, marks: bytearray) -> None:
    at = text.find(wanted)
    while at >= 0:
        _mark(marks, range(at, at + len(wanted)))
        at = text.find(wanted, at + 1)


def _mark(marks: bytearray, places: Iterable[int], sign: int = _X) -> None:
    for at in places:
        marks[at] = sign


def _merge(marks: bytearray, others: bytes | bytearray, begin: int = 0) -> None:
    for at, mark in enumerate(others, begin):
        if mark:
            marks[at] = mark


def _carried(pieces: list[str], marks: bytearray) -> bytearray:
    """The marks of a text, carried to the pieces that stand for its characters. Raises Doubt."""
    if len(pieces) != len(marks):
        raise Doubt
    carried = bytearray()
    for piece, mark in zip(pieces, marks, strict=True):
        carried += bytes([mark]) * len(piece)
    return carried
