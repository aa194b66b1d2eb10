"""The stages of turns, timed in a real pipeline whose parts push frames at times that the test sets."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from exotel_ws.ai.hearing.frames import SpeechEndFrame
from exotel_ws.ai.records.stopwatch import AtOnce, Stopwatch
from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import (
    AggregatedTextFrame,
    FunctionCallsStartedFrame,
    InputAudioRawFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

Event = tuple[float, str]
"""Time in seconds and event: a key of `FRAMES`, ``sent``, ``cleared``, or ``...``: wait for the observer."""

FRAMES: dict[str, tuple[str, type[Any], dict[str, Any]]] = {
    "speech": ("user", VADUserStartedSpeakingFrame, {"start_secs": 0.2}),
    "silence": ("user", VADUserStoppedSpeakingFrame, {"stop_secs": 0.2}),
    "last sound": ("user", SpeechEndFrame, {"stop_secs": 0.2, "silent_s": 0.35}),
    "turn": ("user", UserStartedSpeakingFrame, {}),
    "turn over": ("user", UserStoppedSpeakingFrame, {}),
    "transcript": ("stt", TranscriptionFrame, {"text": "where is it", "user_id": "", "timestamp": ""}),
    "asked": ("llm", LLMFullResponseStartFrame, {}),
    "token": ("llm", LLMTextFrame, {"text": "On its way."}),
    "tool": ("llm", FunctionCallsStartedFrame, {"function_calls": []}),
    "sentence": ("tts", AggregatedTextFrame, {"text": "On its way.", "text_type": "sentence"}),
    "audio": ("tts", TTSAudioRawFrame, {"audio": bytes(320), "sample_rate": 8000, "num_channels": 1}),
}
TURN: list[Event] = [(10.0, "speech"), (10.0, "turn"), (12.0, "silence"), (12.06, "transcript"), (12.1, "turn over")]
THOUGHT: list[Event] = [(12.11, "asked"), (12.31, "token"), (12.35, "sentence"), (12.5, "audio")]
HEARD = {"turn_end": 0.1, "stt": 0.06}
ANSWERED = HEARD | {"llm_first_token": 0.2, "tts_first_audio": 0.15, "voice_to_voice": 0.72}


class Clock(BaseClock):
    def __init__(self) -> None:
        self.now = 1.0

    def get_time(self) -> int:
        return round(self.now * 1e9)

    def start(self) -> None: ...


class Part(FrameProcessor):
    async def process_frame(self, frame: Any, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


async def in_pipeline(drive: Callable[[Clock, dict[str, Part], Stopwatch], Awaitable[None]]) -> list[tuple[str, float]]:
    clock = Clock()
    reported: list[tuple[str, float]] = []
    stopwatch = Stopwatch(lambda stage, seconds: reported.append((stage, round(seconds, 3))), lambda: clock.now)
    parts = {name: Part() for name in ("stt", "user", "llm", "tts", "mouth")}
    worker = PipelineWorker(
        Pipeline(list(parts.values())),
        clock=clock,
        idle_timeout_secs=None,
        enable_rtvi=False,
        enable_turn_tracking=False,
        check_dangling_tasks=False,
    )
    worker._observer = AtOnce(stopwatch)
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
    async def _(*_: object) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(20):
        await started.wait()
        await drive(clock, parts, stopwatch)
        await worker.cancel()
        await running
    return reported


async def caught_up() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def timed(events: Sequence[Event]) -> list[tuple[str, float]]:
    async def drive(clock: Clock, parts: dict[str, Part], stopwatch: Stopwatch) -> None:
        for at, what in events:
            clock.now = at
            if what == "...":
                await caught_up()
            elif what in ("sent", "cleared"):
                getattr(stopwatch, what)()
            else:
                name, kind, fields = FRAMES[what]
                if name == "user":  # pipecat reports each action of a caller to both neighbours, with a frame each
                    await parts[name].broadcast_frame(kind, **fields)
                else:
                    await parts[name].push_frame(kind(**fields))
        await caught_up()

    return asyncio.run(in_pipeline(drive))


@pytest.mark.parametrize(
    ("events", "stages"),
    [
        pytest.param([*TURN, *THOUGHT, (12.52, "sent")], ANSWERED, id="an answer"),
        pytest.param(
            [*TURN[:2], (12.0, "last sound"), *TURN[3:], *THOUGHT, (12.52, "sent")],
            ANSWERED | {"voice_to_voice": 0.87},
            id="counted from the last sound that an ear hears",
        ),
        pytest.param([*TURN, *THOUGHT, (12.52, "sent"), (12.7, "audio"), (12.7, "sent")], ANSWERED, id="the first counts"),
        pytest.param([*TURN, *THOUGHT], {k: v for k, v in ANSWERED.items() if k != "voice_to_voice"}, id="never sent"),
        pytest.param([*TURN, (12.2, "sent"), (12.3, "audio"), (12.3, "sent")], HEARD, id="the bot goes on with what it said"),
        pytest.param(
            [(12.4, "sent"), (12.41, "..."), *TURN, *THOUGHT, (12.52, "sent")], ANSWERED, id="earlier audio is no answer"
        ),
        pytest.param(
            [*TURN[:3], (12.1, "turn over"), (12.9, "transcript")], {"turn_end": 0.1, "stt": 0.9}, id="a late transcript"
        ),
        pytest.param(
            [*TURN[:2], (11.8, "transcript"), (12.0, "silence"), (12.1, "turn over")],
            {"turn_end": 0.1, "stt": 0.0},
            id="an early transcript",
        ),
        pytest.param(
            [*TURN[:2], (10.9, "silence"), (11.1, "speech"), *TURN[2:], *THOUGHT, (12.52, "sent")],
            ANSWERED,
            id="a pause within a turn",
        ),
        pytest.param(
            [*TURN, (12.11, "asked"), (12.2, "tool"), (13.0, "asked"), (13.1, "token"), (13.3, "audio"), (13.3, "sent")],
            HEARD | {"llm_first_token": 0.09, "tts_first_audio": 0.2, "voice_to_voice": 1.5},
            id="a tool first, and a voice that is fed by tokens",
        ),
        pytest.param(
            [*TURN, *THOUGHT[:2], (12.4, "turn"), THOUGHT[3], (12.5, "sent")],
            HEARD | {"llm_first_token": 0.2},
            id="the caller goes on",
        ),
        pytest.param([(1.0, "asked"), (1.1, "token"), (1.2, "audio"), (1.2, "sent")], {}, id="nobody had spoken"),
    ],
)
def test_turns(events: list[Event], stages: dict[str, float]) -> None:
    reported = timed(events)
    assert dict(reported) == stages
    assert len(reported) == len(stages), "each once"


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([(10.0, "speech"), (10.05, "cleared")], [0.25]),
        ([(10.0, "speech"), (10.02, "..."), (10.05, "cleared")], [0.25]),
        ([(10.0, "speech"), (10.05, "cleared"), (10.06, "..."), (10.4, "cleared")], [0.25]),
        ([(9.98, "cleared"), (9.99, "..."), (10.0, "speech")], [0.18]),
        ([(9.7, "cleared"), (9.75, "..."), (10.0, "speech")], []),
        ([(10.0, "speech"), (11.0, "silence"), (11.1, "..."), (11.5, "cleared")], []),
    ],
    ids=[
        "clear first",
        "frame first",
        "once a caller",
        "a hair before the frame",
        "cleared before they spoke",
        "cleared after they had spoken",
    ],
)
def test_barge_in(events: list[Event], seconds: list[float]) -> None:
    assert timed(events) == [("barge_in", took) for took in seconds]


def test_what_is_cheap() -> None:
    """Audio goes through all parts: a caller's costs no look, and the bot's one look a frame."""
    seen: list[object] = []

    async def drive(clock: Clock, parts: dict[str, Part], stopwatch: Stopwatch) -> None:
        stopwatch.on_push_frame = lambda data: _seen(seen, data.frame)  # type: ignore[method-assign]
        await parts["stt"].push_frame(InputAudioRawFrame(bytes(320), 8000, 1))
        await parts["stt"].push_frame(TTSAudioRawFrame(bytes(320), 8000, 1))
        await caught_up()

    asyncio.run(in_pipeline(drive))
    assert [type(frame) for frame in seen] == [TTSAudioRawFrame]


async def _seen(seen: list[object], frame: object) -> None:
    seen.append(frame)
