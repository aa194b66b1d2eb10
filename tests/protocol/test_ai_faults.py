"""Whatever goes wrong with a provider is heard: an answer by another, a word that it takes longer, or an apology, within 3 s."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from exotel_ws.ai import dialogue
from exotel_ws.ai.settings import Failure
from exotel_ws.ai.tools import EndCall
from pipecat.frames.frames import Frame, FunctionCallFromLLM, LLMContextFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from tests.unit.server.ai_call import at_once

from .ai_services import FAULTS, FakeLLM, FakeSTT, FakeTTS
from .ai_trouble import LONGEST_SILENCE_S, Services, TroubledCall, turns, voice

SENTENCES = ["Here is your answer.", "And here is more of it."]
FAILURE = Failure()
UNHEARD = ("hang", "half_dead", "deaf_to_cancel", "nothing")
"""An utterance that never becomes text may have been a cough: the caller is asked to say it again."""
STAGES: dict[str, Callable[..., FrameProcessor]] = {
    "stt": FakeSTT,
    "llm": FakeLLM,
    "tts": lambda **options: FakeTTS(voice, **options),
}
EACH = pytest.mark.parametrize(("stage", "fault"), [(stage, fault) for stage in STAGES for fault in FAULTS])


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "_turns", turns)


def serving(stage: str, *faults: str, times: int = 1000) -> Services:
    made: dict[str, Any] = {stage: [STAGES[stage](fault=fault, times=times) for fault in faults]}
    return Services(**made)


async def ask_until(call: TroubledCall, done: Callable[[], bool], within_s: float = 60.0) -> None:
    """The caller asks, and asks again whenever the bot says that it did not understand."""
    await call.until(3.0)
    await call.ask()
    asked_for = 0
    async with asyncio.timeout(within_s):
        while not done():
            misses = call.texts.count(FAILURE.not_heard)
            if misses > asked_for:
                asked_for = misses
                await call.ask()
            await asyncio.sleep(0.02)


@EACH
def test_what_one_service_fails_at_the_next_does_and_the_caller_is_never_left_in_silence(stage: str, fault: str) -> None:
    async def test() -> None:
        async with TroubledCall(serving(stage, fault, "")) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert call.longest_silence_s <= LONGEST_SILENCE_S
            assert call.story._switches == 1
            assert call.story._errors >= 1
            assert FAILURE.apology not in call.texts
            assert call.texts.count(FAILURE.not_heard) == (stage == "stt" and fault in UNHEARD)
            assert call.hung_up is None

    at_once(test)


@EACH
def test_when_every_service_fails_the_caller_hears_an_apology_and_the_stream_ends(stage: str, fault: str) -> None:
    async def test() -> None:
        async with TroubledCall(serving(stage, fault, fault)) as call:
            await ask_until(call, lambda: call.hung_up is not None, within_s=120.0)
            assert call.texts[-1] == FAILURE.apology
            assert call.longest_silence_s <= LONGEST_SILENCE_S
            assert call.hung_up is not None
            assert (call.hung_up.code, call.hung_up.reason) == (1000, "hang_up")
            await call.over()
            assert call.story.outcome == "failed"

    at_once(test)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", ["error", "quota", "dies", "nothing"])
def test_what_fails_once_and_has_no_other_service_is_tried_again(stage: str, fault: str) -> None:
    async def test() -> None:
        async with TroubledCall(serving(stage, fault, times=1)) as call:
            done = (lambda: call.hung_up is not None) if fault == "quota" else (lambda: call.texts[-2:] == SENTENCES)
            await ask_until(call, done)
            assert call.longest_silence_s <= LONGEST_SILENCE_S
            assert (call.texts[-1] == FAILURE.apology) == (fault == "quota")

    at_once(test)


def test_a_model_that_is_slow_and_the_only_one_is_waited_for_with_a_word() -> None:
    async def test() -> None:
        slow = FakeLLM()
        answer = slow._answer

        async def late(fault: str) -> None:
            await asyncio.sleep(4.5)
            await answer(fault)

        slow._answer = late  # type: ignore[method-assign]
        async with TroubledCall(Services(llm=[slow])) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert call.texts[-4:-2] == [call.texts[0], FAILURE.fillers[0]]
            assert call.longest_silence_s <= LONGEST_SILENCE_S

    at_once(test)


@pytest.mark.parametrize("answer", ["...", "\N{WAVING HAND SIGN} !", "- - -"])
def test_an_answer_that_nobody_can_say_is_none(answer: str) -> None:
    async def test() -> None:
        async with TroubledCall(Services(llm=[FakeLLM(answer), FakeLLM()])) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert call.longest_silence_s <= LONGEST_SILENCE_S
            assert call.story._switches == 1

    at_once(test)


class Acting(FakeLLM):
    """Calls ``tool`` with ``arguments``, and without a word: ``times`` times, then it answers."""

    def __init__(self, tool: str, arguments: Any, times: int = 1000) -> None:
        super().__init__(times=times, fault="act")
        self.tool, self.arguments = tool, arguments

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.context = frame.context if isinstance(frame, LLMContextFrame) else None
        await super().process_frame(frame, direction)

    async def _answer(self, fault: str) -> None:
        await asyncio.sleep(0.2)
        if fault:
            call = FunctionCallFromLLM(self.tool, "call_1", self.arguments, self.context)
            await self.run_function_calls([call])
        else:
            await super()._answer("")


class Slow:
    """A tool."""

    name = "webhook"
    description = ""

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {}
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        self.asked.append(arguments)
        await asyncio.sleep(4.8)
        return {"ok": True}


def test_a_tool_that_takes_long_is_waited_for_with_a_word() -> None:
    async def test() -> None:
        async with TroubledCall(Services(llm=[Acting("webhook", {"intent": "balance"}, 1)]), [Slow()]) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert FAILURE.fillers[0] in call.texts
            assert call.longest_silence_s <= LONGEST_SILENCE_S
            assert call.story._errors == 0

    at_once(test)


def test_a_model_that_calls_tools_without_end_and_says_nothing_is_given_up() -> None:
    async def test() -> None:
        async with TroubledCall(Services(llm=[Acting("nobody_knows_it", {})])) as call:
            await ask_until(call, lambda: call.hung_up is not None)
            assert call.texts[-1] == FAILURE.apology
            assert call.longest_silence_s <= LONGEST_SILENCE_S

    at_once(test)


@pytest.mark.parametrize("arguments", [None, "balance", 7, ["balance"], [["a", "b", "c"]]])
def test_arguments_that_are_no_object_are_none_and_no_fault_of_the_service(arguments: Any) -> None:
    async def test() -> None:
        tool = Slow()
        async with TroubledCall(Services(llm=[Acting("webhook", arguments, 1)]), [tool]) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert tool.asked == [{}]
            assert call.story._errors == 0

    at_once(test)


def test_after_a_goodbye_nobody_waits_for_a_tool() -> None:
    """Its mark does not come: while that is waited for, no filler is heard."""

    async def test() -> None:
        ends = EndCall("hang_up", "", lambda how: call.conversation.end(how))
        async with TroubledCall(Services(llm=[Acting("hang_up", {})]), [ends]) as call:
            await call.until(2.5)
            call.exotel.marks = False
            await ask_until(call, lambda: call.hung_up is not None)
            await call.over()
            assert call.texts[-1] == call.settings.goodbye
            assert not {text for text, _ in call.story.said} & set(FAILURE.fillers)

    at_once(test)


def test_one_call_in_trouble_is_no_trouble_to_another() -> None:
    async def test() -> None:
        bad, good = TroubledCall(serving("llm", "hang")), TroubledCall(Services())
        await asyncio.gather(
            ask_until(bad, lambda: bad.hung_up is not None), ask_until(good, lambda: good.texts[-2:] == SENTENCES)
        )
        assert good.texts[1:3] == SENTENCES
        assert good.story._errors == 0
        await bad.over()
        await good.over()

    at_once(test)


@pytest.mark.parametrize("then", ["hang_up", "transfer"])
def test_what_follows_the_apology_is_a_setting(then: str) -> None:
    async def test() -> None:
        async with TroubledCall(serving("llm", "error"), failure=Failure(then=then)) as call:  # type: ignore[arg-type]
            await ask_until(call, lambda: call.hung_up is not None)
            assert call.hung_up is not None
            assert call.hung_up.reason == then

    at_once(test)


def test_a_caller_who_talks_over_the_apology_does_not_stop_it() -> None:
    async def test() -> None:
        async with TroubledCall(serving("llm", "error")) as call:
            await call.until(3.0)
            await call.ask()
            await asyncio.sleep(2.0)
            await call.ask(8.0)
            assert call.texts[-1] == FAILURE.apology
            assert call.exotel.clears == 0

    at_once(test)


# The caller hangs up


def moments() -> dict[str, tuple[Services, float]]:
    """In each state, by when it is that: seconds after the start of the call; the caller asks from 3 to 4."""
    return {
        "greeting": (Services(), 1.0),
        "listening": (Services(), 2.5),
        "caller_speaking": (Services(), 3.5),
        "thinking": (serving("llm", "hang"), 5.0),
        "bot_speaking": (Services(), 5.5),
        "switching": (serving("llm", "hang", ""), 6.9),
        "filler": (serving("llm", "hang", "hang"), 6.8),
        "apology": (serving("llm", "error", "error"), 6.0),
        "connecting": (serving("tts", "hung_start"), 2.0),
        "deaf": (serving("tts", "deaf_to_cancel"), 5.5),
    }


@pytest.mark.parametrize("moment", moments())
def test_a_caller_who_hangs_up_leaves_nothing_behind(moment: str) -> None:
    async def test() -> None:
        before = asyncio.all_tasks()
        services, when = moments()[moment]
        async with TroubledCall(services) as call:
            asking = asyncio.create_task(ask_until(call, lambda: False))
            await call.until(when)
            asking.cancel()
            await call.over()
            assert asyncio.all_tasks() == before
            assert not call.timers
            sent = len(call.exotel.messages)
            await asyncio.sleep(600)
            assert len(call.exotel.messages) == sent

    at_once(test)
