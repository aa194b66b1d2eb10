"""Tools of the language model. A tool about which the model has nothing to say returns None."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from exotel_ws.ai.providers.keys import redact
from exotel_ws.protocol import Start

WEBHOOK_S: Final = 5.0
"""Seconds that a webhook has to answer; the caller hears a filler meanwhile, as whenever an answer is late."""
WEBHOOK_MOST: Final = 16 * 1024
"""Most bytes of an answer: more is of no use to a model."""


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

    def __init__(
        self, url: str, session: aiohttp.ClientSession, start: Start, used: Callable[[str], None], secret: str = ""
    ) -> None:
        """``start`` is the call's; ``used`` is called with the name of the tool.

        ``secret`` goes with each question as ``Authorization: Bearer``, unless it is empty.
        """
        self._url, self._session, self._used = url, session, used
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
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
            async with asyncio.timeout(WEBHOOK_S):
                return await self._ask(arguments)
        except TimeoutError:
            return {"error": f"no answer within {WEBHOOK_S:g} s"}
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return {"error": type(error).__name__}

    async def _ask(self, arguments: dict[str, Any]) -> Any:
        body = {**arguments, **self._call}  # after the model's arguments, which a caller can influence
        async with self._session.post(self._url, json=body, headers=self._headers, allow_redirects=False) as response:
            raw = await _at_most(response.content, WEBHOOK_MOST + 1)
        if not 200 <= response.status < 300:
            return {"error": f"HTTP {response.status}"}
        if len(raw) > WEBHOOK_MOST:
            return {"error": f"an answer of more than {WEBHOOK_MOST} bytes"}
        return _read(redact(raw.decode("utf-8"))) or {"ok": True}


def _read(text: str) -> Any:
    """Return the answer of a webhook. Raises ValueError if it holds lone surrogates, which no request to a model can carry."""
    try:
        answer = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return {"answer": text}
    json.dumps(answer, ensure_ascii=False).encode("utf-8")
    return answer


async def _at_most(stream: aiohttp.StreamReader, most: int) -> bytes:
    data = b""
    while len(data) < most and (piece := await stream.read(most - len(data))):
        data += piece
    return data
