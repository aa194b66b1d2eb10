"""What of a message may leave the worker: secrets never, audio and numbers as asked. Pure.

Decided by structure: the message is read as JSON, and every key, string and number in it is looked at for itself, at any depth
(`text`). A value is overwritten in place, character by character, so that a message stays the message it was,
byte for byte, but for what was asked to be left out. A message about which there is a doubt is left away whole, and said to be.
"""

import re
from collections.abc import Collection
from typing import Final, Literal, NamedTuple

import msgspec

from exotel_ws.tap.redact.json import Doubt
from exotel_ws.tap.redact.known import Numbers, Secrets
from exotel_ws.tap.redact.names import MESSAGE, Place
from exotel_ws.tap.redact.noise import Noise
from exotel_ws.tap.redact.text import Walk, hidden

Audio = Literal["keep", "noise", "omit"]

MOST_TEXT: Final = 1024 * 1024
"""Characters. A longer message is left away whole."""
_MOST_SCANNED: Final = 16 * 1024
"""Characters of a message that is no plain media. A longer one is left away whole: to search it would hold up every call."""
_HEAD: Final = r'"(?:event|stream_sid|streamSid|sequence_number)":\s?"?[\w\-]*"?'
_BODY: Final = r'"(?:chunk|timestamp|track)":\s?"?\w*"?'
_MEDIA: Final = re.compile(
    rf'\{{(?:{_HEAD},\s?){{0,4}}"media":\s?\{{(?:{_BODY},\s?){{0,4}}'
    rf'"payload":\s?"(?P<payload>[A-Za-z0-9+/=]*)"(?:,\s?{_BODY}){{0,4}}\}}(?:,\s?{_HEAD}){{0,4}}\}}\s*'
)
"""Media that holds nothing but what is named here, as all of ours and all seen on live calls. Any other spelling is scanned."""
_LONG_NUMBER: Final = re.compile(r"\d[\d_\-]{5,}")


class Redacted(NamedTuple):
    """A text as it may leave, and how many characters were left away."""

    text: str
    omitted: int = 0


class Redactor:
    """For the messages of one call. ``noise`` is needed where ``audio`` is noise."""

    def __init__(self, audio: Audio, *, mask: bool, secrets: Secrets, noise: Noise | None = None) -> None:
        self._audio = audio
        self._mask = mask
        self._secrets = secrets
        self._noise = noise
        self._numbers = Numbers()

    def learn(self, *numbers: str) -> None:
        """Numbers of the people on this call: masked wherever they come, where that was asked for."""
        for number in numbers:
            self._numbers.learn(number)

    def person(self, number: str) -> str:
        """A number that stands for itself."""
        return self._alone(number, Place(person=True))

    def word(self, text: str) -> str:
        """An id that stands for itself."""
        return self._alone(text, Place())

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
            return self._scanned(raw) if _readable(raw) else self._unreadable(raw)
        except Doubt:
            return Redacted("", len(raw))

    def binary(self, raw: bytes) -> tuple[bytes, int]:
        """A binary message and how many bytes were left away. No call has any: it is kept only where all is."""
        whole = self._audio != "keep" or self._mask or len(raw) > MOST_TEXT
        if whole or _contains(raw.decode("latin-1"), self._secrets.all):
            return b"", len(raw)
        return raw, 0

    def _hides(self, text: str) -> bool:
        if _contains(text, self._secrets.long):
            return True
        return self._mask and any(map(self._numbers.has, _LONG_NUMBER.findall(text)))

    def _walk(self) -> Walk:
        return Walk(self._secrets, self._numbers, mask=self._mask, audio=self._audio != "keep")

    def _alone(self, text: str, place: Place) -> str:
        try:
            return hidden(text, self._walk().text(text, place))
        except Doubt:
            return "x" * len(text)

    def _unreadable(self, raw: str) -> Redacted:
        if self._audio != "keep" or self._mask or any(self._walk().text(raw, Place())):
            return Redacted("", len(raw))
        return Redacted(raw)

    def _scanned(self, raw: str) -> Redacted:
        changes, audio = [], 0
        walk = self._walk()
        for value in walk.values(raw, MESSAGE):
            inner = raw[value.begin : value.end]
            if walk.is_audio(value):
                audio += len(inner)
                instead = self._instead_of(inner)
            else:
                instead = hidden(inner, walk.value(inner, value))
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


def _readable(raw: str) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _contains(text: str, secrets: Collection[str]) -> bool:
    return any(secret in text for secret in secrets)
