"""Read a call's custom parameters: language and voice, and values for the prompt."""

import re
import unicodedata
from collections.abc import Collection
from typing import Final, NamedTuple

from exotel_ws.protocol import Start

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_VOICE: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_.:-]{1,64}")
"""Form of a voice's name, which becomes part of providers' URLs."""
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][\w-]{0,63})\}")
_MOST: Final = 200
"""Most characters of a value in the prompt."""


class Wishes(NamedTuple):
    """Wishes of one call; empty if there is none. ``unusable`` names parameters with a malformed or forbidden value."""

    language: str
    voice: str
    unusable: tuple[str, ...]


def wishes(start: Start, languages: Collection[str] | None = None, voices: Collection[str] | None = None) -> Wishes:
    """Read the parameters ``language`` and ``voice``; ignore all others.

    ``languages`` and ``voices`` are those that a call may ask for, in any case; None: any that is well-formed. ``hi`` means
    the first language that begins with it.
    """
    told = start.custom_parameters
    found = {
        "language": _allowed(told.get("language", ""), _LANGUAGE, languages),
        "voice": _allowed(told.get("voice", ""), _VOICE, voices),
    }
    return Wishes(found["language"], found["voice"], tuple(name for name in found if told.get(name) and not found[name]))


def _allowed(asked: str, form: re.Pattern[str], among: Collection[str] | None) -> str:
    """Return ``asked`` in the settings' spelling; empty if it is not allowed."""
    if not form.fullmatch(asked):
        return ""
    if among is None:
        return asked
    known = {name.partition("-")[0].casefold(): name for name in reversed(tuple(among))} if form is _LANGUAGE else {}
    known |= {name.casefold(): name for name in among}
    return known.get(asked.casefold(), "")


def fill(prompt: str, start: Start) -> str:
    """Return ``prompt`` with the name of each custom parameter in braces replaced, and ``{from}``, ``{to}``, ``{call_sid}``.

    ``{direction}`` is ``outbound`` in a call that the bot placed, else ``inbound``. Values come from outside: each becomes one
    line of printable characters, without braces. Other braces stay as they are.
    """
    told = {"direction": "inbound"} | start.custom_parameters
    values = told | {"from": start.from_, "to": start.to, "call_sid": start.call_sid}
    return _PLACEHOLDER.sub(lambda found: plain(values[found[1]]) if found[1] in values else found[0], prompt)


def plain(value: str, most: int = _MOST) -> str:
    """Return ``value`` as one line of at most ``most`` printable characters, without braces."""
    printable = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in value if letter not in "{}")
    return " ".join(printable.split())[:most]
