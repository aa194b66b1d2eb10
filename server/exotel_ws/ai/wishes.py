"""What a call brings with it in its custom parameters: language and voice, and values for the prompt."""

import re
import unicodedata
from typing import Final, NamedTuple

from exotel_ws.protocol import Start

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_VOICE: Final = re.compile(r"[\w .:/-]{1,100}")
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][\w-]{0,63})\}")
_MOST: Final = 200
"""Characters of a value in the prompt."""


class Wishes(NamedTuple):
    """Of one call; empty: nothing was asked for. ``unusable`` are the names of those whose value can't be one."""

    language: str
    voice: str
    unusable: tuple[str, ...]


def wishes(start: Start) -> Wishes:
    """Read the parameters ``language`` and ``voice``. All others are passed over."""
    told = start.custom_parameters
    language, voice = told.get("language", ""), told.get("voice", "")
    usable = {"language": bool(_LANGUAGE.fullmatch(language)), "voice": bool(_VOICE.fullmatch(voice))}
    return Wishes(
        language if usable["language"] else "",
        voice if usable["voice"] else "",
        tuple(name for name, fits in usable.items() if told.get(name) and not fits),
    )


def fill(prompt: str, start: Start) -> str:
    """``prompt`` with ``{from}``, ``{to}``, ``{call_sid}`` and ``{name}`` of each custom parameter put in.

    Values come from outside: of each, one line of plain characters is taken, without braces. Other braces stay as they are.
    """
    values = start.custom_parameters | {"from": start.from_, "to": start.to, "call_sid": start.call_sid}
    return _PLACEHOLDER.sub(lambda found: _plain(values[found[1]]) if found[1] in values else found[0], prompt)


def _plain(value: str) -> str:
    printable = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in value if letter not in "{}")
    return " ".join(printable.split())[:_MOST]
