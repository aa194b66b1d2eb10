"""One service alone in a pipeline, as a call has it: its input and its outcome."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from .fakes.server import RATE

PATIENCE_S = 10.0
UTTERANCE = b"\x01\x02" * RATE
"""A second of sound."""


class _Sink(FrameProcessor):
    def __init__(self, until: type[Frame]) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.done = asyncio.Event()
        self._until = until

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        if isinstance(frame, self._until):
            self.done.set()
        await self.push_frame(frame, direction)


class Outcome:
    """Outcome of a service: the ``frames`` that it pushed, and the texts of its ``errors``."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.errors: list[str] = []

    def of(self, kind: type[Any]) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kind)]


async def hear(service: FrameProcessor) -> Outcome:
    """Give the service a second of the caller's voice."""
    frames: list[Frame] = [VADUserStartedSpeakingFrame()]
    step = RATE // 10 * 2
    frames += [InputAudioRawFrame(UTTERANCE[at : at + step], RATE, 1) for at in range(0, len(UTTERANCE), step)]
    return await _run(service, [*frames, VADUserStoppedSpeakingFrame()], TranscriptionFrame)


async def think(service: FrameProcessor) -> Outcome:
    """Give the service a caller's question."""
    return await _run(
        service, [LLMContextFrame(LLMContext([{"role": "user", "content": "Who is there?"}]))], LLMFullResponseEndFrame
    )


async def speak(service: FrameProcessor, text: str = "Hello there.") -> Outcome:
    """Give the service a reply as a language model streams it."""
    frames = [LLMFullResponseStartFrame(), LLMTextFrame(text), LLMFullResponseEndFrame()]
    return await _run(service, frames, TTSStoppedFrame)


async def begin_to_speak(service: FrameProcessor, *pieces: str) -> Outcome:
    """Give the service the beginning of a reply, of which no more comes before it is heard."""
    return await _run(service, [LLMFullResponseStartFrame(), *map(LLMTextFrame, pieces)], TTSAudioRawFrame)


async def say(service: FrameProcessor, text: str = "Hello there.") -> Outcome:
    """Give the service a text of our own, as the greeting and the apology are."""
    return await _run(service, [TTSSpeakFrame(text)], TTSStoppedFrame)


def audio(outcome: Outcome) -> bytes:
    return b"".join(frame.audio for frame in outcome.of(TTSAudioRawFrame))


async def _run(service: FrameProcessor, frames: Sequence[Frame], until: type[Frame]) -> Outcome:
    sink = _Sink(until)
    outcome = Outcome()
    worker = PipelineWorker(
        Pipeline([service, sink]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=24000),
        idle_timeout_secs=None,
        enable_rtvi=False,
        enable_turn_tracking=False,
        check_dangling_tasks=False,
    )
    started, failed = asyncio.Event(), asyncio.Event()

    async def on_started(*_: object) -> None:
        started.set()

    async def on_error(_: object, frame: ErrorFrame) -> None:
        outcome.errors.append(frame.error)
        failed.set()

    worker.add_event_handler("on_pipeline_started", on_started)
    worker.add_event_handler("on_pipeline_error", on_error)
    runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _first(started, failed)
            for frame in frames if started.is_set() else ():
                await worker.queue_frame(frame)
            await _first(sink.done, failed)
    except TimeoutError:
        pass  # the outcome lacks frames that did not come
    finally:
        outcome.frames = sink.frames
        await worker.cancel()
        await asyncio.wait_for(running, PATIENCE_S)
    return outcome


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
