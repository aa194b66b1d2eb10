"""Cost of a call, in counts: the caller's audio passes through little of pipecat, and the bot's is not held back."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from exotel_ws.ai import dialogue
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.playout import Playout
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.settings import Silence
from exotel_ws.protocol import Writer
from pipecat.clocks.system_clock import SystemClock
from pipecat.frames.frames import Frame, InputAudioRawFrame, TTSAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.utils.asyncio.task_manager import TaskManager

from tests.unit.server.ai_call import GREETING_S, at_once

from .ai_trouble import Services, TroubledCall, turns


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, type[Frame]]]:
    """Count by processor and kind how often pipecat processes a frame."""
    counted: Counter[tuple[str, type[Frame]]] = Counter()
    process = FrameProcessor.process_frame

    async def count(self: Any, frame: Frame, direction: FrameDirection) -> None:
        counted[type(self).__name__, type(frame)] += 1
        await process(self, frame, direction)

    monkeypatch.setattr(FrameProcessor, "process_frame", count)
    return counted


def test_the_callers_audio_is_processed_where_somebody_listens_alone(
    passes: Counter[tuple[str, type[Frame]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "_turns", turns)

    async def drive() -> None:
        async with TroubledCall(Services(), silence=Silence(after_s=600.0)) as call:
            await call.until(GREETING_S + 4.0)
            await call.ask()
            await call.until(GREETING_S + 12.0)

    at_once(drive)

    heard = {name: number for (name, kind), number in passes.items() if issubclass(kind, InputAudioRawFrame)}
    assert set(heard) == {"FakeSTT", "LLMUserAggregator"}
    assert len(set(heard.values())) == 1
    assert heard["FakeSTT"] > 100


def test_a_resampler_holds_back_less_than_a_tenth_of_a_second_of_the_first_sound() -> None:
    """Telephones and voices have other rates: what a resampler holds back, the caller waits for."""
    handed_on_s = 0.0

    async def drive() -> None:
        nonlocal handed_on_s
        loop = asyncio.get_running_loop()
        playout = Playout(Writer("s1", sample_rate=8000), lambda _messages, _size: None, loop, sample_rate=8000)
        mouth = Mouth(playout, 8000, lambda _text, _heard: None)
        await mouth.setup(
            FrameProcessorSetup(
                audio_in_sample_rate=16000,
                audio_out_sample_rate=24000,
                clock=SystemClock(),
                task_manager=TaskManager(),
                pipeline_worker=None,
            )
        )
        for _ in range(4):
            await mouth.process_frame(TTSAudioRawFrame(b"\1\1" * 2400, 24000, 1), FrameDirection.DOWNSTREAM)
        handed_on_s = playout.heard_until - loop.time()
        await mouth.cleanup()
        playout.close()

    at_once(drive)

    assert 0.3 < handed_on_s <= 0.4


def test_a_turn_is_timed_without_a_queue_of_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "_turns", turns)
    timed: list[str] = []
    monkeypatch.setattr(Story, "stage", lambda _story, stage, _seconds: timed.append(stage))
    tasks: set[str] = set()

    async def drive() -> None:
        async with TroubledCall(Services(), silence=Silence(after_s=600.0)) as call:
            await call.until(GREETING_S + 1.0)
            await call.ask()
            tasks.update(task.get_name() for task in asyncio.all_tasks())
            await call.until(GREETING_S + 8.0)

    at_once(drive)

    assert sorted(timed) == ["greeting", "llm_first_token", "stt", "tts_first_audio", "turn_end", "voice_to_voice"]
    assert not [name for name in tasks if "Observer" in name]
