"""Choose the bot of a call: by the parameter that names it, by the number that was called, or by the path of the stream."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from exotel_ws.ai.settings import Bot
from exotel_ws.logs import printable
from exotel_ws.protocol import Start

DEFAULT: Final = "default"
"""Name of the bot that ``[ai]`` itself describes, in logs and metrics."""
PARAMETER: Final = "bot"
"""Custom parameter that names a bot."""
MOST: Final = 50
"""Most bots of a deployment: each has a greeting in memory, and is a label of a metric."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()./-]{0,30}")
_PATH: Final = re.compile(r"/[A-Za-z0-9._~/-]{1,200}(?<!/)")
_INDIA: Final = "91"
_NATIONAL_DIGITS: Final = 10
"""Digits of an Indian number without country and trunk prefix."""
_LEAST_DIGITS: Final = 5


class Chosen(NamedTuple):
    """Name of a call's bot. ``unknown`` is True if the call asked for one that there is not."""

    name: str
    unknown: bool


class Routing:
    """Finds the bot of each call."""

    def __init__(self, bots: Mapping[str, Bot]) -> None:
        self._names = {name.casefold(): name for name in bots}
        self._numbers = {digits(number): name for name, bot in bots.items() for number in bot.numbers}
        self._paths = {path: name for name, bot in bots.items() for path in bot.paths}

    def choose(self, start: Start, path: str) -> Chosen:
        """Return the bot of a call whose stream came on ``path``.

        The parameter goes before the number, the number before the path: Exotel's applet may be one for several numbers. A path
        leads to the bot of its longest beginning, since a credential may follow as its last segment.
        """
        asked = start.custom_parameters.get(PARAMETER, "").casefold()
        named = self._names.get(asked, DEFAULT if asked == DEFAULT else "")
        found = named or self._numbers.get(digits(start.to), "") or self._of_path(path)
        return Chosen(found or DEFAULT, bool(asked) and not named)

    def _of_path(self, path: str) -> str:
        while path:
            if path in self._paths:
                return self._paths[path]
            path = path.rpartition("/")[0]
        return ""


def digits(number: str) -> str:
    """Return the digits by which a telephone number is compared: Exotel writes one as 080…, 9180… or +9180….

    Leading zeros go, and India's country code before the ten digits of a number there.
    """
    found = "".join(letter for letter in number if letter in "0123456789").lstrip("0")
    indian = len(found) == len(_INDIA) + _NATIONAL_DIGITS and found.startswith(_INDIA)
    return found[len(_INDIA) :] if indian else found


def problems(bots: Mapping[str, Bot], served: list[str]) -> list[str]:
    """Return what would keep a bot from its calls, or give a call to two. ``served`` are the paths that are served; none: any."""
    found = [f"ai.bots: there are {len(bots)}, at most {MOST} are possible"] if len(bots) > MOST else []
    found += [problem for name, bot in bots.items() for problem in _judged(name, bot, served)]
    for what, key in (("numbers", digits), ("paths", str), ("name", str.casefold)):
        taken: dict[str, str] = {}
        for name, bot in bots.items():
            for value in [name] if what == "name" else getattr(bot, what):
                first = taken.setdefault(key(value), name)
                if first != name:
                    found.append(f"ai.bots.{name}.{what}: {printable(value, 60)} leads to {first} already: which is meant?")
    return found


def _judged(name: str, bot: Bot, served: list[str]) -> Iterator[str]:
    if not _NAME.fullmatch(name) or name.casefold() == DEFAULT:
        yield f"ai.bots.{printable(name, 60)}: a name has up to 32 letters, digits and dashes, and is not {DEFAULT}"
    for number in bot.numbers:
        if not _NUMBER.fullmatch(number) or len(digits(number)) < _LEAST_DIGITS:
            yield f"ai.bots.{name}.numbers: {printable(number, 60)} is no telephone number: it is written as +918012345678"
    for path in bot.paths:
        if not _PATH.fullmatch(path) or "//" in path:
            yield f"ai.bots.{name}.paths: {printable(path, 60)} is no path: it is written as /sales"
        elif served and path not in served:
            yield f"ai.bots.{name}.paths: {path} is not served: add it to paths, which has {', '.join(served)}"
