"""Ask a model while a pause may still be none: what it is asked, what is heard of it and when, in the real pipeline."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

from exotel_ws.ai.ahead import Ahead
from exotel_ws.ai.dialogue import Tool
from exotel_ws.ai.settings import Turns
from openai.types.chat import ChatCompletionChunk
from pipecat.services.openai.llm import OpenAILLMService

from tests.unit.server.ai_call import GREETING_S

from .ai_trouble import Services
from .test_ai_pauses import Call, at_once, models

__all__ = ["models"]

FIRST_TOKEN_S = 0.4
STATES = "I want to return a shirt."
"""Statement, after which `likely_s` are waited for."""


class Stream:
    """Answer in OpenAI's format, which begins `FIRST_TOKEN_S` after it was asked for."""

    def __init__(self, deltas: list[dict[str, Any]]) -> None:
        self._begins = asyncio.get_running_loop().time() + FIRST_TOKEN_S
        self._deltas = deltas
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
        await asyncio.sleep(max(0.0, self._begins - asyncio.get_running_loop().time()))
        for delta in self._deltas:
            head = {"id": "1", "created": 0, "model": "m", "object": "chat.completion.chunk"}
            yield ChatCompletionChunk.model_validate({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    async def close(self) -> None:
        self.closed = True


class Model:
    """Completions of a remote model, in place of a client's."""

    def __init__(self, *deltas: dict[str, Any]) -> None:
        self.deltas = list(deltas) or [{"content": "Well, "}, {"content": "then do."}]
        self.asked: list[str] = []
        self.streams: list[Stream] = []

    async def create(self, **params: Any) -> Stream:
        self.asked.append(params["messages"][-1]["content"])
        self.streams.append(Stream(self.deltas))
        return self.streams[-1]


class AheadCall(Call):
    """Call with a remote model, of which `model` is directed."""

    def __init__(self, *texts: str, model: Model | None = None, ahead: int = 2, tools: list[Tool] | None = None) -> None:
        super().__init__(*texts, turns=Turns(ahead=ahead))
        self.model = model or Model()
        self.remote = OpenAILLMService(api_key="k", settings=OpenAILLMService.Settings(model="m"))
        self.remote._client = SimpleNamespace(chat=SimpleNamespace(completions=self.model))  # type: ignore[assignment]
        self.given = Services(self.given.stt, [self.remote], self.given.tts)  # type: ignore[arg-type]
        self.tools = tools or []
        self.ahead = Ahead([self.remote], lambda: self.remote, ahead) if ahead else None


async def answered_after(call: AheadCall) -> float:
    """Return the seconds from the end of a statement of 1 s to the bot's first sound."""
    await call.until(GREETING_S + 1)
    await call.says(1.0)
    ended = call.loop.time()
    await asyncio.sleep(3)
    return min(begins for begins, _ in call._sounds() if begins > ended) - ended


def seconds(ahead: int) -> tuple[float, list[str]]:
    found: list[Any] = []

    async def test() -> None:
        async with AheadCall(STATES, ahead=ahead) as call:
            found.extend([await answered_after(call), call.model.asked])

    at_once(test)
    return found[0], found[1]


def test_a_model_that_is_asked_ahead_is_heard_sooner_and_asked_once() -> None:
    (ahead, asked), (usual, as_usual) = seconds(2), seconds(0)
    assert asked == as_usual == [STATES]
    assert usual - ahead > 0.3, "the silence that is waited for is 0.6 s, and 0.2 s of it are the detector's"
    assert ahead >= Turns().likely_s, "and not before the turn is over"


def after(*said: float, texts: list[str], most: int = 2, check: Callable[[AheadCall], None], **more: Any) -> None:
    async def test() -> None:
        async with AheadCall(*texts, ahead=most, **more) as call:
            await call.until(GREETING_S + 1)
            for at, (length, pause) in enumerate(zip(said[::2], said[1::2], strict=True)):
                if at:
                    call.next_text()
                await call.says(length, pause)
            await asyncio.sleep(6)
            check(call)

    at_once(test)


def test_who_goes_on_is_answered_once_with_all_they_said() -> None:
    def check(call: AheadCall) -> None:
        assert call.model.asked == [STATES, f"{STATES} It is torn."]
        assert [stream.closed for stream in call.model.streams] == [True, True]
        assert call.texts[1:] == ["Well, then do."]
        assert call.story._tally.ahead == {"used": 1, "wasted": 1}
        assert [each["content"] for each in call.dialogue.context.messages] == [f"{STATES} It is torn.", "Well, then do."]

    after(1.0, 0.35, 1.0, 0.0, texts=[STATES, "It is torn."], check=check)


def test_the_requests_in_vain_of_one_turn_are_bounded() -> None:
    def check(call: AheadCall) -> None:
        assert len(call.model.asked) == 3
        assert call.model.asked[-1].count("shirt") == 4
        assert call.texts[1:] == ["Well, then do."]

    after(*[1.0, 0.35] * 4, texts=[STATES] * 4, check=check)


def test_what_is_likely_to_go_on_is_not_asked() -> None:
    def check(call: AheadCall) -> None:
        assert call.model.asked == ["I would like to know. When do you open?"]

    after(1.0, 0.8, 1.0, 0.0, texts=["I would like to know.", "When do you open?"], check=check)


class Noting:
    """Tool that notes when it is called."""

    name, description, properties, required, ends = "note", "Notes.", {}, (), False

    def __init__(self) -> None:
        self.called: list[float] = []

    async def __call__(self, _arguments: dict[str, Any]) -> Any:
        self.called.append(asyncio.get_running_loop().time())
        return None


def test_no_tool_is_called_before_the_turn_is_over_nor_by_a_request_that_was_dropped() -> None:
    tool = Noting()
    calls = {"index": 0, "id": "c1", "type": "function", "function": {"name": "note", "arguments": "{}"}}

    def check(call: AheadCall) -> None:
        assert len(call.model.asked) == 2
        assert len(tool.called) == 1
        ended = call.spoken[-1][1]
        assert tool.called[0] >= ended + Turns().likely_s

    after(
        1.0, 0.35, 1.0, 0.0,
        texts=[STATES, STATES],
        model=Model({"content": "Yes."}, {"tool_calls": [calls]}),
        tools=[tool],
        check=check,
    )  # fmt: skip


def test_what_is_said_over_the_bot_is_asked_when_the_turn_is_over() -> None:
    def check(call: AheadCall) -> None:
        assert call.model.asked == [STATES, STATES]
        assert call.story._tally.ahead == {"used": 1, "wasted": 0}, "it may be a nod, or change what was heard of the answer"

    long = {"content": "This is a long answer, of which all will take several seconds until it has been heard."}
    after(1.0, 1.5, 1.0, 0.0, texts=[STATES, STATES], model=Model(long), check=check)


def test_a_request_ahead_that_fails_is_made_again_like_any_other() -> None:
    model = Model()
    usual = model.create

    async def once(**params: Any) -> Stream:
        model.create = usual  # type: ignore[method-assign]
        model.asked.append("")
        raise ConnectionRefusedError("nobody there")

    model.create = once  # type: ignore[method-assign]

    def check(call: AheadCall) -> None:
        assert call.model.asked == ["", STATES]
        assert call.texts[1:] == ["Well, then do."]

    after(1.0, 0.0, texts=[STATES], model=model, check=check)
