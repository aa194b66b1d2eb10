"""What of a message may leave the worker: secrets never, audio and numbers as asked. Pure.

Nothing that is kept changes: a value is overwritten in place, character by character, so that a message stays the message it
was, byte for byte, but for what was asked to be left out.
"""

import base64
import binascii
import itertools
import json
import math
import random
import re
from array import array
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec

Audio = Literal["keep", "noise", "omit"]

MOST_TEXT: Final = 1024 * 1024
"""Characters. A longer message is left away whole."""
_MOST_SCANNED: Final = 16 * 1024
"""Characters of a message that is no plain media. A longer one is left away whole: to search it would hold up every call."""
_MOST_VALUES: Final = 500
"""Of one message; a start has some forty. What has more is left away whole."""
_MOST_KEY: Final = 100
"""Characters of a key that are looked at."""
_MOST_NUMBERS: Final = 100
_SHORT: Final = 6
"""A credential shorter than this is looked for in custom parameters only: elsewhere it would be found where it is not."""
_SECRET_KEY: Final = re.compile(
    r"token|auth|key|pass|pwd|secret|cred|signature|bearer|jwt|cookie|session|^(?:pin|otp|cvv|sig)$", re.IGNORECASE
)
_PAIR: Final = re.compile(
    r"((?:token|auth|key|pass|pwd|secret|cred|signature|bearer|jwt|cookie|session)[\w.\-]{0,32}+[\"']?\s*+(?:[=:]|%3[AD])\s*+[\"']?)"
    r"([^&?\"'\s]+)",
    re.IGNORECASE,
)
"""``token=abc``, ``token:abc=``, ``"token": "abc"``: a name that looks like a secret's, and the value. Linear on any text."""
_PERSON_KEYS: Final = frozenset({"from", "to", "caller", "called", "callfrom", "callto"})
_HEAD: Final = r'"(?:event|stream_sid|streamSid|sequence_number)":\s?"?[\w\-]*"?'
_BODY: Final = r'"(?:chunk|timestamp|track)":\s?"?\w*"?'
_MEDIA: Final = re.compile(
    rf'\{{(?:{_HEAD},\s?){{0,4}}"media":\s?\{{(?:{_BODY},\s?){{0,4}}'
    rf'"payload":\s?"(?P<payload>[A-Za-z0-9+/=]*)"(?:,\s?{_BODY}){{0,4}}\}}(?:,\s?{_HEAD}){{0,4}}\}}\s*'
)
"""Media that holds nothing but what is named here, as all of ours and all seen on live calls. Any other spelling is scanned."""
_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|-?[0-9][0-9.eE+\-]*', re.DOTALL)
_COLON: Final = re.compile(r"\s*:")


class Redacted(NamedTuple):
    """A text as it may leave, and how many characters were left away."""

    text: str
    omitted: int = 0


class Secrets:
    """The credentials of the server in every spelling in which a message may carry them."""

    def __init__(self, credentials: Iterable[str]) -> None:
        spellings: set[str] = set()
        for credential in credentials:
            encoded = base64.b64encode(credential.encode()).decode()
            spellings |= {credential, quote(credential, safe=""), encoded, encoded.rstrip("=")}
        self.all: Final = sorted(spellings - {""}, key=len, reverse=True)
        self.long: Final = [spelling for spelling in self.all if len(spelling) >= _SHORT]


