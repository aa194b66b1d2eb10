"""Builders of what a telephone line carries beside a clear voice: soft and biased callers, rooms, second talkers, echoes.

All sound is PCM16 little-endian mono; every builder is deterministic. Levels are dB; that of a voice is its root mean square
where it sounds, pauses left out, so that a ratio of two voices is the one that an ear would give.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

Samples = np.ndarray[Any, np.dtype[np.float64]]

_FULL: Final = 32768.0
_PIECE_S: Final = 0.02
"""Seconds in which a level is taken."""
_SOUNDING_DB: Final = 30.0
"""Levels so far below the loudest piece are pauses."""
_MU: Final = 255.0
_CONSONANT_S: Final = 0.05
_PHRASE_S: Final = 6.0
"""Seconds of the longest phrase of a song."""
_SCALE: Final = (0, 2, 4, 7, 9, 12)
_VOWELS: Final = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
"""Formants in Hz of the vowels of "father", "bed", "see", "law" and "too"."""


def samples(pcm: bytes) -> Samples:
    """Return ``pcm`` as numbers in [-1, 1]."""
    return np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float64) / _FULL


def pcm16(sound: Samples) -> bytes:
    """Return numbers in [-1, 1] as PCM; what is louder is clipped."""
    return bytes((sound * _FULL).round().clip(-_FULL, _FULL - 1).astype("<i2").tobytes())


def level(sound: Samples, rate: int) -> float:
    """Return the level in dB of full scale of what sounds in ``sound``; -inf for silence."""
    size = int(rate * _PIECE_S)
    pieces = np.mean(sound[: len(sound) // size * size].reshape(-1, size) ** 2, axis=1)
    if not pieces.size or not pieces.max():
        return float("-inf")
    return float(10 * np.log10(np.mean(pieces[pieces > pieces.max() / 10 ** (_SOUNDING_DB / 10)])))


def louder(pcm: bytes, db: float) -> bytes:
    """Return ``pcm`` amplified by ``db``, which may be negative."""
    return pcm16(samples(pcm) * 10 ** (db / 20))


def biased(pcm: bytes, offset: float) -> bytes:
    """Return ``pcm`` on a DC offset of ``offset`` of full scale."""
    return pcm16(samples(pcm) + offset)


def mu_law(pcm: bytes) -> bytes:
    """Return ``pcm`` after µ-law and back: what any telephone line leaves of it."""
    sound = samples(pcm)
    coded = np.round((np.sign(sound) * np.log1p(_MU * np.abs(sound)) / np.log1p(_MU) + 1) / 2 * 255) / 255 * 2 - 1
    return pcm16(np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(_MU)) / _MU)


def long(pcm: bytes, seconds: float, rate: int, begin: float = 0.0) -> bytes:
    """Return ``pcm`` repeated, from ``begin`` (a share of it, 0 to 1) on, for ``seconds``."""
    once = samples(pcm)
    return pcm16(np.resize(np.roll(once, -int(begin * len(once))), int(seconds * rate)))


def babble(voices: Sequence[bytes], seconds: float, rate: int) -> bytes:
    """Return all ``voices`` at once and equally loud, each repeated from another place of it: a room full of people."""
    mixed = np.zeros(int(seconds * rate))
    for number, voice in enumerate(voices):
        sound = samples(long(voice, seconds, rate, number / len(voices)))
        mixed += sound * 10 ** (-level(sound, rate) / 20)
    return pcm16(mixed / np.abs(mixed).max() * 0.5)


def over(background: bytes, voice: bytes, ratio_db: float, rate: int, begins_s: float = 0.0) -> bytes:
    """Return ``voice`` from ``begins_s`` on over ``background``, whose level is ``ratio_db`` below the voice's.

    The result is as long as the background. With another voice as background, this is a second talker.
    """
    mixed, sound = samples(background), samples(voice)
    mixed *= 10 ** ((level(sound, rate) - ratio_db - level(mixed, rate)) / 20)
    begin = int(begins_s * rate)
    part = mixed[begin : begin + len(sound)]
    part += sound[: len(part)]
    return pcm16(mixed)


def music(seconds: float, rate: int) -> bytes:
    """Return what a caller hears on hold: chords and a melody of plucked strings, without a voice."""
    time = np.arange(int(seconds * rate)) / rate
    sound = np.zeros(len(time))
    for beat in range(int(seconds * 2)):
        chord = (0, 5, 7, 3)[beat // 4 % 4]
        for tone in (chord - 12, chord, chord + 4, chord + (7, 12, 11, 16)[beat % 4]):
            begin = beat * rate // 2
            since = time[: min(len(time) - begin, rate)]
            pitch = 220 * 2 ** (tone / 12)
            plucked = sum(np.sin(2 * np.pi * pitch * part * since) / part**1.5 for part in range(1, 7))
            sound[begin : begin + len(since)] += plucked * np.exp(-3 * since)
    return pcm16(sound / np.abs(sound).max() * 0.4)


def song(seconds: float, rate: int) -> bytes:
    """Return what a caller hears on hold: `music`, and over it a singer, who sings vowels with vibrato, and rests by turns."""
    draw, begin = np.random.default_rng(1), 0.5
    sung = np.zeros(int((seconds + _PHRASE_S) * rate))
    while begin < seconds:
        for _ in range(int(draw.integers(3, 8))):
            tone, length, vowel = draw.choice(_SCALE), draw.choice((0.25, 0.4, 0.7)), _VOWELS[int(draw.integers(len(_VOWELS)))]
            note = _sung(np.arange(int(length * rate)) / rate, 165 * 2 ** (tone / 12), vowel, rate)
            note /= np.abs(note).max()
            breath = int(_CONSONANT_S * rate)
            note[:breath] = draw.normal(0, 0.15, breath)
            sung[int(begin * rate) :][: len(note)] = note
            begin += length
        begin += draw.uniform(0.5, 2.0)
    band = samples(music(seconds, rate))
    return pcm16(band * 0.2 + sung[: len(band)] * 0.3)


def _sung(time: Samples, pitch: float, formants: tuple[int, ...], rate: int) -> Samples:
    """Return one note of a singer: a voice's harmonics through ``formants``, with a vibrato that sets in."""
    vibrato = 0.02 * np.minimum(time / 0.3, 1) * np.sin(2 * np.pi * 5.5 * time)
    phase = 2 * np.pi * np.cumsum(pitch * (1 + vibrato)) / rate
    note = np.zeros(len(time))
    for part in range(1, int(rate / 2 / pitch / 1.1)):
        heard = sum(1 / (1 + ((part * pitch - formant) / (60 + 0.06 * formant)) ** 2) for formant in formants)
        note += (heard + 0.01) / part**0.7 * np.sin(part * phase)
    return np.asarray(note * np.clip(np.minimum(time, time[-1] - time) / 0.03, 0, 1))


