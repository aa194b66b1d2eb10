"""Recognise the server's credentials and the numbers of the people on a call, in any text. Pure."""

import base64
import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

_SHORT: Final = 6
"""Least characters of a credential or number that is looked for in any text; a shorter one would be found by chance."""
_WINDOW: Final = 6
"""Digits in a row that two numbers have to share to count as one: a number may be cut, or lack its prefix."""
_MOST_NUMBERS: Final = 100
_MOST_CLEAN: Final = 100
"""Most texts remembered to hold no number: the digits of a stream_sid come again in each message."""
_SUSPICIOUS: Final = re.compile(r"token|auth|key|pass|pwd|secret|cred|signature|bearer|jwt|cookie|session", re.IGNORECASE)
_SUSPICIOUS_WORDS: Final = frozenset({"pin", "mpin", "otp", "cvv", "cvc", "sig", "hmac", "pw"})
"""Found as a whole word only: they are part of innocent ones."""
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_CREDENTIAL: Final = re.compile(r"eyJ|eyA|ewo|W3si|@|\\|\b(?i:basic|digest|negotiate)[\s+]+\S")
"""Beginnings of JSON in base64, as a JWT has; the sign between a user's token and a host; an escape; a scheme of HTTP."""


class Secrets:
    """The credentials of the server, in every spelling in which a message may carry them."""

    def __init__(self, credentials: Iterable[str]) -> None:
        spellings: set[str] = set()
        for credential in credentials:
            raw = credential.encode()
            for encoded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
                spellings |= {encoded, encoded.rstrip("=")}
            # Percent-decoding is done byte by byte: a letter that takes several comes out as Latin-1.
            spellings |= {credential, quote(credential, safe=""), raw.decode("latin-1")}
        self._all: Final = sorted(spellings - {""}, key=len, reverse=True)
        self.long: Final = [spelling for spelling in self._all if len(spelling) >= _SHORT]

    def within(self, text: str) -> bool:
        """Return True if ``text`` contains a credential of six characters or more."""
        return any(secret in text for secret in self.long)

    def in_parameter(self, text: str) -> bool:
        """Return True if ``text`` contains a credential of any length, percent-encoded or not, up to two times."""
        decoded = unquote_plus(unquote_plus(text))
        return any(secret in text or secret in decoded for secret in self._all)


class Numbers:
    """The numbers of the people on a call, recognised with a country code or without, with separators, or cut."""

    def __init__(self) -> None:
        self._windows: set[str] = set()
        self._texts: set[str] = set()
        self._clean: set[str] = set()

    def learn(self, text: str) -> None:
        """Remember a number, or a name in the place of one."""
        if len(text) < _SHORT or len(self._texts) >= _MOST_NUMBERS:
            return
        self._texts.add(text)
        self._clean.clear()
        self._windows |= _windows(_digits(text)[:40])

    def within(self, text: str) -> bool:
        """Return True if ``text`` contains one of the numbers, or six digits of one in a row."""
        if not self._texts or text in self._clean:
            return False
        if any(known in text for known in self._texts) or not self._windows.isdisjoint(_windows(_digits(text))):
            return True
        if len(self._clean) >= _MOST_CLEAN:
            self._clean.clear()
        self._clean.add(text)
        return False


def is_suspicious(text: str) -> bool:
    """Return True if a name or text looks as if a secret stands in it or beside it: ``X-Api-Key``, ``a=1&auth%5Ftoken=``."""
    plain = unicodedata.normalize("NFKC", unquote(unquote(text)))
    if _SUSPICIOUS.search("".join(filter(str.isalnum, plain))) or _CREDENTIAL.search(plain):
        return True
    return not _SUSPICIOUS_WORDS.isdisjoint(word.lower() for word in _WORD.findall(plain))


def _windows(digits: str) -> set[str]:
    return {digits[at : at + _WINDOW] for at in range(len(digits) - _WINDOW + 1)}


def _digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())