class Noise:
    """Speech-shaped noise in place of speech: the same audio always becomes the same noise, so an echo stays an echo."""

    def __init__(self) -> None:
        source = random.Random()
        rise_and_fall = [int(2500 * (1 + math.sin(2 * math.pi * step / 125))) for step in range(125)]
        steps = (source.randint(-loudness, loudness) for _ in range(64) for loudness in rise_and_fall)
        samples = array("h", (int(value) for value in itertools.accumulate(steps, lambda level, step: 0.7 * level + step)))
        self._pcm = samples.tobytes()
        self._positions = len(samples)

    def like(self, payload: str) -> str:
        """Noise of the same length as the audio in ``payload``, both base64; what is no base64 stays none."""
        try:
            pcm = binascii.a2b_base64(payload, strict_mode=True)
        except (binascii.Error, ValueError):
            return "-" * len(payload)
        size = len(pcm)
        begin = hash(pcm) % self._positions * 2
        noise = (self._pcm * (2 + size // len(self._pcm)))[begin : begin + size]
        return binascii.b2a_base64(noise, newline=False).decode()


class _Place(NamedTuple):
    """What the keys on the way to a value say about it."""

    parameters: bool = False
    secret: bool = False
    payload: bool = False
    person: bool = False
    digit: bool = False


@lru_cache(maxsize=256)
def _under(outer: _Place, key: str) -> _Place:
    lower = key.lower()
    return _Place(
        outer.parameters or lower == "custom_parameters",
        outer.secret or _SECRET_KEY.search(key) is not None,
        outer.payload or lower == "payload",
        outer.person or lower in _PERSON_KEYS,
        outer.digit or lower == "digit",
    )


class _Value(NamedTuple):
    """A string or number of a message: where it is in the text, and its place. Of a string the quotes are not part."""

    begin: int
    end: int
    place: _Place
    text: str
    """As it is meant: escapes resolved."""
    is_key: bool
    is_number: bool


class Redactor:
    """For the messages of one call. ``noise`` is needed where ``audio`` is noise."""

    def __init__(self, audio: Audio, *, mask: bool, secrets: Secrets, noise: Noise | None = None) -> None:
        self._audio = audio
        self._mask = mask
        self._secrets = secrets
        self._noise = noise
        self._numbers: set[str] = set()

    def learn(self, *numbers: str) -> None:
        """Numbers of the people on this call: masked wherever they come, where that was asked for."""
        for number in numbers:
            if len(number) >= _SHORT and len(self._numbers) < _MOST_NUMBERS:
                self._numbers.add(number)

    def person(self, number: str) -> str:
        """A number that stands for itself."""
        return _mask_person(number) if self._mask else self.word(number)

    def word(self, text: str) -> str:
        """An id that stands for itself."""
        return _overwrite(text, text, self._secrets.long)

    def message(self, raw: str) -> Redacted:
        """A text message. What can't be read as JSON and has something to be left out is left away whole."""
        if len(raw) > MOST_TEXT:
            return Redacted("", len(raw))
        media = _MEDIA.fullmatch(raw)
        if media:
            begin, end = media.span("payload")
            if not self._hides(raw[:begin]) and not self._hides(raw[end:]):
                if self._audio == "keep":
                    return Redacted(raw)
                return self._join(raw, [(begin, end, self._instead_of(media["payload"]))], end - begin)
        if len(raw) > _MOST_SCANNED:
            return Redacted("", len(raw))
        try:
            msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return self._unreadable(raw)
        values = list(itertools.islice(_values(raw), _MOST_VALUES + 1))
        return self._scanned(raw, values) if len(values) <= _MOST_VALUES else Redacted("", len(raw))

    def binary(self, raw: bytes) -> tuple[bytes, int]:
        """A binary message and how many bytes were left away. No call has any: it is kept only where all is."""
        whole = self._audio != "keep" or self._mask or len(raw) > MOST_TEXT
        if whole or _contains(raw.decode("latin-1"), self._secrets.all):
            return b"", len(raw)
        return raw, 0

    def _hides(self, text: str) -> bool:
        return _contains(text, self._secrets.long) or _contains(text, self._numbers)

    def _unreadable(self, raw: str) -> Redacted:
        if self._audio != "keep" or self._mask or _contains(raw, self._secrets.long):
            return Redacted("", len(raw))
        return Redacted(_PAIR.sub(_mask_pair, raw))

    def _scanned(self, raw: str, values: list[_Value]) -> Redacted:
        if self._mask:
            self.learn(*(value.text for value in values if value.place.person and not value.is_key))
        changes, audio = [], 0
        for value in values:
            inner = raw[value.begin : value.end]
            if value.place.payload and not value.is_key:
                if self._audio != "keep":
                    audio += len(inner)
                    changes.append((value.begin, value.end, self._instead_of(inner)))
                continue
            instead = self._value(inner, value)
            if instead != inner:
                changes.append((value.begin, value.end, instead))
        return self._join(raw, changes, audio)

    def _join(self, raw: str, changes: list[tuple[int, int, str]], audio: int) -> Redacted:
        pieces, at = [], 0
        for begin, end, instead in changes:
            pieces += [raw[at:begin], instead]
            at = end
        return Redacted("".join([*pieces, raw[at:]]), audio if self._audio == "omit" else 0)

    def _instead_of(self, payload: str) -> str:
        if self._audio == "omit":
            return ""
        assert self._noise is not None
        return self._noise.like(payload)

    def _value(self, inner: str, value: _Value) -> str:
        place = value.place
        if value.is_number:
            hidden = place.secret or (self._mask and (place.person or place.digit))
            return re.sub(r"\d", "9", inner) if hidden else inner
        if not value.is_key:
            if place.secret:
                return "x" * len(inner)
            if self._mask and place.digit:
                return "0" * len(inner)
            if self._mask and place.person:
                return _mask_person(inner)
        if place.parameters:
            inner = _PAIR.sub(_mask_pair, inner)
        found = self._secrets.all if place.parameters else self._secrets.long
        return _overwrite(inner, value.text, [*found, *self._numbers] if self._mask else found)


def _values(raw: str) -> Iterator[_Value]:
    """Every key, string and number of a JSON text, in order; a repeated key too."""
    # What stands on each level: the place that it was opened in, and the place of the value that comes next.
    outer = here = _Place()
    stack: list[tuple[_Place, bool]] = []
    in_object = False
    for token in _TOKEN.finditer(raw):
        text, begin, end = token[0], token.start(), token.end()
        first = text[0]
        if first in "{[":
            stack.append((outer, in_object))
            outer, in_object = here, first == "{"
        elif first in "}]":
            here = outer
            outer, in_object = stack.pop()
        elif first != '"':
            yield _Value(begin, end, here, text, False, True)
        else:
            is_key = in_object and _COLON.match(raw, end) is not None
            meant = json.loads(text, strict=False) if "\\" in text else text[1:-1]
            if is_key:
                here = _under(outer, meant[:_MOST_KEY])
            yield _Value(begin + 1, end - 1, outer if is_key else here, meant, is_key, False)


def _contains(text: str, secrets: Collection[str]) -> bool:
    return any(secret in text for secret in secrets)


def _overwrite(inner: str, meant: str, secrets: Iterable[str]) -> str:
    """``inner`` without the secrets; all of it is overwritten where one is only in what it means, behind escapes."""
    for secret in secrets:
        inner = inner.replace(secret, "x" * len(secret))
        if secret in meant and "\\" in inner:
            return "x" * len(inner)
    return inner


def _mask_pair(pair: re.Match[str]) -> str:
    return pair[1] + "x" * len(pair[2])


def _mask_person(number: str) -> str:
    return "x" * len(number) if "\\" in number else re.sub(r"[^\W_]", "x", number)