class Echo:
    """Way from the bot's voice back to the microphone: a speaker phone, or another leg of the call."""

    def __init__(self, rate: int, loss_db: float, delay_s: float) -> None:
        """Bring back what is played ``loss_db`` softer and ``delay_s`` later."""
        self._rate = rate
        self._gain = 10 ** (-loss_db / 20)
        self._delay_s = delay_s
        self._played: list[tuple[float, Samples]] = []

    def play(self, at: float, pcm: bytes) -> None:
        """Take what is heard from the time ``at`` on, in seconds of any clock."""
        self._played.append((at, samples(pcm) * self._gain))

    def clear(self, at: float) -> None:
        """Forget what would be heard after ``at``."""
        cut = ((begins, sound[: max(0, int((at - begins) * self._rate))]) for begins, sound in self._played)
        self._played = [(begins, sound) for begins, sound in cut if len(sound)]

    def back(self, at: float, seconds: float) -> bytes:
        """Return what comes back in the ``seconds`` from ``at`` on. Call it with times that only grow."""
        heard, since = np.zeros(round(seconds * self._rate)), at - self._delay_s
        self._played = [(begins, sound) for begins, sound in self._played if begins + len(sound) / self._rate > since]
        for begins, sound in self._played:
            offset = round((begins - since) * self._rate)
            piece = sound[max(0, -offset) :][: max(0, len(heard) - max(0, offset))]
            heard[max(0, offset) : max(0, offset) + len(piece)] += piece
        return pcm16(heard)


def held_back(frames: Sequence[bytes], held_s: float, frame_s: float = _PIECE_S) -> Iterator[tuple[float, bytes]]:
    """Yield each frame with the time of its arrival: what is said in the first ``held_s`` comes all at once after them."""
    for number, frame in enumerate(frames):
        yield max(held_s, (number + 1) * frame_s), frame
