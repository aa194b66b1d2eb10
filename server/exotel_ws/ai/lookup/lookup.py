"""Ask a system of the user's who calls, before the greeting: which bot, in which language and voice, with which values."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from exotel_ws import parameters
from exotel_ws.ai.outward.client import Destination, Outward, OutwardError
from exotel_ws.ai.wishes import plain
from exotel_ws.protocol import Start

CHOICES: Final = ("bot", "language", "voice")
"""Keys of an answer that choose, as the custom parameters of the same names do."""
_MOST_GREETING: Final = 500
"""Most characters of a greeting: half a minute of speech."""
_MOST_CHOICE: Final = 64


class Found(NamedTuple):
    """Answer about one call. ``start`` is the call's, with what was answered among its parameters; ``greeting`` may be empty.

    ``unusable`` names keys of the answer with values that can't be used.
    """

    start: Start
    greeting: str = ""
    unusable: tuple[str, ...] = ()


class Lookup:
    """Asks about each call of a worker."""

    def __init__(self, destination: Destination, outward: Outward) -> None:
        self._destination = destination
        self._outward = outward

    async def ask(self, start: Start) -> Found:
        """Return what is known of the call. Raises `OutwardError` if there is no answer in time, or none that can be read."""
        body = {
            "call_sid": start.call_sid,
            "stream_sid": start.stream_sid,
            "from": start.from_,
            "to": start.to,
            "custom_parameters": start.custom_parameters,
        }
        answer = (await self._outward.send(self._destination, body)).json()
        if not isinstance(answer, dict):
            raise OutwardError("an answer that is no JSON object")
        return read(start, answer)


def read(start: Start, answer: Mapping[str, Any]) -> Found:
    """Return what ``answer`` says of the call that began with ``start``, as far as it can be used; other keys are ignored.

    Its parameters go before the call's own, which whoever calls may have set.
    """
    unusable = []
    told, cut = parameters.collect(answer.get("parameters") or {})
    if cut or not isinstance(answer.get("parameters") or {}, dict):
        unusable.append("parameters")
    for name in CHOICES:
        value = answer.get(name)
        if isinstance(value, str) and value and len(value) <= _MOST_CHOICE:
            told[name] = value
        elif value:
            unusable.append(name)
    greeting = answer.get("greeting") or ""
    if not isinstance(greeting, str) or len(greeting) > _MOST_GREETING:
        unusable.append("greeting")
        greeting = ""
    known = replace(start, custom_parameters=start.custom_parameters | told)
    return Found(known, plain(greeting, _MOST_GREETING), tuple(unusable))
