"""Say which part of a message is the protocol's own: the allow-list of the tap, and where its fields are in a text. Pure.

A field stays if its key is the protocol's, stands where the protocol has it, and if its value has the form that the protocol
gives it. A text that is free in the protocol (a mark's name, the reason of a stop) has the form of one word or sentence.
"""

import json
import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|-?[0-9][0-9.eE+\-]*', re.DOTALL)
_COLON: Final = re.compile(r"\s*:")
_CAMEL: Final = re.compile(r"(?<=[a-z])[A-Z]")


class Form(Enum):
    """Form of a field's value: the pattern that the whole value matches."""

    WORD = r"[A-Za-z_\-]{1,40}"
    ID = r"[A-Za-z0-9_\-]{1,256}"
    NUMBER = r"-?[0-9][0-9.]{0,19}"
    FORMAT = r"[A-Za-z0-9_./\- ]{1,40}"
    """Encoding or rate, such as ``audio/x-mulaw``, ``16 kHz``."""
    LABEL = r"[A-Za-z0-9_.#\-]{1,256}"
    """Name of a mark."""
    SENTENCE = r"[A-Za-z_.,()\- ]{1,200}"
    PERSON = r"(?:sip:|tel:)?\+?[A-Za-z0-9_.()\- ]{0,64}(?:@[A-Za-z0-9.\-]{1,64})?"
    """A telephone number, or the address that some applets have in its place."""
    KEY_PRESSED = r"[0-9A-D*#]"
    AUDIO = r"[A-Za-z0-9+/_\-\s]*={0,2}\s*"
    PARAMETER = r".*"
    """Custom parameter, which an applet's author writes: the protocol gives it no form."""
    FOREIGN = r"(?!)"
    """No field of the protocol."""

    def fits(self, text: str) -> bool:
        """Return True if the value ``text`` has this form."""
        return _PATTERNS[self].fullmatch(text) is not None


_PATTERNS: Final[dict[Form, re.Pattern[str]]] = {form: re.compile(form.value) for form in Form}
_IDS: Final = dict.fromkeys(("stream_sid", "call_sid", "leg_sid", "account_sid"), Form.ID)
_FIELDS: Final[dict[str, Form]] = {
    **_IDS,
    **dict.fromkeys(("event", "track"), Form.WORD),
    **dict.fromkeys(("sequence_number", "chunk", "timestamp", "duration"), Form.NUMBER),
    **dict.fromkeys(("encoding", "sample_rate", "bit_rate"), Form.FORMAT),
    **dict.fromkeys(("from", "to"), Form.PERSON),
    "name": Form.LABEL,
    "reason": Form.SENTENCE,
    "digit": Form.KEY_PRESSED,
}
"""Fields by their names in snake_case. Some clients write those of a body at the top of the message: each may stand anywhere."""
_BODIES: Final = frozenset({"start", "media", "mark", "dtmf", "stop"})
_RATE: Final = re.compile(r"sample[\-_ ]?rate", re.IGNORECASE)
"""The only custom parameter that belongs to the protocol."""


class Place(Enum):
    """Object or array in which a value stands."""

    MESSAGE = "the message itself"
    BODY = "the object of an event, or its media_format"
    MEDIA = "the object of a media event"
    PARAMETERS = "custom_parameters; the server reads no object or array in it"
    FOREIGN = "anything else"


class Field(NamedTuple):
    """A key, string or number of a JSON text, from ``begin`` to ``end``; the quotes of a string are not part of it.

    ``text`` is its meaning, with escapes resolved; it stays as it is if ``text`` fits ``form``. A key of the protocol's
    own has the form WORD, one of a custom parameter PARAMETER.
    """

    begin: int
    end: int
    text: str
    form: Form
    is_number: bool = False
    is_key: bool = False
    name: str = ""
    """Key of a value."""


def fields(raw: str) -> Iterator[Field]:
    """Yield every key, string and number of a JSON text in order; a key that is repeated, too. Takes linear time."""
    place, key = Place.FOREIGN, ""  # of what comes next: the object or array that it is in, and its key there
    outer: list[tuple[Place, bool]] = []
    in_object = False
    for token in _TOKEN.finditer(raw):
        text, begin, end = token[0], *token.span()
        if text in ("{", "["):
            outer.append((place, in_object))
            place = _inside(place, key, text) if len(outer) > 1 else (Place.MESSAGE if text == "{" else Place.FOREIGN)
            key, in_object = "", text == "{"
        elif text in ("}", "]"):
            place, in_object = outer.pop()
        elif text[0] != '"':
            yield Field(begin, end, text, _form(place, key), is_number=True, name=key)
        else:
            meant = json.loads(text, strict=False) if "\\" in text else text[1:-1]
            if in_object and _COLON.match(raw, end):
                key = meant
                yield Field(begin + 1, end - 1, meant, _form_of_key(place, key), is_key=True)
            else:
                yield Field(begin + 1, end - 1, meant, _form(place, key), name=key)


def _inside(place: Place, key: str, opening: str) -> Place:
    """Return the place inside of an object or array that stands at ``place`` under ``key``."""
    name = _snake(key)
    if opening == "[" or place not in (Place.MESSAGE, Place.BODY):
        return Place.FOREIGN
    if name == "custom_parameters":
        return Place.PARAMETERS
    if place is Place.MESSAGE and name in _BODIES:
        return Place.MEDIA if name == "media" else Place.BODY
    return Place.BODY if name == "media_format" else Place.FOREIGN


def _form(place: Place, key: str) -> Form:
    """Return the form of a string or number that stands at ``place`` under ``key``."""
    name = _snake(key)
    match place:
        case Place.PARAMETERS:
            return Form.FORMAT if _RATE.fullmatch(key) else Form.PARAMETER
        case Place.FOREIGN:
            return Form.FOREIGN
        case Place.MEDIA if name == "payload":
            return Form.AUDIO
        case Place.MESSAGE | Place.BODY if name == "custom_parameters":
            return Form.PARAMETER
        case _:
            return _FIELDS.get(name, Form.FOREIGN)


def _form_of_key(place: Place, key: str) -> Form:
    name = _snake(key)
    if place is Place.PARAMETERS:
        return Form.WORD if _RATE.fullmatch(key) else Form.PARAMETER
    if place is Place.FOREIGN:
        return Form.FOREIGN
    known = name in _FIELDS or name in _BODIES or name in ("media_format", "custom_parameters")
    return Form.WORD if known or (place is Place.MEDIA and name == "payload") else Form.FOREIGN


def _snake(key: str) -> str:
    """Return a key of the protocol in snake_case: some clients write ``streamSid``."""
    return _CAMEL.sub(lambda found: f"_{found[0].lower()}", key) if len(key) < 20 else ""
