"""Make greetings before anybody calls: a caller who hears nothing hangs up."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import numpy as np
import soxr
from pipecat.frames.frames import EndFrame, Frame, TTSAudioRawFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from exotel_ws.ai.gate import Tap
from exotel_ws.protocol import SAMPLE_RATES

log = logging.getLogger("exotel_ws.ai")

_MADE_AT: Final = 24000
_LONGEST_S: Final = 10.0
"""Seconds in which a service has to speak a greeting."""
_CLOSE_S: Final = 1.0
"""Seconds to wait for a service that hangs, when the worker ends."""
_MOST_VOICES: Final = 64
"""Most pairs of language and voice that are kept, those asked for last; callers may ask for many."""


class Greetings:
    """Hold greetings in each language and voice that was asked for, at each rate. Make a missing one for the next call."""

    def __init__(self, text: Callable[[str], str], make: Callable[[str, str], FrameProcessor]) -> None:
        """``text`` returns the greeting in a language, ``make`` a new voice service for a language and a voice.

        An empty language or voice means the configured one.
        """
        self._text = text
        self._make = make
        self._made: dict[tuple[str, str], dict[int, bytes]] = {}
        """Least recently asked for first."""
        self._making: dict[tuple[str, str], asyncio.Task[None]] = {}

    def get(self, language: str, voice: str, sample_rate: int) -> bytes:
        """Return PCM16 little-endian at ``sample_rate`` Hz; empty if the greeting has to be spoken in the call."""
        key = (language, voice)
        made = self._made.pop(key, None)
        if made is None:
            self.prepare(language, voice)
            return b""
        self._made[key] = made
        return made[sample_rate]

    def prepare(self, language: str = "", voice: str = "") -> "asyncio.Task[None] | None":
        """Begin to make a greeting. Return None if there is nothing to say, or too many are being made."""
        key = (language, voice)
        if not self._text(language) or len(self._making) >= _MOST_VOICES:
            return None
        if key not in self._making:
            task = self._making[key] = asyncio.create_task(self._speak(key))
            task.add_done_callback(lambda _task: self._making.pop(key, None))
        return self._making[key]

    async def close(self) -> None:
        """Stop making greetings."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    async def _speak(self, key: tuple[str, str]) -> None:
        try:
            async with asyncio.timeout(_LONGEST_S):
                pcm = await speak(self._make(*key), self._text(key[0]))
        except Exception as error:
            log.warning("The greeting can't be spoken beforehand, each call speaks it again: %s", error or type(error).__name__)
            return
        if pcm:
            self._made[key] = {rate: _at_rate(pcm, rate) for rate in SAMPLE_RATES}
            if len(self._made) > _MOST_VOICES:
                del self._made[next(iter(self._made))]


async def speak(service: FrameProcessor, text: str) -> bytes:
    """Speak ``text`` with a voice service of pipecat, without a call. Return PCM16 at 24 kHz; empty if it says nothing."""
    pcm = bytearray()

    def heard(frame: Frame) -> None:
        if isinstance(frame, TTSAudioRawFrame):
            pcm.extend(_at_rate(frame.audio, _MADE_AT, frame.sample_rate))

    worker = PipelineWorker(
        Pipeline([service, Tap(heard)]),
        params=PipelineParams(audio_out_sample_rate=_MADE_AT),
        idle_timeout_secs=None,
        enable_rtvi=False,
        enable_turn_tracking=False,
        check_dangling_tasks=False,
    )
    await worker.queue_frames([TTSSpeakFrame(text, append_to_context=False), EndFrame()])
    runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
    await runner.add_workers(worker)
    await runner.run()
    return bytes(pcm)


def _at_rate(pcm: bytes, rate: int, made_at: int = _MADE_AT) -> bytes:
    if rate == made_at:
        return pcm
    return np.asarray(soxr.resample(np.frombuffer(pcm, "<i2"), made_at, rate)).tobytes()
