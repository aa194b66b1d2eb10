"""Take the caller's voice from the stream, in pieces that cost little CPU and at the rate of the recognisers."""

from collections.abc import Callable
from typing import Final

import numpy as np
import soxr

from exotel_ws.protocol import Media

HEARING_RATE: Final = 16000
"""Hz; the rate of the voice detector, the turn model and nearly every recogniser."""
AT_ONCE_S: Final = 0.06
"""Seconds in a piece, three frames of Exotel's: each piece costs CPU, and 100 ms pieces delay a barge-in noticeably."""
AHEAD_S: Final = 10.0
"""Seconds by which audio may be ahead of real time, since a network delivers at once what it held back. The rest is dropped."""


class WholeSamples:
    """Make whole 16-bit samples of media of any size: keep an odd byte for the next piece, if that is odd too."""

    def __init__(self) -> None:
        self._odd = b""

    def __call__(self, media: Media) -> bytes:
        """Return the PCM of ``media``, as far as it could be decoded."""
        pcm, odd = media.pcm, self._odd
        self._odd = b""
        if not len(pcm) % 2:
            return pcm
        if odd:
            return odd + pcm
        self._odd = pcm[-1:]
        return pcm[:-1]


class Ear:
    """Take the audio of a stream in pieces of any size, and hand it on in pieces of `AT_ONCE_S`."""

    def __init__(self, sample_rate: int, hear: Callable[[bytes], None], clock: Callable[[], float]) -> None:
        """Call ``hear`` with PCM16 little-endian mono at `HEARING_RATE`.

        ``sample_rate`` is the stream's in Hz; ``clock`` returns seconds.
        """
        self._hear = hear
        self._clock = clock
        self._rate = sample_rate
        self._taken_until = clock()
        self._gathered = bytearray()
        self._at_once = int(sample_rate * AT_ONCE_S) * 2
        self._resampler = (
            soxr.ResampleStream(sample_rate, HEARING_RATE, 1, dtype="int16", quality="QQ")
            if sample_rate != HEARING_RATE
            else None
        )

    def take(self, pcm: bytes) -> bool:
        """Take ``pcm``. Return False if part of it was dropped, being more than `AHEAD_S` ahead of real time."""
        now = self._clock()
        begins = max(self._taken_until, now)
        taken = pcm[: 2 * max(0, int((now + AHEAD_S - begins) * self._rate))]
        self._taken_until = begins + len(taken) / (2 * self._rate)
        self._gathered += taken
        if len(self._gathered) >= self._at_once:
            self._hand_on()
        return len(taken) == len(pcm)

    def _hand_on(self) -> None:
        gathered = bytes(self._gathered)
        self._gathered.clear()
        if self._resampler is not None:
            gathered = self._resampler.resample_chunk(np.frombuffer(gathered, "<i2")).tobytes()
        if gathered:
            self._hear(gathered)
