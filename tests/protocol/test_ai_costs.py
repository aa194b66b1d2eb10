"""Cost of a call, in counts: the caller's audio passes through as little of pipecat as it can."""

from collections import Counter
from typing import Any

import pytest
from exotel_ws.ai import dialogue
from exotel_ws.ai.settings import Silence
from pipecat.frames.frames import Frame, InputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

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
    assert set(heard) == {"FakeSTT", "PipelineSink", "LLMUserAggregator"}, "PipelineSink: what the recogniser passes on"
    assert len(set(heard.values())) == 1
    assert heard["FakeSTT"] > 100
