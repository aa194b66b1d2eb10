"""The scripted flow behind an OpenAI-compatible endpoint on loopback: the same path as with any language model."""

import json
import time
from collections.abc import AsyncIterator

from aiohttp import web

from exotel_ws.ai.flow import Flow, answer

MODEL = "scripted"


class Endpoint:
    """Serves ``POST /v1/chat/completions`` on 127.0.0.1, streaming or not. ``url`` is known once it is open."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self) -> None:
        """Raises OSError where no port can be had."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"

    async def close(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        made = answer(self._flow, asked["messages"])
        offered = {tool["function"]["name"] for tool in asked.get("tools") or ()}
        call = {"name": made.tool, "arguments": json.dumps({"intent": made.intent})} if made.tool in offered else None
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for delta in _deltas(made.say, call):
            await response.write(b"data: " + json.dumps(delta).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response


async def _deltas(say: str, call: dict[str, str] | None) -> AsyncIterator[dict[str, object]]:
    yield _chunk({"role": "assistant", "content": say})
    if call:
        yield _chunk({"tool_calls": [{"index": 0, "id": f"call_{time.monotonic_ns()}", "type": "function", "function": call}]})
    yield _chunk({}, "tool_calls" if call else "stop")


def _chunk(delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "scripted", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [choice]}
