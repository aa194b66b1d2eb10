"""What is looked for by its value: the server's credentials, and the numbers of the people on a call. Pure."""

import base64
import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

_SHORT: Final = 6
"""A credential or name shorter than this is looked for in custom parameters only, or not: it would be found where it is not."""
_WINDOW: Final = 6
"""Digits in a row that two numbers have to share to be taken for one: it may be cut, or lack its prefix."""
_MOST_NUMBERS: Final = 100
_RUN: Final = re.compile(r"\d(?:(?:[^\w&=?;\"'{}\[\]]|_){0,3}\d){5,}")
"""Six digits or more, in any script, with separators or without. Linear on any text."""


class Secrets:
    """The credentials of the server in every spelling in which a message may carry them."""

    def __init__(self, credentials: Iterable[str]) -> None:
        spellings: set[str] = set()
        for credential in credentials:
            raw = credential.encode()
            for encoded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
                spellings |= {encoded, encoded.rstrip("=")}
            # Percent-decoding is done byte by byte: a letter that takes several comes out as Latin-1.
            spellings |= {credential, quote(credential, safe=""), raw.decode("latin-1")}
        self.all: Final = sorted(spellings - {""}, key=len, reverse=True)
        self.long: Final = [spelling for spelling in self.all if len(spelling) >= _SHORT]


class Numbers:
    """The numbers of the people on a call, recognised in any spelling: with a country code or without, with separators, cut."""

    def __init__(self) -> None:
        self._windows: set[str] = set()
        self.texts: Final = set[str]()
        """Those that are long enough to be looked for as they are: names stand in the place of numbers, too."""

    def learn(self, text: str) -> None:
        """A number, or what stands in the place of one."""
        if len(text) < _SHORT or len(self.texts) >= _MOST_NUMBERS:
            return
        self.texts.add(text)
        self._windows |= _windows(_digits(text)[:40])

    def has(self, run: str) -> bool:
        """Whether this run of digits is one of them, or part of one, or has one in it."""
        return not self._windows.isdisjoint(_windows(_digits(run)))


def runs(text: str) -> Iterable[re.Match[str]]:
    """The runs of digits in a text that are long enough to be part of a number."""
    return _RUN.finditer(text)


def _windows(digits: str) -> set[str]:
    return {digits[at : at + _WINDOW] for at in range(len(digits) - _WINDOW + 1)}


def _digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())
