"""Any fault of a provider is heard: an answer by another, a word that it takes longer, or an apology, within 3 s."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from exotel_ws.ai import dialogue
from exotel_ws.ai.dialogue import MOST_ACTS
from exotel_ws.ai.sentences import USUAL
from exotel_ws.ai.settings import Failure
from exotel_ws.ai.tools import EndCall
from pipecat.frames.frames import Frame, FunctionCallFromLLM, LLMContextFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from tests.unit.server.ai_call import at_once

from .ai_services import FAULTS, FakeLLM, FakeSTT, FakeTTS
from .ai_trouble import LONGEST_SILENCE_S, Services, TroubledCall, turns, voice

SENTENCES = ["Here is your answer.", "And here is more of it."]
UNHEARD = ("hang", "half_dead", "deaf_to_cancel", "nothing")
"""Faults by which an utterance never becomes text, as if it were a cough: the bot asks to say it again."""
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
    """Ask, and ask again whenever the bot says that it did not understand."""
    await call.until(3.0)
    await call.ask()
    asked_for = 0
    async with asyncio.timeout(within_s):
        while not done():
            misses = call.texts.count(USUAL.not_heard)
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
            assert USUAL.apology not in call.texts
            assert call.texts.count(USUAL.not_heard) == (stage == "stt" and fault in UNHEARD)
            assert call.hung_up is None

    at_once(test)


@EACH
def test_when_every_service_fails_the_caller_hears_an_apology_and_the_stream_ends(stage: str, fault: str) -> None:
    async def test() -> None:
        async with TroubledCall(serving(stage, fault, fault)) as call:
            await ask_until(call, lambda: call.hung_up is not None, within_s=120.0)
            assert call.texts[-1] == USUAL.apology
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
            assert (call.texts[-1] == USUAL.apology) == (fault == "quota")

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
            assert call.texts[-4:-2] == [call.texts[0], USUAL.fillers[0]]
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
    """Model that says ``words`` and makes ``at_once`` calls of ``tool``, for ``times`` requests, and then answers."""

    def __init__(self, tool: str, arguments: Any, times: int = 1000, at_once: int = 1, words: str = "") -> None:
        super().__init__(times=times, fault="act")
        self.tool, self.arguments, self.at_once, self.words = tool, arguments, at_once, words

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.context = frame.context if isinstance(frame, LLMContextFrame) else None
        await super().process_frame(frame, direction)

    async def _answer(self, fault: str) -> None:
        await asyncio.sleep(0.2)
        if fault:
            if self.words:
                await self._say(self.words.split(" "))
            ids = [f"call_{len(self.asked)}_{i}" for i in range(self.at_once)]
            await self.run_function_calls([FunctionCallFromLLM(self.tool, id_, self.arguments, self.context) for id_ in ids])
        else:
            await super()._answer("")


class Slow:
    """Tool that takes its time."""

    name = "webhook"
    description = ""
    required = ()
    ends = False

    def __init__(self, seconds: float = 4.8) -> None:
        self.seconds = seconds
        self.properties: dict[str, Any] = {}
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        self.asked.append(arguments)
        await asyncio.sleep(self.seconds)
        return {"ok": True}


def test_a_tool_that_takes_long_is_waited_for_with_a_word() -> None:
    async def test() -> None:
        async with TroubledCall(Services(llm=[Acting("webhook", {"intent": "balance"}, 1)]), [Slow()]) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert USUAL.fillers[0] in call.texts
            assert call.longest_silence_s <= LONGEST_SILENCE_S
            assert call.story._errors == 0

    at_once(test)


def test_a_model_that_calls_tools_without_end_and_says_nothing_is_given_up() -> None:
    async def test() -> None:
        async with TroubledCall(Services(llm=[Acting("nobody_knows_it", {})])) as call:
            await ask_until(call, lambda: call.hung_up is not None)
            assert call.texts[-1] == USUAL.apology
            assert call.longest_silence_s <= LONGEST_SILENCE_S

    at_once(test)


@pytest.mark.parametrize("tool", ["webhook", "nobody_knows_it"])
def test_a_model_that_calls_tools_without_end_and_speaks_is_given_up_too(tool: str) -> None:
    async def test() -> None:
        webhook = Slow(0.1)
        async with TroubledCall(Services(llm=[Acting(tool, {}, words="Let me see.")]), [webhook]) as call:
            await ask_until(call, lambda: call.hung_up is not None, within_s=120)
            assert call.texts[-1] == USUAL.apology
            assert "Let me see." in call.texts
            assert len(webhook.asked) <= MOST_ACTS

    at_once(test)


def test_of_many_calls_in_one_answer_some_are_made_and_the_model_is_told() -> None:
    async def test() -> None:
        webhook = Slow(0.1)
        model = Acting("webhook", {}, times=1, at_once=300)
        async with TroubledCall(Services(llm=[model]), [webhook]) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert len(webhook.asked) == MOST_ACTS
            results = [message["content"] for message in call.dialogue.context.messages if message["role"] == "tool"]
            assert sum("answer with what you know" in result for result in results) == 300 - MOST_ACTS
            model.left = 1
            await ask_until(call, lambda: call.texts.count(SENTENCES[-1]) == 2)
            assert len(webhook.asked) == 2 * MOST_ACTS, "another turn, another count"

    at_once(test)


def test_a_call_can_be_ended_however_much_was_done() -> None:
    class Ending(Acting):
        async def _answer(self, fault: str) -> None:
            if len(self.asked) == 2:
                self.tool, self.at_once = "hang_up", 1
            await super()._answer(fault)

    async def test() -> None:
        ends = EndCall("hang_up", "", lambda how, *words: call.conversation.end(how, *words))
        async with TroubledCall(Services(llm=[Ending("webhook", {}, at_once=300)]), [Slow(0.1), ends]) as call:
            await ask_until(call, lambda: call.hung_up is not None)
            assert call.texts[-1] == USUAL.goodbye

    at_once(test)


def test_half_a_character_of_a_service_is_left_out_of_what_is_said_and_asked_next() -> None:
    async def test() -> None:
        ear, model = FakeSTT("what is \udc00my balance"), Acting("web\ud83dhook", {"in\ud83dtent": ["\ud83d\ude00"]}, 1)
        model.answer = "Here is\ud83d your answer. \ud83d And here is more of it."
        async with TroubledCall(Services(stt=[ear], llm=[model]), [Slow()]) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            told = json.dumps(call.dialogue.context.messages, ensure_ascii=False)
            assert told.encode("utf-8")
            assert "what is my balance" in told
            assert "\N{GRINNING FACE}" in told, "a pair of halves is whole"

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
    """After a goodbye no filler is heard, though its mark does not come and is waited for."""

    async def test() -> None:
        ends = EndCall("hang_up", "", lambda how, *words: call.conversation.end(how, *words))
        async with TroubledCall(Services(llm=[Acting("hang_up", {})]), [ends]) as call:
            await call.until(2.5)
            call.exotel.marks = False
            await ask_until(call, lambda: call.hung_up is not None)
            await call.over()
            assert call.texts[-1] == USUAL.goodbye
            assert not {text for text, _ in call.story.said} & set(USUAL.fillers)

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
            assert call.texts[-1] == USUAL.apology
            assert call.exotel.clears == 0

    at_once(test)


# The caller hangs up


def moments() -> dict[str, tuple[Services, float]]:
    """Return a moment of each state, in seconds after the start of the call; the caller asks from 3 to 4."""
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
