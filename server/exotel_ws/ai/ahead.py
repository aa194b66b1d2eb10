"""Ask a language model while a pause may still be none, and keep its answer until the caller's turn is over."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.base_llm import BaseOpenAILLMService

_CLOSE_S: Final = 1.0
"""Seconds in which a connection whose answer is not wanted has to close."""


@dataclass(eq=False)
class _Asked:
    """Request that was made ahead; its answer waits in the connection, unread."""

    service: FrameProcessor
    messages: list[Any]
    answer: asyncio.Task[Any]


class Ahead:
    """Requests of one call that are made before a turn is over, one at a time. A request for the same messages takes its answer.

    Nothing of an answer is read before it is asked for, so no word of it is said and no tool is called by it. Only services that
    speak OpenAI's protocol are asked ahead.
    """

    def __init__(self, services: Iterable[FrameProcessor], active: Callable[[], object], most: int) -> None:
        """``active`` returns the service that answers now, one of ``services`` or another. ``most`` are made in a turn."""
        self.may_ask: Callable[[], bool] = lambda: True
        """Called before each request."""
        self.on_over: Callable[[bool], None] = lambda _used: None
        """Called for each request that was made ahead, with True if its answer was used."""
        self._active = active
        self._most = most
        self._made = 0
        """Requests since the last turn was over."""
        self._asked: _Asked | None = None
        self._usual = {service: service.get_chat_completions for service in services if isinstance(service, BaseOpenAILLMService)}
        for service in self._usual:
            service.get_chat_completions = partial(self._answer, service)  # type: ignore[method-assign]
        self._closing: set[asyncio.Task[None]] = set()

    def ask(self, context: LLMContext) -> None:
        """Ask for the answer to ``context``, a copy that nobody changes, unless that was asked or it would be once too often."""
        if self._asked is not None and self._asked.messages == context.messages:
            return
        self.drop()
        service = next((one for one in self._usual if one is self._active()), None)
        if service is not None and self._made < self._most and self.may_ask():
            self._made += 1
            answer = asyncio.get_running_loop().create_task(self._usual[service](context))
            self._asked = _Asked(service, context.messages, answer)

    def drop(self) -> None:
        """Give up what was asked: the caller goes on, or nothing is to be answered."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self.on_over(False)
            closing = asyncio.get_running_loop().create_task(_close(asked.answer))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def turn_over(self) -> None:
        """Count the requests of the next turn."""
        self._made = 0

    async def _answer(self, service: BaseOpenAILLMService, context: LLMContext) -> Any:
        """Return the stream of an answer: that of the request made ahead if it is the same."""
        asked = self._asked
        if asked is None or asked.service is not service or asked.messages != context.messages:
            self.drop()
            return await self._usual[service](context)
        self._asked = None
        self.on_over(True)
        return await asked.answer


async def _close(answer: asyncio.Task[Any]) -> None:
    answer.cancel()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        async with asyncio.timeout(_CLOSE_S):
            stream = await answer
            await (stream.close if hasattr(stream, "close") else stream.aclose)()
