"""Speak sentences before a call needs them: a caller who hears nothing hangs up."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import soxr
from pipecat.frames.frames import EndFrame, Frame, TTSAudioRawFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from exotel_ws.ai.failure.sound import NoSound, Sound
from exotel_ws.ai.gate import Tap
from exotel_ws.protocol import SAMPLE_RATES

log = logging.getLogger("exotel_ws.ai")

_MADE_AT: Final = 24000
_LONGEST_S: Final = 10.0
"""Seconds in which a service has to speak a sentence."""
_CLOSE_S: Final = 1.0
"""Seconds to wait for a service that hangs, when the worker ends."""


class Beforehand:
    """Hold sentences in each language and voice that was asked for, at each rate. Make missing ones for the next call."""

    def __init__(
        self,
        lacking: str,
        texts: Callable[[str], Sequence[str]],
        make: Callable[[str, str], FrameProcessor],
        most: int,
    ) -> None:
        """``lacking`` says in a warning what it means that they can't be made.

        ``texts`` returns them in a language, ``make`` a new voice service for a language and a voice; an empty one of these means
        the configured one. ``most`` pairs of language and voice are kept, those asked for last: callers may ask for many.
        """
        self._lacking = lacking
        self._texts = texts
        self._make = make
        self._most = most
        self._made: dict[tuple[str, str], dict[int, tuple[bytes, ...]]] = {}
        """Least recently asked for first."""
        self._making: dict[tuple[str, str], asyncio.Task[None]] = {}

    def get(self, language: str, voice: str, sample_rate: int) -> tuple[bytes, ...]:
        """Return each sentence as PCM16 little-endian at ``sample_rate`` Hz; none if they are not made yet, or can't be."""
        key = (language, voice)
        made = self._made.pop(key, None)
        if made is None:
            self.prepare(language, voice)
            return ()
        self._made[key] = made
        return made[sample_rate]

    def prepare(self, language: str = "", voice: str = "") -> "asyncio.Task[None] | None":
        """Begin to make the sentences. Return None if there is nothing to say, or too many are being made."""
        key = (language, voice)
        if not any(self._texts(language)) or len(self._making) >= self._most:
            return None
        if key not in self._making:
            task = self._making[key] = asyncio.create_task(self._speak(key))
            task.add_done_callback(lambda _task: self._making.pop(key, None))
        return self._making[key]

    async def close(self) -> None:
        """Stop making sentences."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    async def _speak(self, key: tuple[str, str]) -> None:
        made = []
        for text in self._texts(key[0]):
            try:
                async with asyncio.timeout(_LONGEST_S):
                    pcm = await speak(self._make(*key), text)
            except Exception as error:
                log.warning("%s: %s", self._lacking, error or type(error).__name__)
                return
            if not pcm:
                return
            made.append(pcm)
        self._made[key] = {rate: tuple(_at_rate(pcm, rate) for pcm in made) for rate in SAMPLE_RATES}
        if len(self._made) > self._most:
            del self._made[next(iter(self._made))]


async def speak(service: FrameProcessor, text: str) -> bytes:
    """Speak ``text`` with a voice service of pipecat, without a call. Return PCM16 at 24 kHz; empty if it says nothing.

    Raises `NoSound` if the service sends something else.
    """
    sound, pcm = Sound(), bytearray()
    faults: list[NoSound] = []

    def heard(frame: Frame) -> None:
        try:
            for each in sound.take(frame) if isinstance(frame, TTSAudioRawFrame) else ():
                pcm.extend(_at_rate(each.audio, _MADE_AT, each.sample_rate))
        except NoSound as fault:
            faults.append(fault)

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
    if faults:
        raise faults[0]
    for each in sound.over():
        pcm.extend(_at_rate(each.audio, _MADE_AT, each.sample_rate))
    return bytes(pcm)


def _at_rate(pcm: bytes, rate: int, made_at: int = _MADE_AT) -> bytes:
    if rate == made_at:
        return pcm
    return np.asarray(soxr.resample(np.frombuffer(pcm, "<i2"), made_at, rate)).tobytes()
