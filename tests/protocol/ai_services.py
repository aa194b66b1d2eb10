"""Services of pipecat's kinds that a test directs: they answer, or fail in one of the ways in which providers fail."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.time import time_now_iso8601

RATE: Final = 16000
DEAF_S: Final = 2.5
ANSWER: Final = "Here is your answer. And here is more of it."
FAULTS: Final = ("error", "raise", "quota", "hang", "nothing", "dies", "half_dead", "deaf_to_cancel", "no_start", "hung_start")
"""Faults of a service:

an error frame · an exception · an error frame in whose wake it can't be used · no end · nothing, and no error · half of it, and
an error · half of it, and nothing more · no end, and cancelled it takes `DEAF_S` more · can't be set up · is never set up.
"""


async def _deaf() -> None:
    """Wait, and go on waiting after a cancellation, as a service does that bids its provider farewell."""
    loop = asyncio.get_running_loop()
    until = loop.time() + DEAF_S
    while (left := until - loop.time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    raise asyncio.CancelledError


async def _hang(fault: str) -> None:
    if fault == "deaf_to_cancel":
        await _deaf()
    await asyncio.Event().wait()


class _Faulty:
    """Mixin of a service: the faults of setting up, and the bookkeeping."""

    def told(self, fault: str, times: int) -> None:
        self.fault = fault
        self.left = times
        self.asked: list[str] = []

    def now(self, asked: str) -> str:
        """Return the fault of this request."""
        self.asked.append(asked)
        if not self.fault or not self.left:
            return ""
        self.left -= 1
        return self.fault

    async def set_up(self) -> None:
        if self.fault == "no_start":
            raise ConnectionRefusedError("nobody there")
        if self.fault == "hung_start":
            await asyncio.Event().wait()


class FakeSTT(_Faulty, SegmentedSTTService):
    """Service that hears ``text`` in every utterance."""

    def __init__(self, text: str = "what is my balance", fault: str = "", times: int = 1000) -> None:
        super().__init__(
            sample_rate=RATE, trailing_silence_secs=0, ttfs_p99_latency=0.3, settings=STTSettings(model="", language="en")
        )
        self.text = text
        self.told(fault, times)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        await self.set_up()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        fault = self.now(f"{len(audio) / 2 / RATE:.1f} s")
        if fault in ("error", "dies"):
            yield ErrorFrame("the ear failed")
        elif fault == "quota":
            await self.push_error("429 quota", force_treat_as_permanent=True)
        elif fault == "raise":
            raise RuntimeError("the ear broke")
        elif fault in ("hang", "half_dead", "deaf_to_cancel"):
            await _hang(fault)
        elif fault != "nothing":
            yield TranscriptionFrame(self.text, "", time_now_iso8601())


class FakeLLM(_Faulty, LLMService):
    """Service that answers ``answer``, a word at a time."""

    def __init__(self, answer: str = ANSWER, fault: str = "", times: int = 1000) -> None:
        super().__init__(
            settings=LLMSettings(
                model="",
                system_instruction=None,
                temperature=None,
                max_tokens=None,
                top_p=None,
                top_k=None,
                frequency_penalty=None,
                presence_penalty=None,
                seed=None,
                filter_incomplete_user_turns=False,
                user_turn_completion_config=None,
            )
        )
        self.answer = answer
        self.told(fault, times)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        await self.set_up()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            await self._answer(self.now(str(frame.context.messages[-1].get("content"))))
        finally:
            await self.push_frame(LLMFullResponseEndFrame())

    async def _answer(self, fault: str) -> None:
        words = self.answer.split(" ")
        if fault in ("error", "raise"):
            await self.push_error("the model failed")
        elif fault == "quota":
            await self.push_error("429 quota", force_treat_as_permanent=True)
        elif fault in ("hang", "deaf_to_cancel"):
            await _hang(fault)
        elif fault == "dies":
            await self._say(words[:2])
            await self.push_error("the model failed half-way")
        elif fault == "half_dead":
            await self._say(words[:2])
            await _hang(fault)
        elif fault != "nothing":
            await self._say(words)

    async def _say(self, words: list[str]) -> None:
        for word in words:
            await self.push_frame(LLMTextFrame(word + " "))
            await asyncio.sleep(0)


class FakeTTS(_Faulty, TTSService):
    """Service that speaks by ``voice``, which returns a sentence as PCM at `RATE`."""

    def __init__(self, voice: Callable[[str], bytes], fault: str = "", times: int = 1000) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            stop_frame_timeout_s=0.4,
            sample_rate=RATE,
            settings=TTSSettings(model="", voice="", language="en"),
        )
        self.voice = voice
        self.told(fault, times)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        await self.set_up()

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        fault = self.now(text)
        pcm = self.voice(text)
        half = len(pcm) // 4 * 2
        if fault == "error":
            yield ErrorFrame("the voice failed")
        elif fault == "quota":
            await self.push_error("429 quota", force_treat_as_permanent=True)
        elif fault == "raise":
            raise RuntimeError("the voice broke")
        elif fault in ("hang", "deaf_to_cancel"):
            await _hang(fault)
        elif fault in ("dies", "half_dead"):
            yield TTSAudioRawFrame(pcm[:half], RATE, 1, context_id=context_id)
            if fault == "half_dead":
                await _hang(fault)
            yield ErrorFrame("the voice failed half-way")
        elif fault != "nothing":
            yield TTSAudioRawFrame(pcm, RATE, 1, context_id=context_id)
