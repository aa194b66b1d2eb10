"""Decide what of a message may leave the worker: the protocol's own fields, and of them no secret. Pure.

An allow-list (`fields`): every other string is overwritten by as many ``x``, every other number by ``9``, in place, so that a
message keeps its length and its structure. A text that is no JSON is overwritten whole. Custom parameters stay if that is asked
for; audio and people's numbers are kept, replaced or masked as asked. A message that is too long to be looked at is left away,
and said to be.
"""

import re
from typing import Final, Literal, NamedTuple

import msgspec

from exotel_ws.tap.redact.fields import Field, Form, fields
from exotel_ws.tap.redact.known import Numbers, Secrets, is_suspicious
from exotel_ws.tap.redact.noise import Noise

Audio = Literal["keep", "noise", "omit"]

MOST_TEXT: Final = 1024 * 1024
"""Most characters of a message; a longer one is left away."""
_MOST_SCANNED: Final = 16 * 1024
"""Most characters of a message that is no plain media; to look at a longer one would hold up every call."""
_HEAD: Final = r'"(?:event|stream_sid|streamSid|sequence_number)":\s?"?[\w\-]{0,256}"?'
_BODY: Final = r'"(?:(?:chunk|timestamp)":\s?"?[0-9.]{0,20}"?|track":\s?"[a-z_]{0,40}")'
_MEDIA: Final = re.compile(
    rf'\{{(?:{_HEAD},\s?){{0,4}}"media":\s?\{{(?:{_BODY},\s?){{0,4}}'
    rf'"payload":\s?"(?P<payload>[A-Za-z0-9+/=]*)"(?:,\s?{_BODY}){{0,4}}\}}(?:,\s?{_HEAD}){{0,4}}\}}\s*',
    re.ASCII,
)
"""Media that holds nothing but the protocol's fields, as all of ours and all seen on live calls. Other spellings are scanned."""
_LONG_NUMBER: Final = re.compile(r"\d[\d_\-]{5,}")
_LETTER: Final = re.compile(r"\w")
_DIGIT: Final = re.compile(r"[0-9]")


class Redacted(NamedTuple):
    """A text as it may leave, and the number of characters that were left away."""

    text: str
    omitted: int = 0


