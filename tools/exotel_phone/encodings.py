"""Encodings that a caller's line may have. Apart from `wire`, which works without the server's package."""

from typing import Final

from exotel_ws.encodings import Encoding

from exotel_phone.wire import PCM, Format

ENCODINGS: Final = {"pcm": Encoding.PCM16, "mulaw": Encoding.MULAW, "alaw": Encoding.ALAW}
"""By the names that are typed."""
FORMATS: Final = {
    Encoding.PCM16: PCM,
    Encoding.MULAW: Format("audio/x-mulaw", Encoding.MULAW.sample_bytes),
    Encoding.ALAW: Format("audio/x-alaw", Encoding.ALAW.sample_bytes),
}
"""Words of ``start`` about each."""
