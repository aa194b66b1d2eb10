"""Tools of the language model. A tool about which the model has nothing to say returns None."""

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from exotel_ws.ai.dialogue import Events
from exotel_ws.ai.outward.client import Answer, Destination, Outward, OutwardError
from exotel_ws.ai.outward.once import Once
from exotel_ws.ai.providers.own_tools import PlannedTool
from exotel_ws.logs import printable
from exotel_ws.protocol import Start

MOST_REASON: Final = 100
MOST_SUMMARY: Final = 2000
"""Most characters of what a model says of the end of a call: a screen's line, and a screen's page."""


class EndCall:
    """``hang_up`` or ``transfer``: end the stream once the bot's words were heard; Exotel goes on with the next applet."""

    ends = True

    def __init__(self, name: str, description: str, end: Callable[[str, str, str], None]) -> None:
        """``end`` is called with the name, the reason and the summary that the model gives, each empty if it gives none."""
        self.name, self.description, self._end = name, description, end
        self.properties: dict[str, Any] = {
            "reason": {"type": "string", "description": "Why the call ends like this, in a few words."},
            "summary": {"type": "string", "description": "What whoever reads it has to know of this call, in short sentences."},
        }
        self.required: Sequence[str] = ()

    async def __call__(self, arguments: dict[str, Any]) -> None:
        self._end(self.name, _line(arguments.get("reason"), MOST_REASON), _line(arguments.get("summary"), MOST_SUMMARY))


class Webhook:
    """Ask a system of the user's by ``POST`` with JSON. Return a failure as an ``error``, which the model tells the caller."""

    ends = False
    name = "webhook"
    description = "Ask the company's own system, or tell it something. Its answer is for you to use in what you say next."

    def __init__(self, destination: Destination, outward: Outward, start: Start, events: Events) -> None:
        """``start`` is the call's."""
        self._destination, self._outward, self._events = destination, outward, events
        self.properties: dict[str, Any] = {
            "intent": {"type": "string", "description": "What the caller wants, in a word."},
            "data": {"type": "object", "description": "What the caller told that is needed for it."},
        }
        self.required: Sequence[str] = ()
        self._call = facts(start)
        self._once = Once()

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        self._events.used(self.name)
        body = {**arguments, **self._call}  # after the model's arguments, which a caller can influence
        try:
            return _told(await self._once(arguments, lambda key: self._outward.send(self._destination, body, headers=key)))
        except OutwardError as error:
            self._events.tool_failed(self.name, str(error))
            return {"error": str(error)}


class HttpTool:
    """Ask a system of the user's as ``[ai.tools.NAME]`` describes it, and return its answer, or a failure as an ``error``."""

    ends = False

    def __init__(self, planned: PlannedTool, language: str, outward: Outward, start: Start, events: Events) -> None:
        """``start`` is the call's; ``language`` chooses what is said meanwhile."""
        self._planned, self._outward, self._events = planned, outward, events
        self._saying = planned.saying_in(language)
        self._call = facts(start)
        self._once = Once()
        self.name, self.description = planned.name, planned.description
        self.properties, self.required = planned.schema.get("properties", {}), planned.schema.get("required", [])

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        if fault := self._planned.fault(arguments):
            self._events.used(self.name)
            self._events.tool_failed(self.name, "arguments that are not as its parameters say")
            return {"error": fault}
        self._events.used(self.name, self._saying)
        try:
            return _told(await self._once(arguments, lambda key: self._send(arguments, key)))
        except OutwardError as error:
            self._events.tool_failed(self.name, str(error))
            return {"error": str(error)}

    def _send(self, arguments: dict[str, Any], key: dict[str, str]) -> Coroutine[Any, Any, Answer]:
        to = self._planned.destination
        if to.method == "GET":
            return self._outward.send(to, query={name: _as_text(value) for name, value in arguments.items()})
        return self._outward.send(to, {"tool": self.name, "arguments": arguments, "call": self._call}, headers=key)


def facts(start: Start) -> dict[str, Any]:
    """Return what the user's systems are told of a call."""
    return {
        "call_sid": start.call_sid,
        "stream_sid": start.stream_sid,
        "from": start.from_,
        "to": start.to,
        "custom_parameters": start.custom_parameters,
    }


def _told(answer: Answer) -> Any:
    """Return what an answer means to a model. "No" and "nothing found" are answers, and not the success of an empty one."""
    told = answer.json()
    if told == {}:
        return {"ok": True}
    return told or {"answer": told}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(said: Any, most: int) -> str:
    """Return what a model wrote as one plain line of at most ``most`` characters; empty if it is no text."""
    return printable(" ".join(said.split()), most) if isinstance(said, str) else ""
