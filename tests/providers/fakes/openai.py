"""OpenAI's HTTP: chat completions as server-sent events, transcriptions, speech. Many others speak it too."""

import io
import json
import wave
from typing import Any

from aiohttp import web

from .server import SPEECH, Fake, transcript

ANSWER = ("Hello ", "to ", "you.")


class Chat(Fake):
    """Fake with the routes of every OpenAI-compatible language model."""

    def routes(self) -> None:
        self.post("/v1/chat/completions", self._complete)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.contexts.append(asked)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in ANSWER:
            await response.write(_event(_chunk(asked["model"], {"role": "assistant", "content": word})))
        await response.write(_event(_chunk(asked["model"], {}, "stop")) + b"data: [DONE]\n\n")
        return response


class OpenAI(Chat):
    def routes(self) -> None:
        super().routes()
        self.post("/v1/audio/transcriptions", self._transcribe)
        self.post("/v1/audio/speech", self._speak)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.asked.append(("transcribe", {name: str(value) for name, value in form.items() if isinstance(value, str)}))
        file: Any = form["file"]
        with wave.open(io.BytesIO(file.file.read())) as audio:
            # Silence follows the speech: the service adds some.
            return web.json_response({"text": transcript(len(audio.readframes(audio.getnframes()).rstrip(b"\0")))})

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(("speak", asked))
        self.said.append(asked["input"])
        return web.Response(body=SPEECH, content_type="audio/pcm")


class AzureOpenAI(Chat):
    """Fake of OpenAI's service at a customer's own address. The client of its v1 surface is OpenAI's."""

    def routes(self) -> None:
        self.post("/openai/v1/chat/completions", self._complete)


class Gemini(Fake):
    """Google's own protocol for its language models."""

    key_header = "x-goog-api-key"
    key_prefix = ""

    def routes(self) -> None:
        self.post("/v1beta/models/{call}", self._generate)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        self.contexts.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in ANSWER:
            candidate = {"content": {"role": "model", "parts": [{"text": word}]}, "index": 0}
            await response.write(_event({"candidates": [candidate]}))
        last = {"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0, "finishReason": "STOP"}
        await response.write(_event({"candidates": [last]}))
        return response


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [choice]}
