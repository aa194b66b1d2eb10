"""Find the moment at which an answering machine begins to record: after its tone, or once it has said no more."""

from typing import Any, Final

import numpy as np

_PIECE_S: Final = 0.04
"""Seconds of sound that are judged together: 25 Hz a line of the spectrum."""
_TONE_S: Final = 0.2
"""Least length of a tone; a vowel does not stay on one note for so long."""
_PURE: Final = 0.8
"""Least share of a piece's power in the strongest line of its spectrum and the two beside it, for a tone."""
_NOTES_HZ: Final = (300, 2500)
"""Range of a tone: machines have 400 to 1,400 Hz; what hums below is a voice or the mains."""
_WAVERS_HZ: Final = 50
"""Most change of a tone from piece to piece."""
_AUDIBLE: Final = 0.005
"""Least loudness of a sound, root mean square of full scale; lines hiss at a tenth of it."""
_QUIET_S: Final = 2.0
"""Seconds of silence after which a machine has no tone, or had one that was not noticed."""


class Tone:
    """Listen to a machine. Time is that of its audio."""

    def __init__(self, sample_rate: int) -> None:
        """``sample_rate`` is the stream's in Hz."""
        self._rate = sample_rate
        self._piece = int(sample_rate * _PIECE_S)
        self._window = np.hanning(self._piece)
        self._gathered = bytearray()
        self._note = 0.0
        self._sounds_s = self._quiet_s = 0.0
        """Length so far of the tone, and of the silence."""

    def over(self, pcm: bytes) -> bool:
        """Take PCM16 little-endian mono. Return True if a tone has just ended, or all is quiet for `_QUIET_S`."""
        self._gathered += pcm
        ended = False
        while len(self._gathered) >= 2 * self._piece:
            samples = np.frombuffer(bytes(self._gathered[: 2 * self._piece]), "<i2") / 32768
            del self._gathered[: 2 * self._piece]
            ended = self._next(samples) or ended
        return ended

    def _next(self, samples: Any) -> bool:
        audible = float(np.sqrt(np.mean(samples**2))) > _AUDIBLE
        self._quiet_s = 0.0 if audible else self._quiet_s + _PIECE_S
        note = self._note_of(samples) if audible else 0.0
        if note and (not self._note or abs(note - self._note) <= _WAVERS_HZ):
            self._note, self._sounds_s = note, self._sounds_s + _PIECE_S
            return False
        sounded, self._note, self._sounds_s = self._sounds_s, note, _PIECE_S if note else 0.0
        return sounded >= _TONE_S or self._quiet_s >= _QUIET_S

    def _note_of(self, samples: Any) -> float:
        """Return the frequency of ``samples`` in Hz if they are a tone, else 0."""
        power = np.abs(np.fft.rfft(samples * self._window)) ** 2
        strongest = int(power.argmax())
        note = strongest / _PIECE_S
        if not _NOTES_HZ[0] <= note <= _NOTES_HZ[1]:
            return 0.0
        near = power[max(0, strongest - 2) : strongest + 3].sum()
        return note if near >= _PURE * power.sum() else 0.0
