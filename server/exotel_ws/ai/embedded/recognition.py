"""Recognition for all calls of a worker: whose utterance is next."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from exotel_ws.ai.embedded.topic import Topic


class Recognises(Protocol):
    """Recogniser of speech."""

    def recognise(self, pcm: bytes, topic: Topic | None) -> str:
        """Return the words in ``pcm``, said to a bot with that topic, if it has one; empty if there are none. Blocks."""


@dataclass(eq=False)
class Asked:
    """Speech to recognise. ``over``: it has ended, and is no guess that may be in vain. ``found`` is cancelled if not wanted."""

    pcm: bytes
    over: bool
    topic: Topic | None
    found: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Recognition:
    """Recognise utterances, a few at a time: those that have ended first, in turn; then guesses, the shortest first.

    The shortest are nods, for which a bot has stopped that goes on once it knows. What is no longer wanted is not begun.
    """

    def __init__(self, recogniser: Recognises, executor: Executor, at_once: int = 1) -> None:
        """Recognise ``at_once``, as many as ``executor`` has threads: what waits in it could not be overtaken."""
        self._recogniser = recogniser
        self._executor = executor
        self._waiting: list[Asked] = []
        self._free = at_once

    def ask(self, pcm: bytes, *, over: bool, topic: Topic | None = None) -> Asked:
        """Begin to recognise ``pcm``, said to a bot with that ``topic``, now or when it is its turn."""
        asked = Asked(pcm, over, topic)
        self._waiting.append(asked)
        self._go_on()
        return asked

    def _go_on(self) -> None:
        self._waiting = [each for each in self._waiting if not each.found.done()]
        if not (self._free and self._waiting):
            return
        asked = min(self._waiting, key=lambda each: (not each.over, 0 if each.over else len(each.pcm)))
        self._waiting.remove(asked)
        self._free -= 1
        loop = asyncio.get_running_loop()
        working = loop.run_in_executor(self._executor, self._recogniser.recognise, asked.pcm, asked.topic)
        working.add_done_callback(lambda done: self._done(asked, done))

    def _done(self, asked: Asked, done: asyncio.Future[str]) -> None:
        self._free += 1
        if not asked.found.done():
            if done.cancelled():
                asked.found.cancel()
            elif error := done.exception():
                asked.found.set_exception(error)
            else:
                asked.found.set_result(done.result())
        self._go_on()
