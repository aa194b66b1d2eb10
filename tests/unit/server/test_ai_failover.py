"""One stage of a call: after any fault of its service the next one does the work, once and in order."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from exotel_ws.ai.beforehand import speak
from exotel_ws.ai.failure.failover import CLOSE_S, Failover
from exotel_ws.ai.failure.sound import NoSound
from exotel_ws.ai.failure.watchdog import Progress
from exotel_ws.ai.failure.work import Answering, Listening, Speaking, Work
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSTextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from tests.protocol.ai_services import ANSWER, RATE, FakeLLM, FakeSTT, FakeTTS

from .passing import Loop

AT_ONCE = ("error", "raise", "quota", "nothing", "dies")
"""Faults that show at once."""
NEVER = ("hang", "half_dead", "deaf_to_cancel")
"""Faults that only a deadline ends."""
PATIENCE_S = 5.0
LETTER_BYTES = 1024
"""Bytes of the sound of a letter: 32 ms, as of a fast talker."""
QUESTION = [InputAudioRawFrame(b"\x01\x02" * (RATE // 10), RATE, 1) for _ in range(10)]


def passing(call: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``call`` on virtual time, which passes while no task works."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(call())


def voice(text: str) -> bytes:
    """Return sound that shows its letters, each followed by silence."""
    return b"".join(ord(letter).to_bytes(2, "little").ljust(LETTER_BYTES, b"\0") for letter in text if letter.isalnum())


def said(frames: Sequence[Frame]) -> str:
    pcm = b"".join(frame.audio for frame in frames if isinstance(frame, TTSAudioRawFrame))
    return "".join(chr(sample) for sample in memoryview(pcm).cast("H") if sample)


def letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


class Told:
    def __init__(self) -> None:
        self.failures: list[tuple[str, bool]] = []
        self.switches: list[str] = []
        self.gone = False
        self.at = Progress.IDLE

    def progress(self, stage: str, progress: Progress) -> None:
        self.at = progress

    def again(self, stage: str) -> None: ...
    def worked(self, stage: str, service: str) -> None: ...

    def failed(self, stage: str, service: str, reason: str, *, left: bool) -> None:
        self.failures.append((service, left))

    def switched(self, stage: str, to: str) -> None:
        self.switches.append(to)

    def exhausted(self, stage: str) -> None:
        self.gone = True


class End(FrameProcessor):
    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        await self.push_frame(frame, direction)

    def of(self, kind: Any) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kind)]


class Rig:
    """Stage alone in a pipeline."""

    def __init__(self, stage: str, work: Work, services: Sequence[FrameProcessor], ready_s: float) -> None:
        self.told, self.end = Told(), End()
        self.stage = Failover(stage, [(f"s{i}", one) for i, one in enumerate(services, 1)], work, self.told, ready_s=ready_s)
        self.worker = PipelineWorker(
            Pipeline([self.stage, self.end]),
            params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
            idle_timeout_secs=None,
            enable_rtvi=False,
            enable_turn_tracking=False,
            check_dangling_tasks=False,
        )

    async def give(self, *frames: Frame) -> None:
        for frame in frames:
            await self.flush()
            await self.worker.queue_frame(frame)

    async def flush(self) -> None:
        await asyncio.sleep(0.005)

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not met():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def rig(stage: str, *services: FrameProcessor, ready_s: float = 1.0) -> AsyncIterator[Rig]:
    work: dict[str, Callable[[], Work]] = {"stt": Listening, "llm": Answering, "tts": Speaking}
    before = asyncio.all_tasks()
    made = Rig(stage, work[stage](), services, ready_s)
    runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
    await runner.add_workers(made.worker)
    running = asyncio.create_task(runner.run())
    try:
        yield made
    finally:
        running.cancel()
        async with asyncio.timeout(3 * CLOSE_S + 1):
            await asyncio.gather(running, return_exceptions=True)
        if not any(getattr(one, "fault", "") == "deaf_to_cancel" for one in services):
            assert asyncio.all_tasks() <= before


async def heard(of: Rig) -> str:
    await of.give(VADUserStartedSpeakingFrame(), *QUESTION, VADUserStoppedSpeakingFrame())
    await of.until(lambda: bool(of.end.of(TranscriptionFrame)) or of.told.gone)
    return " ".join(frame.text for frame in of.end.of(TranscriptionFrame))


def question() -> LLMContextFrame:
    return LLMContextFrame(LLMContext([{"role": "user", "content": "what is my balance"}]))


def reply(text: str = ANSWER) -> list[Frame]:
    return [LLMFullResponseStartFrame(), *[LLMTextFrame(word + " ") for word in text.split()], LLMFullResponseEndFrame()]


async def late(of: Rig) -> None:
    """Switch the stage as the watchdog does after a deadline."""
    await of.until(lambda: of.told.at in (Progress.WAITING, Progress.FLOWING))
    await asyncio.sleep(0.1)
    assert await of.stage.switch("late") == "s2"


# The caller's words


@pytest.mark.parametrize("fault", ["error", "raise", "quota"])
def test_an_utterance_whose_recognition_fails_is_given_whole_to_the_next_service(fault: str) -> None:
    async def call() -> None:
        bad, good = FakeSTT(fault=fault), FakeSTT("good")
        async with rig("stt", bad, good) as stage:
            assert await heard(stage) == "good"
            assert good.asked == ["1.0 s"]
            assert stage.told.switches == ["s2"]
            assert stage.stage.active == "s2"

    passing(call)


@pytest.mark.parametrize("fault", ["hang", "deaf_to_cancel", "nothing"])
def test_an_utterance_that_does_not_become_text_in_time_is_given_to_the_next_service(fault: str) -> None:
    async def call() -> None:
        bad, good = FakeSTT(fault=fault), FakeSTT("good")
        async with rig("stt", bad, good) as stage:
            await stage.give(VADUserStartedSpeakingFrame(), *QUESTION, VADUserStoppedSpeakingFrame())
            await late(stage)
            await stage.until(lambda: [frame.text for frame in stage.end.of(TranscriptionFrame)] == ["good"])
            assert len(stage.end.of(InputAudioRawFrame)) == len(QUESTION), "the voice goes on once, whatever a service does"

    passing(call)


class Watched(FakeSTT):
    """Recogniser whose frames are kept."""

    def __init__(self) -> None:
        super().__init__("good")
        self.pushed: list[Frame] = []

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        self.pushed.append(frame)
        await super().push_frame(frame, direction)


def test_the_voice_goes_on_beside_a_recogniser_and_not_through_it() -> None:
    async def call() -> None:
        recogniser = Watched()
        async with rig("stt", recogniser) as stage:
            assert await heard(stage) == "good"
            assert len(stage.end.of(InputAudioRawFrame)) == len(QUESTION)
            assert any(isinstance(frame, TranscriptionFrame) for frame in recogniser.pushed)
            assert not any(isinstance(frame, InputAudioRawFrame) for frame in recogniser.pushed)

    passing(call)


@pytest.mark.parametrize(("fault", "ready_s"), [("no_start", 1.0), ("hung_start", 0.1)])
def test_a_service_that_can_not_be_set_up_holds_nothing_up(fault: str, ready_s: float) -> None:
    async def call() -> None:
        async with rig("stt", FakeSTT(fault=fault), FakeSTT("good"), ready_s=ready_s) as stage:
            await stage.give(*QUESTION[:1])
            await stage.until(lambda: bool(stage.end.of(InputAudioRawFrame)))
            await stage.until(lambda: stage.stage.active == "s2")
            assert await heard(stage) == "good"

    passing(call)


def test_the_last_service_is_tried_a_second_time_and_then_there_is_none() -> None:
    async def call() -> None:
        twice = FakeSTT("good", fault="error", times=1)
        async with rig("stt", twice) as stage:
            assert await heard(stage) == "good"
            assert not stage.told.gone
        ever = FakeSTT(fault="error")
        async with rig("stt", ever) as stage:
            assert await heard(stage) == ""
            assert stage.told.gone
            assert len(ever.asked) == 2

    passing(call)


# Answers


@pytest.mark.parametrize("fault", [*AT_ONCE, *NEVER])
def test_a_question_is_answered_by_the_next_model_and_each_answer_is_ended(fault: str) -> None:
    async def call() -> None:
        bad, good = FakeLLM(fault=fault), FakeLLM("It is five.")
        async with rig("llm", bad, good) as stage:
            await stage.give(question())
            if fault in NEVER:
                await late(stage)
            await stage.until(lambda: stage.told.at is Progress.IDLE and len(good.asked) == 1)
            await stage.until(lambda: len(stage.end.of(LLMFullResponseEndFrame)) == 2)
            begun = "Here is " if fault in ("dies", "half_dead") else ""
            assert "".join(frame.text for frame in stage.end.of(LLMTextFrame)) == begun + "It is five. "
            kinds = [
                type(f).__name__ for f in stage.end.frames if isinstance(f, LLMFullResponseStartFrame | LLMFullResponseEndFrame)
            ]
            assert kinds == ["LLMFullResponseStartFrame", "LLMFullResponseEndFrame"] * 2

    passing(call)


def test_a_model_that_was_left_is_not_heard_any_more_when_it_wakes_up() -> None:
    async def call() -> None:
        slow, good = FakeLLM("Too late."), FakeLLM("It is five.")
        wake = asyncio.Event()
        real = slow._answer

        async def answer(fault: str) -> None:
            try:
                await wake.wait()
            except asyncio.CancelledError:
                await real("")  # it swallows its cancellation and goes on talking
                raise

        slow._answer = answer  # type: ignore[method-assign]
        async with rig("llm", slow, good) as stage:
            await stage.give(question())
            await late(stage)
            await stage.until(lambda: stage.told.at is Progress.IDLE)
            await asyncio.sleep(0.2)
            assert "".join(frame.text for frame in stage.end.of(LLMTextFrame)) == "It is five. "

    passing(call)


UNSPOKEN = {
    "a thought": "<think> They want the time. </think>",
    "a lone end of one": "</think>",
    "a call of a tool": '<tool_call> {"name": "hang_up", "arguments": {}} </tool_call>',
    "a function": "<function=hang_up> {} </function>",
    "a fenced call": '```json {"name": "hang_up", "arguments": {}} ```',
}


@pytest.mark.parametrize("text", UNSPOKEN.values(), ids=UNSPOKEN)
def test_what_is_not_for_the_caller_goes_no_further(text: str) -> None:
    async def call() -> None:
        async with rig("llm", FakeLLM(f"{text} It is {text} five.")) as stage:
            await stage.give(question())
            await stage.until(lambda: bool(stage.end.of(LLMFullResponseEndFrame)))
            assert "".join(frame.text for frame in stage.end.of(LLMTextFrame)).split() == ["It", "is", "five."]
            assert stage.told.failures == []

    passing(call)


@pytest.mark.parametrize("text", UNSPOKEN.values(), ids=UNSPOKEN)
def test_an_answer_of_nothing_else_is_none(text: str) -> None:
    async def call() -> None:
        async with rig("llm", FakeLLM(text), FakeLLM("It is five.")) as stage:
            await stage.give(question())
            await stage.until(lambda: bool(stage.end.of(LLMTextFrame)) and stage.told.at is Progress.IDLE)
            assert "".join(frame.text for frame in stage.end.of(LLMTextFrame)).strip() == "It is five."
            assert stage.told.failures == [("s1", True)]

    passing(call)


def test_who_was_heard_to_think_aloud_is_waited_for_the_next_time() -> None:
    async def call() -> None:
        thinker = FakeLLM("They want the time. </think> It is five.")
        async with rig("llm", thinker) as stage:
            await stage.give(question())
            await stage.until(lambda: len(stage.end.of(LLMFullResponseEndFrame)) == 1)
            before = len(stage.end.of(LLMTextFrame))
            await stage.give(question())
            await stage.until(lambda: len(stage.end.of(LLMFullResponseEndFrame)) == 2)
            assert "".join(frame.text for frame in stage.end.of(LLMTextFrame)[before:]).strip() == "It is five."

    passing(call)


# Speech


def as_wav(text: str) -> bytes:
    """Return the sound of ``text`` as a WAV file of twice the rate."""
    form = struct.pack("<IHHIIHH", 16, 1, 1, 2 * RATE, 4 * RATE, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + form + b"data\xff\xff\xff\xff" + voice(text)


@pytest.mark.parametrize(
    "body", [b'{"error": "quota"}', b"<html><body>Bad gateway</body></html>", random.Random(1).randbytes(9000)]
)
def test_a_voice_that_sends_no_sound_is_left_before_any_of_it_is_played(body: bytes) -> None:
    async def call() -> None:
        async with rig("tts", FakeTTS(lambda _text: body), FakeTTS(voice)) as stage:
            await stage.give(*reply())
            await stage.until(lambda: said(stage.end.frames) == letters(ANSWER))
            assert stage.told.switches == ["s2"]

    passing(call)


def test_what_is_no_sound_is_kept_for_no_call_either() -> None:
    async def call() -> None:
        with pytest.raises(NoSound, match="a text"):
            await speak(FakeTTS(lambda _text: b'{"error": "quota"}'), "Hello.")

    passing(call)


def test_a_header_of_a_wav_file_is_not_played_and_its_rate_counts() -> None:
    async def call() -> None:
        async with rig("tts", FakeTTS(as_wav)) as stage:
            await stage.give(*reply())
            await stage.until(lambda: said(stage.end.frames) == letters(ANSWER))
            assert {frame.sample_rate for frame in stage.end.of(TTSAudioRawFrame)} == {2 * RATE}
            assert stage.told.failures == []

    passing(call)


@pytest.mark.parametrize(
    ("fault", "times"), [(fault, times) for fault in (*AT_ONCE, *NEVER) for times in (1, 1000) if fault != "nothing" or times > 1]
)
def test_sentences_that_were_not_heard_are_spoken_by_the_next_voice(fault: str, times: int) -> None:
    async def call() -> None:
        bad, good = FakeTTS(voice, fault=fault, times=times), FakeTTS(voice)
        async with rig("tts", bad, good) as stage:
            await stage.give(*reply())
            if fault in NEVER:
                await late(stage)
            await stage.until(lambda: stage.told.at is Progress.IDLE and bool(stage.end.of(LLMFullResponseEndFrame)))
            assert said(stage.end.frames).endswith(letters(ANSWER))
            lost = said(stage.end.frames).removesuffix(letters(ANSWER))
            assert lost == ("Hereisyo"[: len(lost)] if fault in ("dies", "half_dead") else "")
            assert [frame.text for frame in stage.end.of(TTSTextFrame)] == ["Here is your answer.", "And here is more of it."]
            assert len(stage.end.of(LLMFullResponseStartFrame)) == len(stage.end.of(LLMFullResponseEndFrame)) == 1

    passing(call)


@pytest.mark.parametrize("fault", ["error", "nothing"])
def test_a_voice_that_fails_at_the_second_sentence_repeats_not_the_first(fault: str) -> None:
    async def call() -> None:
        bad, good = FakeTTS(voice), FakeTTS(voice)
        async with rig("tts", bad, good) as stage:
            start, *words, end = reply()
            await stage.give(start, *words[:5])
            await stage.until(lambda: bool(stage.end.of(TTSTextFrame)))
            bad.told(fault, 1)
            await stage.give(*words[5:], end)
            await stage.until(lambda: stage.told.at is Progress.IDLE and bool(stage.end.of(LLMFullResponseEndFrame)))
            assert said(stage.end.frames) == letters(ANSWER)
            assert good.asked == ["And here is more of it."]

    passing(call)


def test_of_a_text_that_came_in_one_piece_only_what_was_not_spoken_is_spoken_again() -> None:
    async def call() -> None:
        bad, good = FakeTTS(voice), FakeTTS(voice)
        async with rig("tts", bad, good) as stage:
            await stage.give(LLMFullResponseStartFrame(), LLMTextFrame(f"{ANSWER} The end"))
            await stage.until(lambda: bool(stage.end.of(TTSTextFrame)))
            bad.told("error", 1)
            await stage.give(LLMTextFrame("."), LLMFullResponseEndFrame())
            await stage.until(lambda: said(stage.end.frames) == letters(f"{ANSWER} The end."))
            assert good.asked[-1].endswith("The end.")
            assert "Here is" not in " ".join(good.asked)

    passing(call)


class Late(FrameProcessor):
    """Service that still delivers finished work when it is interrupted."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self.push_frame(TTSAudioRawFrame(voice("old"), RATE, 1))
        await self.push_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            await self.push_frame(TTSAudioRawFrame(voice(frame.text), RATE, 1))


