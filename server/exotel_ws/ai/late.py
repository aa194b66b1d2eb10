"""Make dialogues one after the other, because making one holds the loop, and with it every other call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from exotel_ws.ai.dialogue import Dialogue, Events
from exotel_ws.ai.mouth import Mouth

_STARTS_S: Final = 2.0
"""Seconds to wait for the start of a pipeline whose call has ended meanwhile."""


class Workshop:
    """Makes one dialogue at a time, and lets the loop turn before and after each."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the turn to make a dialogue for the length of the block."""
        async with self._lock:
            await asyncio.sleep(0)
            yield
            await asyncio.sleep(0)


class LateDialogue:
    """Stands in for a `Dialogue` until it is made. A call that ends before its turn never gets one."""

    def __init__(self, make: Callable[[Events], Dialogue], workshop: Workshop, mouth: Mouth) -> None:
        """``make`` makes the dialogue, which tells the given `Events`; it may take some milliseconds."""
        self._make = make
        self._workshop = workshop
        self._mouth = mouth
        self._made: Dialogue | None = None
        self._waiting: list[Callable[[Dialogue], None]] = []

    @property
    def in_words(self) -> bool:
        """See `Talk.in_words`."""
        return self._made is not None and self._made.in_words

    async def run(self, events: Events) -> None:
        """See `Talk.run`."""
        async with self._workshop.turn():
            made = self._make(events)
        for told in self._waiting:
            told(made)
        self._waiting.clear()
        self._made = made
        running = asyncio.create_task(made.run())
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            # A pipeline cancelled while it starts would leave tasks behind that wait for each other.
            started = asyncio.create_task(made.started.wait())
            await asyncio.wait({started, running}, timeout=_STARTS_S, return_when=asyncio.FIRST_COMPLETED)
            started.cancel()
            running.cancel()
            await asyncio.wait({running})
            raise

    def hear(self, pcm: bytes) -> None:
        """See `Talk.hear`."""
        if self._made is not None:
            self._made.hear(pcm)
        else:
            self._waiting.append(lambda made: made.hear(pcm))

    def say(self, text: str) -> None:
        """See `Talk.say`."""
        self._mouth.expect()
        self._tell(lambda made: made.say(text))

    def interrupt(self) -> None:
        """See `Talk.interrupt`."""
        self._tell(lambda made: made.interrupt())

    def told(self, text: str) -> None:
        """See `Talk.told`."""
        self._tell(lambda made: made.told(text))

    def _tell(self, tell: Callable[[Dialogue], None]) -> None:
        if self._made is not None:
            tell(self._made)
        else:
            self._waiting.append(tell)
