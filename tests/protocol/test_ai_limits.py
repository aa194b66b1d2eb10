"""One caller's use of paid services is bounded; a bounded caller hears a sensible sentence, and nobody else waits."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from exotel_ws.ai.sentences import USUAL
from exotel_ws.ai.settings import AiLimits
from pipecat.frames.frames import LLMContextFrame

from tests.unit.server.ai_call import at_once

from .ai_services import FakeLLM, FakeTTS
from .ai_trouble import Services, TroubledCall, turns, voice
from .test_ai_faults import SENTENCES, Acting, Slow, ask_until

LIMITS = AiLimits()


@pytest.fixture(autouse=True)
def _turns_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exotel_ws.ai.dialogue._turns", turns)


def limited(services: Services | None = None, tools: Any = (), **limits: Any) -> TroubledCall:
    return TroubledCall(services or Services(), tools, limits=msgspec.structs.replace(LIMITS, **limits))


def most_in_a_minute(times: list[float]) -> int:
    return max((sum(began <= at < began + 60 for at in times) for began in times), default=0)


class Timed(FakeLLM):
    """Model that records the time and the number of characters of each request."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.times: list[float] = []
        self.told: list[str] = []

    async def process_frame(self, frame: Any, direction: Any) -> None:
        if isinstance(frame, LLMContextFrame):
            self.times.append(asyncio.get_running_loop().time())
            self.told.append("".join(str(message.get("content") or "") for message in frame.context.messages))
        await super().process_frame(frame, direction)


@pytest.mark.parametrize("keys", ["#", "1#", "5", "12#34#", "*#0#"])
def test_keys_ten_times_a_second_are_few_requests_and_the_caller_is_told(keys: str) -> None:
    async def test() -> None:
        model = Timed()
        async with limited(Services(llm=[model])) as call:
            await call.until(3)
            for at in range(600):
                if call.hung_up:
                    break
                call.press(keys[at % len(keys)])
                await asyncio.sleep(0.1)
            assert most_in_a_minute(model.times) <= LIMITS.requests_per_minute + LIMITS.requests_at_once
            assert len(model.times) <= 21, "keys without a pause are one input"

    at_once(test)


def test_keys_with_pauses_that_just_part_them_meet_the_bound_and_hear_so() -> None:
    async def test() -> None:
        model = Timed()
        async with limited(Services(llm=[model]), requests_per_minute=6, requests_at_once=3) as call:
            await call.until(3)
            for _ in range(100):
                if call.hung_up:
                    break
                call.press("#")
                await asyncio.sleep(1.1)
            assert most_in_a_minute(model.times) <= 6 + 3
            assert "ai_requests" in call.bounds
            assert USUAL.too_fast in [text for text, _ in call.story.said]
            assert call.hung_up is not None, "at last it ends"
            assert call.hung_up.code == 1000
            assert call.texts[-1] == USUAL.enough
            await call.over()
            assert call.story.outcome == "limit"

    at_once(test)


def test_turns_spoken_in_a_loop_meet_the_bound_and_the_context_keeps_no_word_of_them() -> None:
    async def test() -> None:
        model = Timed("Yes.")
        async with limited(Services(llm=[model]), requests_per_minute=4, requests_at_once=2) as call:
            await call.until(3)
            for _ in range(8):
                await call.ask(0.5)
                await asyncio.sleep(2)
            assert most_in_a_minute(model.times) <= 4 + 2
            assert call.bounds.count("ai_requests") >= 2
            asked = [message for message in call.dialogue.context.messages if message["role"] == "user"]
            assert len(asked) == len(model.times)
            assert call.texts.count(USUAL.too_fast) >= 2

    at_once(test)


def test_a_caller_at_a_persons_pace_never_meets_a_bound() -> None:
    async def test() -> None:
        model = Timed("Yes.")
        async with limited(Services(llm=[model])) as call:
            await call.until(3)
            for _ in range(40):
                await call.ask(1.0)
                await asyncio.sleep(4)
            assert len(model.times) == 40
            assert not call.bounds

    at_once(test)


def test_requests_after_tools_count_too() -> None:
    async def test() -> None:
        model = Acting("webhook", {}, times=6)
        async with limited(Services(llm=[model]), [Slow(0.1)], requests_per_minute=1, requests_at_once=5) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert not call.bounds, "one turn is always brought to its end"
            await call.ask()
            await asyncio.sleep(3)
            assert call.bounds == ["ai_requests"]
            assert call.texts[-1] == USUAL.too_fast

    at_once(test)


