"""Read custom parameters and sample rates of a call, in every form seen from Exotel or other clients.

Exotel strips the query from the applet's URL before it connects and delivers it in ``start.custom_parameters``, sometimes
mangled: ``{"language:ta=": ""}``, ``{"token:abc=": ""}``, ``{"a=1&b=2": ""}``. This module reads them for all who use them.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

MOST_PARAMETERS: Final = 32
"""Most parameters of a call; Exotel's applet allows three."""
MOST_TEXT: Final = 1024
"""Most characters of a name or a value; Exotel's applet allows 256 in all."""
_RATE_NAME: Final = re.compile(r"sample[-_ ]?rate", re.IGNORECASE)
_RATE: Final = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(k?)\s*(?:hz)?\s*=?", re.IGNORECASE)
"""Form of a rate; the mangling may have added the "=" at its end."""


def collect(value: object) -> tuple[dict[str, str], bool]:
    """Read ``custom_parameters`` as they came: an object, or the whole query as one text.

    Returns names and values, all texts, and True if some were left out because of `MOST_PARAMETERS` or `MOST_TEXT`.
    A value that is an object or a list becomes an empty text.
    """
    if isinstance(value, str):
        value = {value: ""} if value else {}
    if not isinstance(value, dict):
        return {}, False
    taken: dict[str, str] = {}
    for name, item in value.items():
        text = as_text(item)
        if len(taken) >= MOST_PARAMETERS:
            break
        if len(name) <= MOST_TEXT and len(text) <= MOST_TEXT:
            taken[name] = text
    return taken, len(taken) < len(value)


def restore(parameters: Mapping[str, str]) -> dict[str, str]:
    """Undo the mangling: return the parameters as the applet's URL had them, at most `MOST_PARAMETERS`.

    A name without a value that holds ``=``, ``:`` or ``&`` is a piece of a query; so is a value without a name, or one that is
    called ``query``. A colon stands for ``=`` if the mangling's own ``=`` follows, at the end or as the value.
    """
    told: dict[str, str] = {}
    for name, value in parameters.items():
        lone = not value or (value == "=" and ":" in name)
        text = name if lone else value if name in ("", "query") else ""
        if not any(mark in text for mark in "=:&") and "%3d" in text.lower():  # encoded once more
            text = unquote_plus(text)
        if text and any(mark in text for mark in "=:&?"):
            _read_query(text, told)
        else:
            told[name.strip()] = value
        if len(told) > MOST_PARAMETERS:
            break
    return dict(list(told.items())[:MOST_PARAMETERS])


def _read_query(text: str, told: dict[str, str]) -> None:
    for pair in text.strip().lstrip("?").split("&", MOST_PARAMETERS)[:MOST_PARAMETERS]:
        # `name=value`, or `name:value=`, where the mangling added the last "=".
        colon, equals = pair.find(":"), pair.find("=")
        if colon > 0 and (equals < 0 or colon < equals):
            name, value = pair[:colon], pair[colon + 1 :].removesuffix("=")
        else:
            name, _, value = pair.partition("=")
        if name:
            told[unquote_plus(name).strip()] = unquote_plus(value)


def rate(value: object) -> int | None:
    """Read a sample rate in Hz: ``16000``, ``16000.0``, ``"16000Hz"``, ``"16 kHz"``, ``"16k"``; None if it is none of these."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if 0 <= value < 1e9 else None
    found = _RATE.fullmatch(value[:64]) if isinstance(value, str) else None
    if found is None:
        return None
    return round(float(found[1]) * (1000 if found[2] else 1))


def rates(parameters: Mapping[str, str]) -> list[str]:
    """Return the rates named by the parameters (restored ones, or a URL's query), as unparsed texts."""
    return [said for name, said in parameters.items() if said and is_rate(name)]


def is_rate(name: str) -> bool:
    """Return True if a parameter of this name tells the sample rate: ``sample-rate``, ``sample_rate`` or ``sampleRate``."""
    return _RATE_NAME.fullmatch(name) is not None


def as_text(value: object) -> str:
    """Return a scalar of JSON as a text; an object, a list or null as an empty one."""
    if value is None or isinstance(value, dict | list):
        return ""
    try:
        return str(value)
    except ValueError:  # an integer of thousands of digits
        return ""