def test_what_a_voice_had_made_before_an_interruption_is_not_heard_after_it() -> None:
    async def call() -> None:
        async with rig("tts", Late()) as stage:
            await stage.give(InterruptionFrame(), LLMTextFrame("new"))
            await stage.until(lambda: bool(stage.end.of(TTSAudioRawFrame)))
            assert said(stage.end.frames) == "new"

    passing(call)


def test_a_sentence_of_ours_survives_its_voice_too() -> None:
    async def call() -> None:
        async with rig("tts", FakeTTS(voice, fault="hang"), FakeTTS(voice)) as stage:
            await stage.give(TTSSpeakFrame("Are you there?"))
            await late(stage)
            await stage.until(lambda: said(stage.end.frames) == "Areyouthere")

    passing(call)


def test_an_interruption_passes_a_voice_that_hangs_and_what_was_said_before_it_is_not_said_again() -> None:
    async def call() -> None:
        async with rig("tts", FakeTTS(voice, fault="deaf_to_cancel"), FakeTTS(voice)) as stage:
            await stage.give(*reply("One."))
            await stage.until(lambda: stage.told.at is Progress.WAITING)
            await stage.give(InterruptionFrame())
            await stage.until(lambda: bool(stage.end.of(InterruptionFrame)))
            assert stage.told.at is Progress.IDLE
            await stage.give(*reply("Two."))
            await late(stage)
            await stage.until(lambda: said(stage.end.frames) == "Two")

    passing(call)
