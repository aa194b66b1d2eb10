"""Loudness of a message's audio, as a number and as a bar."""

import binascii
import math
import struct
from typing import Final

from exotel_ws.encodings import Encoding

_FULL: Final = 32768.0
_FLOOR_DB: Final = -60.0


def level_db(payload: str, encoding: Encoding = Encoding.PCM16) -> float | None:
    """Return the level of base64 audio in dB below full scale (RMS); None without a whole sample, -inf for silence."""
    try:
        pcm = encoding.decode(binascii.a2b_base64(payload))
    except (binascii.Error, ValueError):
        return None
    count = len(pcm) // 2
    if not count:
        return None
    samples = struct.unpack(f"<{count}h", pcm[: count * 2])
    rms = math.sqrt(math.fsum(sample * sample for sample in samples) / count)
    return 20 * math.log10(rms / _FULL) if rms else -math.inf


def bar(db: float, width: int = 30) -> str:
    """Return ``db`` as a bar: empty at -60 dB and below, full at 0 dB."""
    filled = round(width * min(1.0, max(0.0, 1 - db / _FLOOR_DB)))
    return "█" * filled + "·" * (width - filled)
