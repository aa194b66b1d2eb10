"""Decode a caller's audio in the encoding that it has: by what ``start`` says, unless the audio itself shows another.

What ``media_format.encoding`` says is not to be trusted (docs/protocol.md): it differs by source, and live audio was PCM16 in any
case. Nor is it to be passed over, for µ-law taken for PCM16 is noise of full scale to every recogniser. So what it says counts at
first, and audio with sound in it that is smooth in one reading and rough in the others is a proof.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from exotel_ws.ai.ear import WholeSamples
from exotel_ws.encodings import Encoding, named
from exotel_ws.protocol import Media, number

_LOOKED_AT_S: Final = 0.25
"""Seconds of sound that are judged at a time, if a sample has two bytes."""
_MOST_LOOKS: Final = 1200
"""Looks after which what was never shown to be wrong stays: five minutes of silence, or of noise."""
_ROUGHER: Final = 1.4
"""Times by which all other readings have to be rougher. Speech, hum and line noise are 3 to 200 times rougher where they are
misread, speech at full scale twice; overdriven speech may prove nothing."""
_SILENCE: Final = 50.0
"""Roughness up to which nothing is proven, of 32,768; a line without any sound is the same in all readings."""
_HALF: Final = (0.8, 1.25)
"""Bytes to a sample within which audio is taken to have one; about two means PCM16."""


class Decoder:
    """Return the PCM16 of a stream's media, which may have any size."""

    def __init__(self, said: str, sample_rate: int, on_other: Callable[[Encoding], None]) -> None:
        """``said`` is the encoding by ``start``; one that can't be decoded has to be refused before.

        ``sample_rate`` is the stream's in Hz. ``on_other`` is called when the audio shows another encoding, which counts from
        then on.
        """
        self.encoding = named(said) or Encoding.PCM16
        self._rate = sample_rate
        self._on_other = on_other
        self._whole = WholeSamples()
        self._looks_left = _MOST_LOOKS
        self._looked_at = bytearray()
        self._sizes: set[int] = set()
        self._since: int | None = None
        """``timestamp`` (ms) of the first message that is looked at, and of the last; `_behind` is their bytes but the last's."""
        self._until: int | None = None
        self._behind = 0

    def __call__(self, media: Media) -> bytes:
        """Return the PCM16 little-endian of ``media``, as far as it could be decoded."""
        if self._looks_left:
            self._look(media)
        if self.encoding is Encoding.PCM16:
            return self._whole(media)
        return self.encoding.decode(media.pcm)

    def _look(self, media: Media) -> None:
        at = number(media.timestamp)
        if not self._looked_at:
            self._since = at
            self._behind = 0
            self._sizes.clear()
        else:
            self._behind = len(self._looked_at)
        self._until = at
        self._sizes.add(len(media.pcm))
        self._looked_at += media.pcm
        if len(self._looked_at) < 2 * self._rate * _LOOKED_AT_S:
            return
        shown = smoothest(bytes(self._looked_at))
        width = self._bytes_to_a_sample()
        self._looked_at.clear()
        self._looks_left -= 1
        if shown is self.encoding:
            self._looks_left = 0
        elif shown is not None and _fits(shown, width):
            self._looks_left = 0
            self.encoding = shown
            self._on_other(shown)

    def _bytes_to_a_sample(self) -> float | None:
        """Return the bytes to a sample by the time stamps, else by the size of a message if it is one of 20 ms; else None."""
        if self._since is not None and self._until is not None and self._until > self._since:
            return self._behind / ((self._until - self._since) * self._rate / 1000)
        (size, *others) = self._sizes
        return None if others or size not in (self._rate // 50, self._rate // 25) else size * 50 / self._rate


def smoothest(data: bytes) -> Encoding | None:
    """Return the encoding in which ``data`` is sound and in all others noise; None if that can't be told."""
    rough = sorted((roughness(each.decode(data[: len(data) & ~1])), each.value, each) for each in Encoding)
    (least, _, found), (next_, _, _) = rough[:2]
    return found if next_ >= _ROUGHER * max(least, _SILENCE) else None


def roughness(pcm: bytes) -> float:
    """Return how loud PCM16 is together with how much it jumps from sample to sample; 38,000 for bytes at random."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    return float(np.abs(samples - samples.mean()).mean() + np.abs(np.diff(samples)).mean()) if len(samples) > 1 else 0.0


def _fits(shown: Encoding, width: float | None) -> bool:
    """Return True if audio of ``width`` bytes to a sample can have the encoding. Unsaid, only that of live calls is believed."""
    if width is None:
        return shown is Encoding.PCM16
    one = _HALF[0] <= width <= _HALF[1]
    return one if shown.sample_bytes == 1 else not one
