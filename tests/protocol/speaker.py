"""Caller who speaks, listens in real time and sends marks back, as Exotel does."""

import asyncio
import base64
import contextlib
import io
import json
import shutil
import subprocess
import time
import wave
from typing import Any

import numpy as np
import soxr
from exotel_ws.encodings import Encoding
from websockets.exceptions import ConnectionClosed

from . import wire
from .phone import Phone

ESPEAK = shutil.which("espeak-ng")


def spoken(text: str, rate: int) -> bytes:
    """Return speech by a voice that is not the bot's: PCM16 at ``rate`` Hz."""
    assert ESPEAK
    made = subprocess.run([ESPEAK, "-v", "en-us", "-s", "150", "--stdout", text], capture_output=True, check=True, timeout=30)
    with wave.open(io.BytesIO(made.stdout)) as sound:
        made_at, pcm = sound.getframerate(), made.stdout[44:]
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32)
    return bytes(soxr.resample(samples, made_at, rate).astype("<i2").tobytes())


class Caller:
    """Caller in an open stream. ``heard`` is the audio that came, PCM16, ``sizes`` the bytes of each message of it."""

    def __init__(self, phone: Phone, rate: int, sid: str = wire.STREAM, encoding: Encoding = Encoding.PCM16) -> None:
        self._phone, self._rate, self._sid, self._encoding = phone, rate, sid, encoding
        self._to_say = bytearray()
        self._ends_at = 0.0
        self._marks: dict[str, asyncio.TimerHandle] = {}
        self.sizes: list[int] = []
        self.heard = bytearray()
        self.clears = 0
        self.first_audio_at = 0.0
        self.closed: tuple[int, str] | None = None
        self.said_until = 0.0
        self.played_until = 0.0
        self._tasks = [asyncio.create_task(self._talk()), asyncio.create_task(self._listen())]

    async def hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for timer in self._marks.values():
            timer.cancel()

    @property
    def hears(self) -> bool:
        return time.monotonic() < self._ends_at

    def say(self, pcm: bytes) -> None:
        self._to_say += pcm

    async def until(self, what: Any, within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while not what():
                assert self.closed is None or what(), f"closed: {self.closed}"
                await asyncio.sleep(0.01)

    async def hears_something(self) -> None:
        await self.until(lambda: self.hears)

    async def hears_nothing(self, for_s: float = 0.8) -> None:
        """Wait until the bot has finished: sentences of one answer come close together."""
        await self.until(lambda: time.monotonic() > self._ends_at + for_s)

    async def said(self) -> None:
        await self.until(lambda: not self._to_say)

    async def ended(self) -> tuple[int, str]:
        async with asyncio.timeout(20):
            while self.closed is None:
                await asyncio.sleep(0.01)
        return self.closed

    async def _talk(self) -> None:
        """Send 20 ms at a time, silence included."""
        size, began, count = self._rate // 50 * 2, time.monotonic(), 0
        while True:
            frame = bytes(self._to_say[:size]).ljust(size, b"\0")
            del self._to_say[:size]
            count += 1
            with contextlib.suppress(ConnectionClosed):
                await self._phone.send(wire.media(self._encoding.encode(frame), self._sid, chunk=count))
            await asyncio.sleep(max(0.0, began + count * 0.02 - time.monotonic()))

    async def _listen(self) -> None:
        try:
            async for raw in self._phone.socket:
                self._one(json.loads(raw))
        except ConnectionClosed:
            pass
        finally:
            self.played_until = self._ends_at
            self.closed = (self._phone.socket.close_code or 1006, self._phone.socket.close_reason or "")

    def _one(self, message: dict[str, Any]) -> None:
        now = time.monotonic()
        if message["event"] == "media":
            data = base64.b64decode(message["media"]["payload"])
            self.sizes.append(len(data))
            self.heard += self._encoding.decode(data)
            self.first_audio_at = self.first_audio_at or now
            self._ends_at = max(self._ends_at, now) + len(data) / (self._encoding.sample_bytes * self._rate)
        elif message["event"] == "mark":
            name = message["mark"]["name"]
            self._marks[name] = asyncio.get_running_loop().call_later(max(0.0, self._ends_at - now), self._send_mark, name)
        elif message["event"] == "clear":
            self.clears += 1
            self._ends_at = now
            for timer in self._marks.values():
                timer.cancel()

    def _send_mark(self, name: str) -> None:
        task = asyncio.ensure_future(self._phone.send(wire.mark(name, self._sid)))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
