"""Replace speech by noise."""

import binascii
import itertools
import math
import random
from array import array


class Noise:
    """Speech-shaped noise in place of speech: the same audio always becomes the same noise, so an echo stays an echo."""

    def __init__(self) -> None:
        source = random.Random()
        rise_and_fall = [int(2500 * (1 + math.sin(2 * math.pi * step / 125))) for step in range(125)]
        steps = (source.randint(-loudness, loudness) for _ in range(64) for loudness in rise_and_fall)
        samples = array("h", (int(value) for value in itertools.accumulate(steps, lambda level, step: 0.7 * level + step)))
        self._pcm = samples.tobytes()
        self._positions = len(samples)

    def like(self, payload: str) -> str:
        """Return noise as long as the audio in ``payload``, both base64; as many ``-`` if ``payload`` is not base64."""
        try:
            pcm = binascii.a2b_base64(payload, strict_mode=True)
        except (binascii.Error, ValueError):
            return "-" * len(payload)
        size = len(pcm)
        begin = hash(pcm) % self._positions * 2
        end = begin + size
        noise = self._pcm if end <= len(self._pcm) else self._pcm * (1 + end // len(self._pcm))
        return binascii.b2a_base64(noise[begin:end], newline=False).decode()
