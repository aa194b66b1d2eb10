"""Turns of a caller in the real pipeline, on a clock that passes when nobody works: what the model is asked, and how often."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from exotel_ws.ai import dialogue
from exotel_ws.ai.settings import Silence
from pipecat.frames.frames import Frame

from tests.unit.server.ai_call import GREETING, GREETING_S, at_once

from .ai_services import FakeLLM, FakeSTT, FakeTTS
from .ai_trouble import Services, TroubledCall, turns, voice

PATIENT = Silence(after_s=600.0)


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "_turns", turns)


class InTurn(FakeSTT):
    """Service that hears ``texts``, one in each utterance."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self._texts = iter(texts)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        self.text = next(self._texts)
        async for frame in super().run_stt(audio):
            yield frame


class Call(TroubledCall):
    """Call whose caller says ``texts``, and whose model answers "Well."."""

    def __init__(self, *texts: str, **settings: Any) -> None:
        self.llm = FakeLLM("Well.")
        super().__init__(Services([InTurn(*texts)], [self.llm], [FakeTTS(voice)]), silence=PATIENT, **settings)

    async def answered(self) -> None:
        """Wait until the answer was heard and is in the context."""
        await self.heard("Well.")
        await asyncio.sleep(1.0)

    @property
    def messages(self) -> list[tuple[str, str]]:
        return [(each["role"], each["content"]) for each in self.dialogue.context.messages]


def test_two_things_said_into_the_greeting_are_one_message_and_one_request() -> None:
    async def test() -> None:
        async with Call("I have a question.", "When are you open?") as call:
            await call.ask(0.4)
            await asyncio.sleep(0.8)
            await call.ask(0.4)
            await call.heard("Well.")
            await asyncio.sleep(5)
            assert call.llm.asked == ["I have a question. When are you open?"]
            assert call.texts == [GREETING, "Well."]
            assert call.messages == [("user", "I have a question. When are you open?"), ("assistant", "Well.")]

    at_once(test)


def test_what_means_nothing_is_no_message_and_no_request() -> None:
    async def test() -> None:
        async with Call("This call is now being recorded.", "Hello?", "When are you open?") as call:
            await call.ask(0.4)
            await asyncio.sleep(0.8)
            await call.ask(0.4)
            await call.until(GREETING_S + 4)
            assert call.llm.asked == []
            assert call.messages == []
            await call.ask(0.6)
            await call.answered()
            assert call.messages == [("user", "When are you open?"), ("assistant", "Well.")]

    at_once(test)


def test_who_goes_on_while_the_model_thinks_has_said_one_thing() -> None:
    async def test() -> None:
        async with Call("I would like to know", "when you open.", "Thanks.") as call:
            await call.until(GREETING_S + 1)
            answer = call.llm._answer

            async def slowly(fault: str) -> None:
                await asyncio.sleep(0.8)
                await answer(fault)

            call.llm._answer = slowly  # type: ignore[method-assign]
            await call.ask(0.6)
            await asyncio.sleep(0.9)
            await call.ask(0.6)
            await call.answered()
            assert call.llm.asked == ["I would like to know", "I would like to know when you open."]
            assert call.messages == [("user", "I would like to know when you open."), ("assistant", "Well.")]
            await call.ask(0.6)
            await asyncio.sleep(4)
            assert call.llm.asked[-1] == "Thanks."
            assert call.messages[-2:] == [("user", "Thanks."), ("assistant", "Well.")]

    at_once(test)


def test_keys_are_an_input_of_their_own() -> None:
    async def test() -> None:
        async with Call("where is") as call:
            call.llm.answer = "Well. " * 3
            await call.until(GREETING_S + 1)
            await call.ask(0.6)
            await asyncio.sleep(0.75)
            call.press("1#")
            await asyncio.sleep(3)
            assert call.llm.asked == ["where is", "DTMF: 1"]

    at_once(test)
