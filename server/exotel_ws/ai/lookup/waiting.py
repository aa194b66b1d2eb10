"""Stand in for a conversation that can't begin yet, for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from exotel_ws.ai.conversation import Conversation
from exotel_ws.ai.records.story import Story
from exotel_ws.protocol import Dtmf, Mark, Media
from exotel_ws.responder import HangUp, Line

_MOST_BYTES: Final = 256 * 1024
"""Most bytes of the caller's audio that are held: five seconds at the highest rate."""
_MOST_EVENTS: Final = 500
"""Most messages that are held: ten seconds of audio as Exotel sends it."""


class Waiting:
    """Hold what the caller does until the conversation begins, then hand it on. Implements `exotel_ws.responder.Responder`."""

    def __init__(
        self, begin: Callable[[], Awaitable[Conversation]], story: Story, line: Line, on_end: Callable[["Waiting"], None]
    ) -> None:
        """``begin`` waits for what has to be known, and makes the conversation; it has to bound its wait.

        ``on_end`` is called once, when the stream has ended.
        """
        self._begin = begin
        self._story = story
        self._line = line
        self._on_end = on_end
        self._made: Conversation | None = None
        self._held: list[Media | Dtmf] = []
        self._bytes = 0
        self.running = asyncio.create_task(self._wait())
        """Ends once the conversation has begun, or will not."""

    def media(self, media: Media) -> tuple[str, ...]:
        if self._made is not None:
            return self._made.media(media)
        self._bytes += len(media.pcm)
        if self._bytes <= _MOST_BYTES:
            self._hold(media)
        return ()

    def mark(self, mark: Mark) -> tuple[str, ...]:
        return self._made.mark(mark) if self._made is not None else ()

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        if self._made is not None:
            return self._made.dtmf(dtmf)
        self._hold(dtmf)
        return ()

    def facts(self) -> dict[str, object]:
        return self._made.facts() if self._made is not None else self._story.facts()

    def stopped(self) -> None:
        if self._made is not None:
            self._made.stopped()
        else:
            self.running.cancel()
            drained = self._line.hung_up is not None and self._line.hung_up.code == 1001
            self._story.close("caller" if self._line.hung_up is None else "drained" if drained else "other")
        self._on_end(self)

    def _hold(self, event: Media | Dtmf) -> None:
        if len(self._held) < _MOST_EVENTS:
            self._held.append(event)

    async def _wait(self) -> None:
        try:
            made = await self._begin()
        except Exception:
            self._line.log.exception("💥 The conversation can't begin")
            self._line.hang_up(HangUp(1011, "internal error"))
            return
        for one in self._held:
            if isinstance(one, Media):
                made.media(one)
            else:
                made.dtmf(one)
        self._held.clear()
        self._made = made
