"""Tools of the language model. A tool about which the model has nothing to say returns None."""

from collections.abc import Callable
from typing import Any

from exotel_ws.ai.outward.client import Destination, Outward, OutwardError
from exotel_ws.protocol import Start


class EndCall:
    """``hang_up`` or ``transfer``: end the stream once the bot's words were heard; Exotel goes on with the next applet."""

    ends = True

    def __init__(self, name: str, description: str, end: Callable[[str], None]) -> None:
        self.name, self.description, self._end = name, description, end
        self.properties: dict[str, Any] = {}

    async def __call__(self, arguments: dict[str, Any]) -> None:
        self._end(self.name)


class Webhook:
    """Ask a system of the user's by ``POST`` with JSON. Return a failure as an ``error``, which the model tells the caller."""

    ends = False
    name = "webhook"
    description = "Ask the company's own system, or tell it something. Its answer is for you to use in what you say next."

    def __init__(self, destination: Destination, outward: Outward, start: Start, used: Callable[[str], None]) -> None:
        """``start`` is the call's; ``used`` is called with the name of the tool."""
        self._destination, self._outward, self._used = destination, outward, used
        self.properties: dict[str, Any] = {
            "intent": {"type": "string", "description": "What the caller wants, in a word."},
            "data": {"type": "object", "description": "What the caller told that is needed for it."},
        }
        self._call = {
            "call_sid": start.call_sid,
            "stream_sid": start.stream_sid,
            "from": start.from_,
            "to": start.to,
            "custom_parameters": start.custom_parameters,
        }

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        self._used(self.name)
        try:
            body = {**arguments, **self._call}  # after the model's arguments, which a caller can influence
            return (await self._outward.send(self._destination, body)).json() or {"ok": True}
        except OutwardError as error:
            return {"error": str(error)}
