"""Test a release of AI mode: speak a sentence and understand it, and ask a question in a call.

No provider is called, whatever the settings choose: a self-test costs nothing and shows no key. Whether the release can talk to
providers is checked when the worker starts, which has the keys.
"""

import asyncio
import base64
import contextlib
import json
from typing import Any, Final

import numpy as np
import soxr
from rapidfuzz import fuzz, utils

from exotel_ws.ai.embedded.models import STT_RATE, Recogniser, Speaker, example_flow
from exotel_ws.ai.playout import FRAME, SHORTEST
from exotel_ws.ai.scripted import flow as flows
from exotel_ws.ai.scripted.script import Script
from exotel_ws.ai.settings import Ai

SETTINGS: Final = Ai(greeting="Hello.")
"""The defaults, and a short greeting."""

_SENTENCE: Final = "Your order should arrive tomorrow."
_QUESTION: Final = "What are your opening hours?"
_RATE: Final = 8000
_FRAME_S: Final = 0.02
_FRAME_BYTES: Final = 320
_PAUSE_S: Final = 1.0
"""Seconds of silence after which the bot has finished."""
_ENOUGH_BYTES: Final = 3 * _RATE * 2
"""Bytes of an answer that show which one it is."""
_LIKENESS: Final = 70.0
"""Least likeness, of 100: recognised speech is rarely word for word the spoken text."""


class Misheard(Exception):
    """Failure to understand speech as it was spoken."""


def check_models() -> None:
    """Let the embedded recogniser hear the embedded voice. Blocks for a second or two. Raises `Misheard`."""
    heard = Recogniser().recognise(Speaker().speak(_SENTENCE, STT_RATE))
    if not _alike(heard, _SENTENCE):
        raise Misheard(f"the embedded voice said {_SENTENCE!r}, and the embedded recogniser heard {heard!r}")


async def check_call(port: int) -> None:
    """Ask a question in a call to a server with `SETTINGS` on 127.0.0.1:``port``. Raises `Misheard`."""
    question = await asyncio.to_thread(lambda: Speaker().speak(_QUESTION, _RATE))
    answer = await _ask(port, question)
    heard = await asyncio.to_thread(_understand, answer)
    expected = Script(flows.load(example_flow())).answer([{"role": "user", "content": _QUESTION}]).say
    if not _alike(heard, expected):
        raise Misheard(f"in a call the bot was asked {_QUESTION!r}, and said {heard!r} instead of {expected!r}")


def _understand(pcm: bytes) -> str:
    return Recogniser().recognise(soxr.resample(np.frombuffer(pcm, "<i2"), _RATE, STT_RATE).tobytes())


def _alike(heard: str, said: str) -> bool:
    return fuzz.token_set_ratio(heard, said, processor=utils.default_process) >= _LIKENESS


async def _ask(port: int, question: bytes) -> bytes:
    """Return the answer to ``question``, both PCM16 little-endian at `_RATE`."""
    # The reference client, whichever engine the server runs on.
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}/?sample-rate={_RATE}", compression=None) as client:
        caller = _Caller(client)
        await caller.begin()
        talking = asyncio.create_task(caller.talk())
        try:
            if not await caller.listen():
                raise Misheard("a call was not greeted")
            caller.to_say += question
            return await caller.listen()
        finally:
            talking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await talking
            await caller.end()


class _Caller:
    """Speak in real time, and send each mark back when it comes."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.to_say = bytearray()

    async def begin(self) -> None:
        await self._send(event="connected")
        start = {"stream_sid": "selftest", "call_sid": "selftest", "media_format": {"sample_rate": str(_RATE)}}
        await self._send(event="start", stream_sid="selftest", start=start)

    async def talk(self) -> None:
        """Send `to_say`, and silence when it is empty, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            frame = bytes(self.to_say[:_FRAME_BYTES]).ljust(_FRAME_BYTES, b"\0")
            del self.to_say[:_FRAME_BYTES]
            await self._send(event="media", stream_sid="selftest", media={"payload": base64.b64encode(frame).decode()})
            due += _FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def listen(self) -> bytes:
        """Wait for the bot to speak; return what it says until it pauses or has said `_ENOUGH_BYTES`. Raises `Misheard`."""
        heard = bytearray()
        while True:
            try:
                async with asyncio.timeout(_PAUSE_S if heard else None):
                    message = json.loads(await self._client.recv())
            except TimeoutError:
                return bytes(heard)
            if message["event"] == "media":
                pcm = base64.b64decode(message["media"]["payload"])
                if len(pcm) % FRAME or len(pcm) < SHORTEST:
                    raise Misheard(f"a message has {len(pcm)} bytes of audio, which Exotel does not play")
                heard += pcm
                if len(heard) >= _ENOUGH_BYTES:
                    return bytes(heard)
            elif message["event"] == "mark":
                await self._send(event="mark", stream_sid="selftest", mark=message["mark"])

    async def end(self) -> None:
        await self._send(event="stop", stream_sid="selftest", stop={"call_sid": "selftest", "reason": "callended"})

    async def _send(self, **message: Any) -> None:
        await self._client.send(json.dumps(message) + "\n")
