"""Serve the scripted flow as an OpenAI-compatible endpoint on loopback, so that it takes the path of any language model.

Any user of the host can reach loopback. So a request needs the key that this process made, is refused without it before its
body is read, and is bounded; long work runs in a thread.
"""

import asyncio
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from aiohttp import web

from exotel_ws.ai.remarks import Meaning
from exotel_ws.ai.scripted.flow import Flow
from exotel_ws.ai.scripted.script import Answer, Script

MODEL: Final = "scripted"
"""Name of the model; ``scripted:hi`` answers in Hindi, if the flow has it, ``scripted/sales`` by the flow of the bot sales."""
MOST_BYTES: Final = 512 * 1024
"""Most bytes of a request: ten minutes of talk are about 50 KB."""
MOST_AT_ONCE: Final = 64
"""Most requests handled at once; a worker has 25 calls by default, and each waits for its answer."""
_BODY_S: Final = 5.0
"""Seconds that the body of a request may take to arrive."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint:
    """Serve OpenAI's ``/v1/chat/completions`` and ``/v1/models`` on 127.0.0.1. ``url`` is set once it is open.

    ``key`` is made for this object; a client has to send it as ``Authorization: Bearer KEY``.
    """

    def __init__(self, flow: Flow, sounds: Callable[[str], str] | None = None, of_bots: Mapping[str, Flow] | None = None) -> None:
        """``sounds``: see `exotel_ws.ai.scripted.likeness.Examples`. ``of_bots`` are flows of bots by their names."""
        flows = {MODEL: flow} | {model_of(bot): its for bot, its in (of_bots or {}).items()}
        self._scripts = {model: Script(its, sounds) for model, its in flows.items()}
        self._models = [f"{model}{tag}" for model, its in flows.items() for tag in ("", *(f":{tag}" for tag in its.languages()))]
        self._runner: web.AppRunner | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._in_work = 0
        self.url = ""
        self.key = secrets.token_urlsafe(32)

    async def open(self) -> None:
        """Listen on a free port. Raises OSError if there is none."""
        app = web.Application(client_max_size=MOST_BYTES, middlewares=[_errors, self._admit])
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list)
        self._thread = ThreadPoolExecutor(1, "flow")
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=60.0, lingering_time=0.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"

    async def close(self) -> None:
        """Close the port. Idempotent."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()
        if self._thread:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def script(self, model: str) -> Script:
        """Return the script of ``model``, a name without a language. It is shared, by threads too."""
        return self._scripts[model]

    async def understands(self, model: str, text: str) -> bool:
        """Return True if ``text`` means something to the flow of ``model``, a name without a language."""
        assert self._thread is not None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._scripts[model].understands, text)

    async def meaning(self, model: str, text: str) -> Meaning:
        """Return what ``text`` is to the flow of ``model``, a name without a language."""
        assert self._thread is not None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._scripts[model].meaning, text)

    async def collected(self, model: str, messages: list[dict[str, Any]]) -> dict[str, str]:
        """Return the values of slots that a caller gave to the flow of ``model``, a name without a language."""
        assert self._thread is not None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._scripts[model].collected, messages)

    @web.middleware
    async def _admit(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Refuse a request without the key, or beyond `MOST_AT_ONCE`."""
        shown = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(shown, f"Bearer {self.key}".encode()):
            return _refused(401, "Incorrect API key provided.", "invalid_api_key")
        if self._in_work >= MOST_AT_ONCE:
            return _refused(503, "Too many requests are in work.", "overloaded")
        self._in_work += 1
        try:
            return await handler(request)
        finally:
            self._in_work -= 1

    async def _list(self, _request: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "exotel-ws"} for name in self._models]
        return web.json_response({"object": "list", "data": data})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        assert self._thread is not None
        asked = await _read(request)
        model = asked.get("model") or MODEL
        name, _, language = str(model).partition(":")
        script = self._scripts.get(name)
        if script is None:
            return _error(404, f"The model `{model}` does not exist; there is: {', '.join(self._models)}", "model_not_found")
        offered = _offered(asked.get("tools") or [])
        find = partial(script.answer, asked["messages"], language, offered=offered)
        answer = await asyncio.get_running_loop().run_in_executor(self._thread, find)
        made = _Completion(str(model), answer, offered, asked["messages"])
        if not asked.get("stream"):
            return web.json_response(made.whole())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in made.chunks(with_usage)]
        await response.write("".join([*events, "data: [DONE]\n\n"]).encode())
        await response.write_eof()
        return response


def model_of(bot: str) -> str:
    """Return the name of the model that answers by the flow of a bot."""
    return f"{MODEL}/{bot}"


class _BadRequest(Exception):
    """A request that can't be answered; the message is for its client."""


class _Completion:
    """One answer in OpenAI's format."""

    def __init__(self, model: str, answer: Answer, offered: set[str], messages: list[dict[str, Any]]) -> None:
        self._model = model
        self._say = answer.say
        self._tools: list[dict[str, Any]] = []
        if answer.tool in offered:
            function = {"name": answer.tool, "arguments": json.dumps(answer.arguments, ensure_ascii=False)}
            self._tools = [{"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": function}]
        self._finish = "tool_calls" if self._tools else "stop"
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        told = sum(len(json.dumps(message.get("content") or "").split()) for message in messages)
        said = len(answer.say.split())
        self._usage = {"prompt_tokens": told, "completion_tokens": said, "total_tokens": told + said}

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._say or None}
        if self._tools:
            message["tool_calls"] = self._tools
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def chunks(self, with_usage: bool) -> Iterator[dict[str, Any]]:
        yield self._chunk({"role": "assistant", "content": self._say})
        for index, call in enumerate(self._tools):
            yield self._chunk({"tool_calls": [{"index": index, **call}]})
        yield self._chunk({}, self._finish)
        if with_usage:
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage}

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer errors in OpenAI's format."""
    try:
        return await handler(request)
    except _BadRequest as error:
        return _error(400, str(error))
    except web.HTTPException as error:
        return _error(error.status, error.reason)
    except ConnectionError:  # the call has ended: nobody reads this, but aiohttp would log an error of ours
        return _error(499, "The client has closed the connection.")


async def _read(request: web.Request) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_BODY_S):
            body = await request.read()
        asked = json.loads(body)
    except TimeoutError:
        raise _BadRequest("The body did not arrive in time.") from None
    except (ValueError, RecursionError):
        raise _BadRequest("We could not parse the JSON body of your request.") from None
    if not isinstance(asked, dict):
        raise _BadRequest("The body has to be an object.")
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise _BadRequest("'messages' has to be a list of messages, at least one.")
    if not isinstance(asked.get("model", ""), str):
        raise _BadRequest("'model' has to be a string.")
    if not isinstance(asked.get("tools") or [], list) or not isinstance(asked.get("stream_options") or {}, dict):
        raise _BadRequest("'tools' has to be a list, 'stream_options' an object.")
    return asked


def _offered(tools: list[Any]) -> set[str]:
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return {str(function.get("name")) for function in functions if isinstance(function, dict)}


def _refused(status: int, text: str, code: str) -> web.Response:
    """Return an error for a request whose body is not read; the connection closes after it."""
    response = _error(status, text, code)
    response.force_close()
    return response


def _error(status: int, text: str, code: str | None = None) -> web.Response:
    error = {"message": text, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status)
