"""What a name says about its value: is it a secret, a person's number, audio? Pure."""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

_MOST_NAME: Final = 100
"""Characters of a name that are looked at."""
_SECRET: Final = re.compile(r"token|auth|key|pass|pwd|secret|cred|signature|bearer|jwt|cookie|session")
_SECRET_WORDS: Final = frozenset({"pin", "mpin", "otp", "cvv", "cvc", "sig", "hmac", "pw"})
"""Found as a whole word only: they are part of innocent ones."""
_PERSON: Final = re.compile(
    r"caller|callee|called|callfrom|callto|phone|mobile|msisdn|whatsapp|fromnumber|tonumber|numberfrom|numberto|^from$|^to$"
)
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_DIGITS: Final = frozenset({"digit", "digits", "dtmf", "dtmfdigit", "dtmfdigits"})
_BESIDE_DIGITS: Final = frozenset({"duration", "timestamp", "track", "streamsid", "sequencenumber"})
"""What a dtmf message says besides the key that was pressed."""


class Place(NamedTuple):
    """What the keys on the way to a value say about it."""

    parameters: bool = False
    secret: bool = False
    payload: bool = False
    """Under a key of that name."""
    audio: bool = False
    """The payload of a media message: looked at by nobody."""
    media: bool = False
    person: bool = False
    digit: bool = False
    nested: bool = True
    """Not the message itself."""


MESSAGE: Final = Place(nested=False)


@lru_cache(maxsize=256)
def under(outer: Place, key: str) -> Place:
    """The place of the value under ``key`` of an object that stands at ``outer``."""
    name = _normal(_plain(key))
    return Place(
        parameters=outer.parameters or "parameter" in name,
        secret=outer.secret or is_secret(key),
        payload=outer.payload or name == "payload",
        audio=outer.media and key == "payload",
        media=not outer.nested and key == "media",
        person=outer.person or _PERSON.search(name) is not None,
        digit=name in _DIGITS or (outer.digit and name not in _BESIDE_DIGITS),
    )


@lru_cache(maxsize=256)
def is_secret(name: str) -> bool:
    """Whether this looks like the name of a secret, in any spelling: ``X-Api-Key``, ``apiKey``, ``API_KEY``, ``api%5Fkey``."""
    plain = _plain(name)
    if _SECRET.search(_normal(plain)):
        return True
    return not _SECRET_WORDS.isdisjoint(word.lower() for word in _WORD.findall(plain))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", unquote(unquote(name[:_MOST_NAME])))


def _normal(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
