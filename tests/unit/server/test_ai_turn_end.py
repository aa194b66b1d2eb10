"""The end of a turn in virtual time: what is asked of the turn model, and when the turn is over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from exotel_ws.ai.endings import Endings
from exotel_ws.ai.hearing.frames import EarlySTTFrame, HushFrame, SpeechCutFrame
from exotel_ws.ai.remarks import Meaning
from exotel_ws.ai.settings import Turns
from exotel_ws.ai.turn_end import TurnEnd
from pipecat.frames.frames import (
    EagerTranscriptionFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.utils.asyncio.task_manager import TaskManager

from .ai_call import at_once

RULES = Turns()
BROKEN = "Nobody can be asked of this."
FLOW: Mapping[str, Meaning] = {"Where is my order?": "something", "No.": "end", "No, thank you.": "end"}


class Turn:
    """A turn of a caller, told to the strategy piece by piece."""

    def __init__(self, finished: bool, flow: Mapping[str, Meaning] | None) -> None:
        self.judged = 0
        self.judging_s = 0.04
        self.flow = flow
        self.finished = finished
        self.loop = asyncio.get_running_loop()
        self.silent_at = self.over_after = 0.0
        self.overs = 0
        analyzer = SimpleNamespace(is_finished=self._judge, begin=lambda: None, take=lambda _pcm: None)
        meaning = None if flow is None else self._meaning
        self.asks = False
        self.end = TurnEnd(Endings(RULES), analyzer, meaning, lambda: self.asks)  # type: ignore[arg-type]
        self.end.add_event_handler("on_user_turn_stopped", self._over)

    async def begin(self) -> None:
        await self.end.setup(SimpleNamespace(task_manager=TaskManager()))  # type: ignore[arg-type]
        await self.end.process_frame(STTMetadataFrame(service_name="stt", ttfs_p99_latency=0.6))
        await self.end.handle_user_turn_started()
        await self.speaks()

    async def _meaning(self, text: str) -> Meaning:
        await asyncio.sleep(0.01)
        if text == BROKEN:
            raise RuntimeError(text)
        return (self.flow or {}).get(text, "nothing")

    async def _judge(self) -> bool:
        self.judged += 1
        await asyncio.sleep(self.judging_s)
        return self.finished

    async def _over(self, *_: Any) -> None:
        self.overs += 1
        self.over_after = self.loop.time() - self.silent_at
        await self.end.handle_user_turn_stopped()

    async def speaks(self) -> None:
        await self.end.process_frame(VADUserStartedSpeakingFrame(start_secs=0.2))

    async def pauses(self, text: str, *, early: bool = True, goes_on: bool = False) -> None:
        """Be silent; 0.1 s later comes what was said, 0.2 s later the pause is certain, unless the voice goes on."""
        self.silent_at = self.loop.time()
        await asyncio.sleep(0.1)
        await self.end.process_frame(HushFrame())
        if early:
            await self.end.process_frame(EagerTranscriptionFrame(text, "", ""))
        await asyncio.sleep(0.1)
        if goes_on:
            await self.end.process_frame(HushFrame(quiet=False))
            return
        await self.end.process_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        if not early:
            await asyncio.sleep(0.15)
        await self.transcribed(text)

    async def transcribed(self, text: str, finalized: bool = True) -> None:
        await self.end.process_frame(TranscriptionFrame(text, "", "", finalized=finalized))


def turn(finished: bool, test: Callable[[Turn], Awaitable[None]], flow: Mapping[str, Meaning] | None = None) -> Turn:
    """Return a turn that is over. ``flow`` has the texts that a scripted flow understands; None: there is none."""

    async def run() -> Turn:
        made = Turn(finished, flow)
        await made.begin()
        await test(made)
        await asyncio.sleep(5)
        await made.end.cleanup()
        return made

    return at_once(run)


@pytest.mark.parametrize(
    ("said", "finished", "over_after", "judged"),
    [
        ("Where is my order?", True, 0.2, 1),
        ("Where is my order?", False, RULES.likely_s, 1),
        ("I wait for my order.", True, RULES.likely_s, 1),
        ("I wait for my order.", False, RULES.unsure_s, 1),
        ("I bought a phone.", True, RULES.unsure_s, 0),
        ("I would like to know", True, RULES.open_s, 0),
        ("Okay.", False, RULES.unsure_s, 0),
    ],
)
def test_a_turn_is_over_after_the_silence_of_its_words(said: str, finished: bool, over_after: float, judged: int) -> None:
    done = turn(finished, lambda made: made.pauses(said))
    assert done.over_after == pytest.approx(over_after, abs=0.01)
    assert (done.overs, done.judged) == (1, judged), "the model is asked where the words do not decide"


@pytest.mark.parametrize(("judging_s", "over_after"), [(0.25, 0.35), (3.0, RULES.likely_s)])
def test_a_turn_model_that_many_calls_wait_for_shortens_the_silence_but_never_lengthens_it(
    judging_s: float, over_after: float
) -> None:
    async def test(made: Turn) -> None:
        made.judging_s = judging_s
        await made.pauses("Where is my order?")

    done = turn(True, test)
    assert done.over_after == pytest.approx(over_after, abs=0.01)
    assert (done.overs, done.judged) == (1, 1)


@pytest.mark.parametrize(("late_s", "over_after", "judged"), [(0.05, 0.29, 1), (0.5, 0.7, 0)])
def test_words_that_are_late_are_waited_for_before_the_model_is_asked(late_s: float, over_after: float, judged: int) -> None:
    async def test(made: Turn) -> None:
        await made.pauses("Okay.")
        await asyncio.sleep(1)
        await made.end.handle_user_turn_started()
        await made.speaks()
        made.silent_at = made.loop.time()
        await made.end.process_frame(HushFrame())
        await asyncio.sleep(0.2)
        await made.end.process_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await asyncio.sleep(late_s)
        assert made.judged == 0
        await made.transcribed("Where is my order?")

    done = turn(True, test)
    assert done.over_after == pytest.approx(over_after, abs=0.01)
    assert (done.overs, done.judged) == (2, judged), "its judgement would come after the silence of a turn that is not finished"


@pytest.mark.parametrize(
    ("said", "finished", "over_after"),
    [
        ("Where is my order?", True, 0.22),
        ("I bought a phone.", True, RULES.open_s),
        ("Did I say that?", True, RULES.likely_s),
        ("Did I say that?", False, RULES.unsure_s),
        ("Okay.", False, RULES.unsure_s),
        ("No.", True, RULES.unsure_s),
        (BROKEN, True, RULES.likely_s),
        ("No, thank you.", True, RULES.unsure_s),
        ("I would like to know", True, RULES.open_s),
    ],
)
def test_what_ends_the_call_or_means_nothing_to_the_flow_may_be_half_of_what_is_meant(
    said: str, finished: bool, over_after: float
) -> None:
    done = turn(finished, lambda made: made.pauses(said), flow=FLOW)
    assert done.over_after == pytest.approx(over_after, abs=0.03)
    assert done.overs == 1


@pytest.mark.parametrize(("flow", "said"), [(None, "Okay."), (None, "No."), (FLOW, "Okay.")])
def test_a_short_answer_is_over_at_once_if_the_bot_asks(flow: Mapping[str, Meaning] | None, said: str) -> None:
    async def answers(made: Turn) -> None:
        made.asks = True
        await made.pauses(said)

    done = turn(False, answers, flow=flow)
    assert done.over_after == pytest.approx(0.2, abs=0.02)
    assert done.judged == 0


def test_who_goes_on_while_the_flow_is_asked_has_not_finished() -> None:
    async def goes_on(made: Turn) -> None:
        await made.pauses("I bought a phone.")
        await asyncio.sleep(0.005)
        await made.speaks()
        await asyncio.sleep(1)
        assert not made.overs
        await made.pauses("Where is my order?")

    assert turn(True, goes_on, flow={"I bought a phone. Where is my order?": "something"}).overs == 1


def test_without_an_early_transcript_the_turn_waits_for_it() -> None:
    assert turn(True, lambda made: made.pauses("Where is my order?", early=False)).over_after == pytest.approx(0.35, abs=0.01)


@pytest.mark.parametrize(("metadata", "judged"), [(EarlySTTFrame, 0), (STTMetadataFrame, 1)])
def test_the_model_is_not_asked_while_a_recogniser_that_begins_early_is_at_work(
    metadata: type[STTMetadataFrame], judged: int
) -> None:
    async def late(made: Turn) -> None:
        await made.end.process_frame(metadata(service_name="stt", ttfs_p99_latency=0.6))
        await made.end.process_frame(HushFrame())
        await made.end.process_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await asyncio.sleep(0.15)
        assert made.judged == judged
        await made.transcribed("Where is my order?")

    assert turn(True, late).judged == 1


def test_a_transcript_that_is_not_final_is_waited_for_by_the_time_that_its_service_needs() -> None:
    async def late(made: Turn) -> None:
        made.silent_at = made.loop.time() - 0.2
        await made.end.process_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await made.transcribed("Where is", finalized=False)
        await made.transcribed("my order?", finalized=False)

    assert turn(True, late).over_after == pytest.approx(0.6, abs=0.01)


def test_a_voice_that_goes_on_is_judged_anew_and_the_turn_is_all_that_was_said() -> None:
    async def goes_on(made: Turn) -> None:
        await made.pauses("I want to know where my order is.", goes_on=True)
        await asyncio.sleep(0.5)
        assert not made.overs
        await made.pauses("And I would like to know")

    done = turn(True, goes_on)
    assert done.over_after == pytest.approx(RULES.open_s, abs=0.01)


def test_who_speaks_again_within_the_silence_has_one_turn() -> None:
    async def again(made: Turn) -> None:
        await made.pauses("I would like to know")
        await asyncio.sleep(0.8)
        await made.speaks()
        await asyncio.sleep(2)
        await made.pauses("where my order is.")

    done = turn(True, again)
    assert done.overs == 1
    assert done.over_after == pytest.approx(0.2, abs=0.01)


def test_speech_that_was_ended_for_its_length_is_over_as_soon_as_its_words_are_there() -> None:
    async def capped(made: Turn) -> None:
        made.silent_at = made.loop.time()
        await made.end.process_frame(SpeechCutFrame())
        await asyncio.sleep(0.4)
        await made.transcribed("and I would like to")

    done = turn(False, capped)
    assert (done.overs, done.judged) == (1, 0)
    assert done.over_after == pytest.approx(0.4, abs=0.01)


def test_a_turn_of_the_bots_own_voice_is_over_at_once_and_not_while_the_caller_goes_on() -> None:
    """A transcript comes here without what the bot said."""

    async def own(made: Turn) -> None:
        await made.transcribed("")
        assert not made.overs
        await made.pauses("", early=False)
        assert made.overs

    assert turn(True, own).over_after == pytest.approx(0.35, abs=0.01)


def test_words_of_a_voice_that_was_not_noticed_are_a_turn() -> None:
    async def soft(made: Turn) -> None:
        await made.pauses("Hm")
        await asyncio.sleep(3)
        await made.end.handle_user_turn_started()
        made.silent_at = made.loop.time()
        await made.transcribed("Where is my order?", finalized=False)

    assert turn(True, soft).over_after == pytest.approx(0.6, abs=0.01)
