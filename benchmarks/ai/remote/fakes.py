"""Services of a call at the pace of real ones: Deepgram hears, a model of OpenAI's protocol answers, Cartesia speaks.

Run as a process of its own: ``python -m benchmarks.ai.remote.fakes --port PORT``.
"""

import argparse
import asyncio
import base64
import json
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any, Final

import numpy as np
from aiohttp import WSMsgType, web

QUESTION: Final = "What are your opening hours today?"
"""Text that is recognised in all that is said."""
ANSWER: Final = (
    "We are open from nine in the morning to six in the evening, from Monday to Saturday. "
    "On Sundays we are closed. Is there anything else that I can do for you?"
)
_HEARING_RATE: Final = 16_000
_SOUND: Final = 0.01
"""Root mean square of full scale from which on a piece of audio is speech."""
_INTERIM_S: Final = 0.3
"""Seconds of speech between two interim texts, and of silence after which the text is final."""
_FIRST_TOKEN_S: Final = 0.25
_TOKEN_S: Final = 0.02
_FIRST_AUDIO_S: Final = 0.15
_LETTER_S: Final = 0.06
_CHUNK_S: Final = 0.1
_FASTER: Final = 2.0
"""Factor by which speech is made faster than it is heard."""


async def listen(request: web.Request) -> web.WebSocketResponse:
    """Recognise as Deepgram does: interim texts while somebody speaks, a final one after a silence, or when asked for it."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    words, spoken_s, silent_s, told_s = QUESTION.split(), 0.0, 0.0, 0.0
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            asked = json.loads(message.data)["type"]
            if asked == "Finalize":
                await socket.send_json(_results(QUESTION if spoken_s else "", final=True, finalized=True))
                spoken_s = told_s = 0.0
            elif asked == "CloseStream":
                break
            continue
        sound = np.frombuffer(message.data[: len(message.data) // 2 * 2], "<i2").astype(np.float32) / 32768
        seconds = len(sound) / _HEARING_RATE
        if len(sound) and float(np.sqrt(np.mean(sound**2))) > _SOUND:
            spoken_s, silent_s = spoken_s + seconds, 0.0
            if spoken_s - told_s >= _INTERIM_S:
                told_s = spoken_s
                await socket.send_json(_results(" ".join(words[: int(spoken_s / _INTERIM_S)])))
        elif spoken_s:
            silent_s += seconds
            if silent_s >= _INTERIM_S:
                await socket.send_json(_results(QUESTION, final=True))
                spoken_s = silent_s = told_s = 0.0
    await socket.close()
    return socket


async def complete(request: web.Request) -> web.StreamResponse:
    """Answer as a model does: a token at a time."""
    asked = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(_FIRST_TOKEN_S)
    for word in ANSWER.split(" "):
        await response.write(_chunk(asked["model"], {"role": "assistant", "content": f"{word} "}))
        await asyncio.sleep(_TOKEN_S)
    await response.write(_chunk(asked["model"], {}, "stop") + b"data: [DONE]\n\n")
    return response


async def speak(request: web.Request) -> web.WebSocketResponse:
    """Speak as Cartesia does: chunks of base64 and the times of the words, each context until it is done or cancelled."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    speaking: dict[str, asyncio.Queue[dict[str, Any] | None]] = {}
    tasks: dict[str, asyncio.Task[None]] = {}
    async for message in socket:
        asked = json.loads(message.data)
        name = asked["context_id"]
        if asked.get("cancel"):
            if name in tasks:
                tasks.pop(name).cancel()
                speaking.pop(name, None)
            continue
        if name not in tasks:
            speaking[name] = asyncio.Queue()
            tasks[name] = asyncio.create_task(_context(socket, name, speaking[name]))
        speaking[name].put_nowait(asked)
    for task in tasks.values():
        task.cancel()
    return socket


async def _context(socket: web.WebSocketResponse, name: str, asked: "asyncio.Queue[dict[str, Any] | None]") -> None:
    context = {"context_id": name, "status_code": 206}
    at = 0.0
    while True:
        told = await asked.get()
        assert told is not None
        if text := told["transcript"].strip():
            rate = told["output_format"]["sample_rate"]
            await asyncio.sleep(_FIRST_AUDIO_S)
            words, seconds = text.split(), len(text) * _LETTER_S
            starts = [at + place * seconds / len(words) for place in range(len(words))]
            timed = {"words": words, "start": starts, "end": [start + 0.1 for start in starts]}
            await socket.send_json(context | {"type": "timestamps", "done": False, "word_timestamps": timed})
            for piece in _speech(rate, round(seconds / _CHUNK_S)):
                await socket.send_json(context | {"type": "chunk", "data": piece, "done": False, "step_time": 1.0})
                await asyncio.sleep(_CHUNK_S / _FASTER)
            at += seconds
        if not told["continue"]:
            await socket.send_json(context | {"type": "done", "done": True, "status_code": 200})
            return


def _speech(rate: int, chunks: int) -> Iterator[str]:
    """Yield as many chunks of speech: noise as loud, syllable by syllable, as a voice is; never silent, so that a gap is one."""
    made = _chunks(rate)
    for place, _ in zip(count(), range(chunks), strict=False):
        yield made[place % len(made)]


@cache
def _chunks(rate: int) -> list[str]:
    rng, size = np.random.default_rng(1), int(rate * _CHUNK_S)
    loud = (0.05, 0.2, 0.1, 0.3, 0.15, 0.25, 0.08)
    pcm = [(rng.normal(0, each, size).clip(-1, 1) * 32767).astype("<i2").tobytes() for each in loud]
    return [base64.b64encode(one).decode() for one in pcm]


def _results(text: str, *, final: bool = False, finalized: bool = False) -> dict[str, Any]:
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 1.0,
        "start": 0.0,
        "is_final": final,
        "speech_final": final,
        "from_finalize": finalized,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.99, "words": []}]},
        "metadata": {
            "request_id": "00000000-0000-0000-0000-000000000000",
            "model_info": {"name": "general-nova-3", "version": "2025-04-17", "arch": "nova-3"},
            "model_uuid": "00000000-0000-0000-0000-000000000000",
        },
    }


def _chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    told = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [choice]}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ai.remote.fakes", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    app = web.Application()
    app.add_routes(
        [
            web.get("/health", _health),
            web.get("/v1/listen", listen),
            web.post("/v1/chat/completions", complete),
            web.get("/tts/websocket", speak),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=parser.parse_args().port, access_log=None, print=None)


if __name__ == "__main__":
    main()
