"""Echo mode: the caller hears their own voice."""

from typing import Final

from exotel_ws.protocol import Dtmf, Mark, Media, Writer

_MARKS_REMEMBERED: Final = 1000


class Echo:
    """Sends each piece of audio back unchanged and answers a mark name once a stream.

    Once only, because a client that answers our mark with a mark would otherwise ping-pong with us for ever.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._answered: set[str] = set()

    def media(self, media: Media) -> tuple[str, ...]:
        return self._writer.echo(media)

    def mark(self, mark: Mark) -> tuple[str, ...]:
        if mark.name in self._answered or len(self._answered) >= _MARKS_REMEMBERED:
            return ()
        self._answered.add(mark.name)
        return (self._writer.mark(mark.name),)

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        return ()
