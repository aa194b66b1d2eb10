"""Many short calls on one worker, with services that fail in every way and callers who hang up at any moment: nothing grows.

``SOAK_CALLS=1000 pytest -s tests/protocol/test_ai_soak.py`` is the long one.
"""

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import psutil
import pytest
from exotel_ws.ai import assembly, dialogue, mode
from exotel_ws.ai.conversation import Conversation
from exotel_ws.ai.embedded.backlog import Backlog
from exotel_ws.ai.embedded.models import Models
from exotel_ws.ai.providers.supply import Named, Supply
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.settings import Ai, Failure
from exotel_ws.server import VoicebotServer
from exotel_ws.settings import Settings
from openai import AsyncOpenAI
from pipecat.processors.frame_processor import FrameProcessor
from websockets.exceptions import ConnectionClosed

from . import wire
from .ai_services import FAULTS, FakeLLM, FakeSTT, FakeTTS
from .ai_trouble import AnySound, turns, voice
from .phone import WAIT_S, Phone

CALLS = int(os.environ.get("SOAK_CALLS", "200"))
PARALLEL = 16
WARM = CALLS // 4
MOST_MB = 24
"""Growth of memory allowed after `WARM` calls, however many follow: the allocator's, for the greatest rush."""
RATE = 8000
PIECE_S = 0.1
LONGEST_S = 2.5
PATIENT = 0.9
FAILURE = Failure(
    silence_s=0.5,
    transcript_s=0.4,
    first_token_s=0.4,
    first_audio_s=0.4,
    stall_s=0.4,
    ready_s=2.0,
    fillers=["Wait."],
    apology="Sorry.",
)


class NoModel:
    """Stand-in for the recogniser, the voice and the turn model: every letter is 5 ms of sound."""

    def recognise(self, pcm: bytes, topic: object = None) -> str:
        return "hello"

    def topic(self, *_args: object) -> None:
        return None

    def speak(self, text: str, sample_rate: int = 24000) -> bytes:
        return b"\5\5" * int(len(text) * 0.005 * sample_rate)

    speak_whole = speak

    @property
    def backlog(self) -> Backlog:
        return Backlog()

    def sounds(self, text: str) -> str:
        return text


class FaultySupply(Supply):
    """Supply of two services a stage, each with a fault or none; the scripted model over its socket is one of them."""

    dice = random.Random(5)

    def stt(self, language: str = "") -> list[Named]:
        return self._named(lambda fault: FakeSTT("hello", fault))

    def llm(self, *args: Any) -> list[Named]:
        return [*super().llm(*args), *self._named(lambda fault: FakeLLM("Well then.", fault))][self.dice.randrange(2) :]

    def tts(self, language: str = "", voice_name: str = "") -> list[Named]:
        return self._named(lambda fault: FakeTTS(lambda text: voice(text[:20]), fault))

    def _named(self, make: Any) -> list[Named]:
        return [Named(f"s{i}", make(self._fault())) for i in (1, 2)]

    def _fault(self) -> str:
        return self.dice.choice(FAULTS) if self.dice.random() < 0.3 else ""


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    model: Any = NoModel()
    models = Models(model, model, model, ThreadPoolExecutor(1), ThreadPoolExecutor(1))
    monkeypatch.setattr(Models, "load", lambda: models)
    monkeypatch.setattr(mode, "Supply", FaultySupply)
    monkeypatch.setattr(dialogue, "_turns", turns)
    monkeypatch.setattr(assembly, "VoiceDetector", lambda _model: None)
    monkeypatch.setattr(assembly, "Hearing", lambda *_: AnySound())
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def short_call(url: str, dice: random.Random) -> int:
    """Place a call that hangs up at some moment, often after the greeting, sometimes without a stop; return the bytes heard."""
    heard = 0
    greeted = asyncio.Event()
    speaks_at, ends_at = dice.uniform(0.0, 0.5), dice.uniform(0.0, LONGEST_S)
    async with Phone(url) as phone:
        await phone.open()

        async def listen() -> None:
            nonlocal heard
            with contextlib.suppress(ConnectionClosed):
                while True:
                    heard += len(await phone.socket.recv())
                    greeted.set()

        listening = asyncio.create_task(listen())
        if dice.random() < PATIENT:
            async with asyncio.timeout(WAIT_S):
                await greeted.wait()
        began = time.monotonic()
        with contextlib.suppress(ConnectionClosed):
            while (at := time.monotonic() - began) < ends_at:
                sound = b"\x40\x10" if speaks_at < at < speaks_at + 0.5 else b"\0\0"
                await phone.send(wire.media(sound * int(RATE * PIECE_S)))
                await asyncio.sleep(PIECE_S)
            if dice.random() < 0.5:
                await phone.send(wire.stop())
        listening.cancel()
    return heard


