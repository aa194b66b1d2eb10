"""What answers the caller: the seam between a call and its mode."""

from typing import Protocol

from exotel_ws.protocol import Dtmf, Mark, Media


class Responder(Protocol):
    """Turns what the caller sends into messages for Exotel. One object a stream; it is never called after ``stop``."""

    def media(self, media: Media) -> tuple[str, ...]:
        """Messages to send for a piece of audio."""

    def mark(self, mark: Mark) -> tuple[str, ...]:
        """Messages to send for a mark."""

    def dtmf(self, dtmf: Dtmf) -> tuple[str, ...]:
        """Messages to send for a key press."""