def test_a_call_has_so_many_requests_and_then_ends_with_a_word() -> None:
    async def test() -> None:
        model = Timed("Yes.")
        async with limited(Services(llm=[model]), requests_per_call=3) as call:
            await call.until(3)
            for _ in range(8):
                if call.hung_up:
                    break
                await call.ask()
                await asyncio.sleep(6)
            assert len(model.times) == 3
            assert call.bounds == ["ai_requests_call"]
            assert call.texts[-1] == USUAL.enough
            assert call.hung_up is not None

    at_once(test)


def test_the_dialogue_that_a_request_carries_stays_within_its_bound() -> None:
    async def test() -> None:
        model = Timed("I know " + "very much " * 30 + "about it.")
        async with limited(Services(llm=[model]), context_characters=1000) as call:
            await call.until(3)
            for _ in range(12):
                await call.ask()
                await asyncio.sleep(20)
            assert len(model.told) == 12
            assert max(map(len, model.told)) <= 1000
            assert all(told.endswith("what is my balance") for told in model.told)
            assert "ai_context" in call.bounds

    at_once(test)


def test_the_results_of_tools_are_bounded_within_a_turn_too() -> None:
    class Long(Slow):
        async def __call__(self, arguments: dict[str, Any]) -> Any:
            await super().__call__(arguments)
            return {"answer": "x" * 16_000}

    class Counting(Acting):
        def now(self, asked: str) -> str:
            sizes.append(len(json.dumps([message.get("content") for message in call.dialogue.context.messages])))
            return super().now(asked)

    sizes: list[int] = []
    call: TroubledCall

    async def test() -> None:
        nonlocal call
        async with limited(Services(llm=[Counting("webhook", {}, times=5)]), [Long(0.1)]) as call:
            await ask_until(call, lambda: call.texts[-2:] == SENTENCES)
            assert len(sizes) >= 6
            assert max(sizes) <= LIMITS.context_characters + 1000

    at_once(test)


def test_an_answer_without_end_is_cut_and_what_the_voice_is_given_is_bounded() -> None:
    async def test() -> None:
        ear_of_voice = FakeTTS(voice)
        model = FakeLLM("This goes on and on. " * 400)
        async with limited(Services(llm=[model], tts=[ear_of_voice]), speech_characters_per_minute=500) as call:
            await call.until(3)
            await call.ask()
            async with asyncio.timeout(120):
                while not any(text.endswith(f". {USUAL.too_long}") or text == USUAL.too_long for text in call.texts):
                    await asyncio.sleep(0.1)
            assert sum(map(len, ear_of_voice.asked)) <= 600
            assert call.bounds == ["ai_speech"]

    at_once(test)


def test_a_call_has_so_many_characters_of_speech_and_then_ends_with_a_word() -> None:
    async def test() -> None:
        model = FakeLLM("This goes on and on. " * 20)
        async with limited(Services(llm=[model]), speech_characters_per_call=1000) as call:
            await call.until(3)
            for _ in range(6):
                if call.hung_up:
                    break
                await call.ask()
                await asyncio.sleep(30)
            assert call.bounds == ["ai_speech_call"]
            assert call.texts[-1] == USUAL.enough
            assert call.hung_up is not None

    at_once(test)


def test_another_caller_hears_the_same_at_the_same_time_beside_one_who_uses_all_they_may() -> None:
    """Another caller hears the same at the same time. Order and time are those of a virtual clock that only waiting moves."""

    async def alone() -> list[tuple[float, str]]:
        async with limited() as good:
            return await conversation(good)

    async def beside() -> list[tuple[float, str]]:
        bad, good = limited(requests_per_minute=6, requests_at_once=3), limited()
        hammering = asyncio.create_task(hammer(bad))
        heard = await conversation(good)
        hammering.cancel()
        assert "ai_requests" in bad.bounds
        assert not good.bounds
        await bad.over()
        await good.over()
        return heard

    async def hammer(call: TroubledCall) -> None:
        while call.hung_up is None:
            call.press("#")
            await asyncio.sleep(1.1)

    async def conversation(call: TroubledCall) -> list[tuple[float, str]]:
        await call.until(3)
        for _ in range(5):
            await call.ask()
            await asyncio.sleep(5)
        return [(round(begins - call.began, 1), len(pcm)) for begins, pcm in call.exotel._pieces]  # type: ignore[misc]

    heard: list[Any] = []

    async def test() -> None:
        heard.append(await alone())
        heard.append(await beside())

    at_once(test)
    assert heard[0] == heard[1]