def rss() -> int:
    """Return the memory in use, without the allocator's reserve for the next rush."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


async def serve() -> tuple[VoicebotServer, str]:
    """Run a worker in this process and yield its URL."""
    ai = msgspec.structs.replace(Ai(), failure=FAILURE, max_calls=4 * PARALLEL)
    server = VoicebotServer(Settings(mode="ai", host="127.0.0.1", ai=msgspec.to_builtins(ai)))
    listener = socket.create_server(("127.0.0.1", 0))
    await server.start([listener])
    return server, f"ws://127.0.0.1:{listener.getsockname()[1]}/"


def left_behind() -> list[object]:
    """Return the objects left of calls that are over."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Conversation | FrameProcessor | Story | AsyncOpenAI)]


async def settled(before: set[Any], within_s: float = 8.0) -> None:
    """Wait until there are no tasks but those from ``before``."""
    until = time.monotonic() + within_s
    while left := asyncio.all_tasks() - before:
        assert time.monotonic() < until, left
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("wait_s", [0.0, 0.3, 1.5])
def test_a_worker_that_ends_waits_for_its_calls_to_let_go(
    no_models: None, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def worker() -> None:
        server, url = await serve()
        async with Phone(url) as phone:
            await phone.open()
            await phone.send(wire.media(b"\x40\x10" * RATE))
            await phone.receive()
            await asyncio.sleep(wait_s)
            await server.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    monkeypatch.setattr(FaultySupply, "_fault", lambda _self: "")
    asyncio.run(worker())


@pytest.mark.timeout(600)
def test_after_many_calls_there_are_no_more_tasks_sockets_or_memory_than_after_few(no_models: None) -> None:
    async def soak() -> None:
        server, url = await serve()
        try:
            await calls(url)
        finally:
            await server.close()

    async def calls(url: str) -> None:
        dice = random.Random(7)
        places = asyncio.Semaphore(PARALLEL)
        heard: list[int] = []

        async def one() -> None:
            async with places:
                heard.append(await short_call(url, dice))

        async def some(calls: int) -> None:
            await asyncio.gather(*(one() for _ in range(calls)))

        await some(4)
        await asyncio.sleep(3)
        others = left_behind()  # of other tests
        tasks = asyncio.all_tasks()
        files = psutil.Process().num_fds()
        await some(WARM)
        await settled(tasks)
        memory, began = rss(), time.monotonic()
        await some(CALLS - WARM)
        await settled(tasks)
        grown = (rss() - memory) / 2**20
        print(
            f"\n{CALLS} calls, {PARALLEL} at a time: {(CALLS - WARM) / (time.monotonic() - began):.1f} calls/s, "
            f"tasks {len(tasks)} → {len(asyncio.all_tasks())}, files {files} → {psutil.Process().num_fds()}, "
            f"memory {memory / 2**20:.0f} MB {grown:+.1f} MB"
        )
        assert sum(map(bool, heard)) > 0.8 * len(heard)
        assert psutil.Process().num_fds() <= files
        assert len(left_behind()) <= len(others)
        assert grown <= MOST_MB

    asyncio.run(soak())
