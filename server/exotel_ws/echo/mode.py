"""Answer the calls of echo mode."""

from collections.abc import Callable
from typing import Final

from exotel_ws.protocol import Dtmf, Mark, Media, Start, Writer
from exotel_ws.responder import Line

_MARKS_REMEMBERED: Final = 1000


class Echo:
    """Send each piece of audio back unchanged, and each mark the first time its name comes.

    Only the first time, because a client that answers our mark with a mark would otherwise go on for ever.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._answered: set[str] = set()
        self.media: Callable[[Media], tuple[str, ...]] = writer.echo

    def mark(self, mark: Mark) -> tuple[str, ...]:
        if mark.name in self._answered or len(self._answered) >= _MARKS_REMEMBERED:
            return ()
        self._answered.add(mark.name)
        return (self._writer.mark(mark.name),)

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        return ()

    def facts(self) -> dict[str, object]:
        return {}

    def stopped(self) -> None:
        """Do nothing: an echo holds nothing."""


class EchoMode:
    """See `exotel_ws.responder.Mode`."""

    private: Final = False
    needs_start: Final = False
    most_calls: Final = None
    most_restarts: Final = None

    def metrics(self, registry: object) -> None:
        return None

    def respond(self, start: Start, writer: Writer, line: Line, *, sample_rate: int) -> Echo:
        return Echo(writer)

    def full(self) -> str:
        return ""

    async def open(self) -> None:
        """Do nothing: an echo needs nothing."""

    async def close(self) -> None:
        """Do nothing: an echo holds nothing."""
