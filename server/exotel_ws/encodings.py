"""Encodings of a stream's audio: PCM16, and the two of telephony, µ-law and A-law (ITU-T G.711), one byte a sample.

Exotel streams PCM16, by all that is documented; ``media_format`` was seen to say many things. `named` reads what it says.
"""

import functools
import re
import sys
from array import array
from enum import Enum
from typing import Final

_MULAW_BIAS: Final = 132
_ALAW_TOGGLED: Final = 0x55
_MU: Final = re.compile("[\u00b5\u03bc]")
"""Micro sign, and the Greek letter that Unicode tells from it."""


class Encoding(Enum):
    """Encoding of mono audio; its value is the name that people know."""

    PCM16 = "PCM16"
    MULAW = "µ-law"
    ALAW = "A-law"

    @property
    def sample_bytes(self) -> int:
        """Return the bytes of one sample."""
        return 2 if self is Encoding.PCM16 else 1

    def decode(self, data: bytes) -> bytes:
        """Return ``data`` as PCM16 little-endian."""
        if self is Encoding.PCM16:
            return data
        low, high = _decoding(self)
        pcm = bytearray(2 * len(data))
        pcm[::2], pcm[1::2] = data.translate(low), data.translate(high)
        return bytes(pcm)

    def encode(self, pcm: bytes) -> bytes:
        """Return ``pcm``, whole samples of PCM16 little-endian, in this encoding."""
        if self is Encoding.PCM16:
            return pcm
        return bytes(map(_encoding(self).__getitem__, memoryview(pcm).cast("H")))


_NAMES: Final = {
    **dict.fromkeys(("mulaw", "ulaw", "pcmu", "g711u", "g711mulaw", "g711ulaw", "basic"), Encoding.MULAW),
    **dict.fromkeys(("alaw", "pcma", "g711a", "g711alaw"), Encoding.ALAW),
}
_OTHERS: Final = frozenset(
    [
        "aac",
        "amr",
        "amrwb",
        "evs",
        "flac",
        "g722",
        "g723",
        "g726",
        "g729",
        "gsm",
        "ilbc",
        "mp3",
        "mpeg",
        "ogg",
        "opus",
        "silk",
        "speex",
        "vorbis",
        "webm",
    ]
)
"""Names of encodings that this server can't decode."""


def named(said: str) -> Encoding | None:
    """Return the encoding that ``media_format.encoding`` names; None if it is one that can't be decoded.

    ``audio/x-mulaw``, ``audio/mulaw;rate=8000``, ``ulaw``, ``PCMU/8000``, ``g711_ulaw`` and the like are µ-law; likewise A-law.
    Whatever names no encoding (``base64``, ``raw``, nothing) is PCM16, which is what live calls have.
    """
    words = re.split(r"[/ ,:]+", _MU.sub("mu", said.lower().partition(";")[0]))
    names = [re.sub(r"[^a-z0-9]", "", word.removeprefix("x-")) for word in words]
    found = next((_NAMES[name] for name in names if name in _NAMES), None)
    if found is None and any(name in _OTHERS for name in names):
        return None
    return found or Encoding.PCM16


@functools.cache
def _decoding(law: Encoding) -> tuple[bytes, bytes]:
    """Return the low and the high byte of each code's sample, as tables of `bytes.translate`."""
    samples = [_mulaw(code) if law is Encoding.MULAW else _alaw(code) for code in range(256)]
    return bytes(sample & 255 for sample in samples), bytes(sample >> 8 & 255 for sample in samples)


@functools.cache
def _encoding(law: Encoding) -> bytes:
    """Return the code of each sample, by the sample as the machine reads it without a sign."""
    least, mask = (_mulaw_least, 0xFF) if law is Encoding.MULAW else (_alaw_least, _ALAW_TOGGLED ^ 0x80)
    edges = [*map(least, range(128)), 1 << 15]
    positive = b"".join(bytes([code ^ mask]) * (edges[code + 1] - edges[code]) for code in range(128))
    codes = positive + positive[::-1].translate(bytes(code ^ 0x80 for code in range(256)))
    swapped = array("H", range(1 << 16))
    if sys.byteorder == "big":
        swapped.byteswap()
    return bytes(map(codes.__getitem__, swapped))


def _mulaw(code: int) -> int:
    code ^= 0xFF
    sample = (((code & 15) << 3) + _MULAW_BIAS << (code >> 4 & 7)) - _MULAW_BIAS
    return -sample if code & 0x80 else sample


def _alaw(code: int) -> int:
    code ^= _ALAW_TOGGLED
    mantissa, exponent = code & 15, code >> 4 & 7
    sample = (mantissa << 4) + 8 if not exponent else (mantissa << 4) + 264 << exponent - 1
    return sample if code & 0x80 else -sample


def _mulaw_least(code: int) -> int:
    """Return the least sample of a positive code, given without its mask."""
    return max(0, ((code & 15) + 16 << (code >> 4) + 3) - _MULAW_BIAS)


def _alaw_least(code: int) -> int:
    """Return the least sample of a positive code, given without its mask."""
    return code << 4 if code < 16 else (code & 15) + 16 << (code >> 4) + 3