class Redactor:
    """Redacts the messages of one call. ``noise`` is needed if ``audio`` is noise; ``parameters`` keeps custom parameters.

    A parameter stays hidden if it holds a credential of the server, if its name looks like that of a secret, and all of them do
    if a value looks like one. With ``mask`` no parameter is kept: any of them may be somebody's number.
    """

    def __init__(
        self, audio: Audio, *, mask: bool, secrets: Secrets, noise: Noise | None = None, parameters: bool = False
    ) -> None:
        self._audio = audio
        self._mask = mask
        self._parameters = parameters and not mask
        self._secrets = secrets
        self._noise = noise
        self._numbers = Numbers()

    def learn(self, *numbers: str) -> None:
        """Remember numbers of the people on this call: if numbers are masked, a field that holds one is overwritten."""
        if self._mask:
            for number in numbers:
                self._numbers.learn(number)

    def person(self, number: str) -> str:
        """Return a number that stands alone."""
        return self._string(number, number, Form.PERSON)

    def word(self, text: str) -> str:
        """Return an id that stands alone."""
        return self._string(text, text, Form.ID)

    def message(self, raw: str) -> Redacted:
        """Return a text message as it may leave."""
        if len(raw) > MOST_TEXT:
            return Redacted("", len(raw))
        if (media := _MEDIA.fullmatch(raw)) and not self._hides(raw, *media.span("payload")):
            if self._audio == "keep":
                return Redacted(raw)
            begin, end = media.span("payload")
            return self._joined(raw, [(begin, end, self._sound(media["payload"]))], end - begin)
        if len(raw) > _MOST_SCANNED:
            return Redacted("", len(raw))
        return self._scanned(raw) if _is_json(raw) else Redacted("x" * len(raw))

    def binary(self, raw: bytes) -> tuple[bytes, int]:
        """Return a binary message, overwritten, and how many bytes were left away. The protocol has none."""
        return (b"", len(raw)) if len(raw) > MOST_TEXT else (b"x" * len(raw), 0)

    def _hides(self, raw: str, begin: int, end: int) -> bool:
        """Return True if something beside the audio, or all of it, is to be overwritten in a plain media message."""
        if self._secrets.within(raw):
            return True
        return self._mask and any(map(self._numbers.within, _LONG_NUMBER.findall(f"{raw[:begin]} {raw[end:]}")))

    def _scanned(self, raw: str) -> Redacted:
        found = list(fields(raw))
        self.learn(*(field.text for field in found if field.form is Form.PERSON and not field.is_key))
        keeps = self._parameters and not any(map(_names_another, found))
        changes, audio = [], 0
        for field in found:
            inner = raw[field.begin : field.end]
            instead = inner if keeps and self._keeps(field) else self._instead_of(inner, field)
            if field.form is Form.AUDIO and not field.is_number:
                audio += len(inner) - len(instead)
            if instead != inner:
                changes.append((field.begin, field.end, instead))
        return self._joined(raw, changes, audio)

    def _joined(self, raw: str, changes: list[tuple[int, int, str]], audio: int) -> Redacted:
        pieces, at = [], 0
        for begin, end, instead in changes:
            pieces += [raw[at:begin], instead]
            at = end
        return Redacted("".join([*pieces, raw[at:]]), audio if self._audio == "omit" else 0)

    def _instead_of(self, inner: str, field: Field) -> str:
        """Return the text that replaces ``inner``, a field as it is spelled."""
        if field.is_key:
            return inner if field.form is Form.WORD and not self._secrets.within(field.text) else "x" * len(inner)
        return self._number(inner, field.form) if field.is_number else self._string(inner, field.text, field.form)

    def _string(self, inner: str, text: str, form: Form) -> str:
        if form is Form.AUDIO:
            return self._sound(inner) if form.fits(text) and not self._secrets.within(text) else "-" * len(inner)
        if form in (Form.FOREIGN, Form.PARAMETER) or not form.fits(text) or self._secrets.within(text):
            return "x" * len(inner)
        if not self._mask:
            return inner
        if form is Form.KEY_PRESSED:
            return "0" * len(inner)
        if form is Form.PERSON and "\\" not in inner:
            return _LETTER.sub("x", inner)
        return "x" * len(inner) if form is Form.PERSON or self._numbers.within(text) else inner

    def _number(self, inner: str, form: Form) -> str:
        """A number stays one: its digits become 9, those of its exponent 0."""
        if form not in (Form.FOREIGN, Form.PARAMETER, Form.AUDIO) and form.fits(inner):
            hides = form in (Form.PERSON, Form.KEY_PRESSED) or self._numbers.within(inner)
            if not (self._mask and hides) and not self._secrets.within(inner):
                return inner
        head, sign, exponent = re.split(r"([eE]|$)", inner, maxsplit=1)
        return _DIGIT.sub("9", head) + sign + _DIGIT.sub("0", exponent)

    def _keeps(self, field: Field) -> bool:
        """Return True for a name or value of a custom parameter that shows no secret."""
        if field.form is not Form.PARAMETER or is_suspicious(field.name) or is_suspicious(field.text):
            return False
        return not self._secrets.in_parameter(field.text)

    def _sound(self, payload: str) -> str:
        match self._audio:
            case "keep":
                return payload
            case "omit":
                return ""
            case "noise":
                assert self._noise is not None
                return self._noise.like(payload)


def _names_another(field: Field) -> bool:
    """Return True for a parameter that may say what stands beside it: ``{"name": "token", "value": …}``."""
    return field.form is Form.PARAMETER and not field.is_key and is_suspicious(field.text)


def _is_json(raw: str) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
