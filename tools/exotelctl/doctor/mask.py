"""Take out of texts what must not leave the host in a report or a bundle: secrets, and callers' whole numbers."""

import re
from typing import Final

try:
    from exotel_ws.mask import masked as masked
except ImportError:  # a release that is not whole, which is one of the things to tell

    def masked(number: str) -> str:
        """Hide all of ``number``."""
        return "•" * len(number)


_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")
_NAMED: Final = re.compile(r"(?i)((?:token|secret|passw(?:or)?d|api[-_]?key)s?[\"']?\s*[=:]\s*)(?!//)[^\s&\"',]+")
_ENVIRONMENT: Final = re.compile(r"(?m)^(Environment=[\"']?\w+=).*$")
_QUERY: Final = re.compile(r"(\?|&)(?!sample[-_]rate=)([\w.-]+)=[^&\s\"']+")
_AUTHORIZATION: Final = re.compile(r"(?i)((?:basic|bearer)\s+)[\w+/=.-]{6,}")
_FROM_TO: Final = re.compile(r"From: (.*?) → To: (.*)$", re.MULTILINE)
_NUMBER: Final = re.compile(r"(?<![\w.:-])\+?\d{9,15}(?![\w.:-])")


def without_secrets(text: str) -> str:
    """Return ``text`` without what looks like a credential: in URLs, options, Environment= lines, Authorization headers."""
    text = _USERINFO.sub("•••@", text)
    text = _NAMED.sub(r"\1•••", text)
    text = _AUTHORIZATION.sub(r"\1•••", text)
    text = _QUERY.sub(r"\1\2=•••", text)
    return _ENVIRONMENT.sub(r"\1•••", text)


def without_numbers(text: str) -> str:
    """Return ``text`` with callers' numbers masked: those of a start line, and whatever else looks like one."""
    text = _FROM_TO.sub(lambda match: f"From: {masked(match[1])} → To: {masked(match[2])}", text)
    return _NUMBER.sub(lambda match: masked(match[0]), text)


def masked_text(text: str) -> str:
    """Return ``text`` without secrets and whole numbers."""
    return without_numbers(without_secrets(text))
