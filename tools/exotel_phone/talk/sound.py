"""Find speech in PCM16LE mono, change its sample rate, find its peaks. Pure Python, without numpy."""

import math
import sys
from array import array
from functools import cache
from operator import mul
from typing import Final

from exotel_phone.wire import FRAME_MS, frame_bytes

_QUIET: Final = 200
"""Below this peak (of 32767, -44 dB) a frame is silence in any recording."""
_QUIET_PART: Final = 0.03
"""Below this part of the loudest frame it is silence too, in a noisy recording."""
_LOBES: Final = 8
"""Zero crossings of the resampling filter to each side of its middle."""


def samples(pcm: bytes | bytearray) -> "array[int]":
    """Return the samples of ``pcm``; an odd byte at its end is left out."""
    values = array("h")
    values.frombytes(bytes(pcm[: len(pcm) & ~1]))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def pcm_of(values: "array[int]") -> bytes:
    """Return ``values`` as PCM."""
    if sys.byteorder == "big":
        values = array("h", values)
        values.byteswap()
    return values.tobytes()


def voiced(pcm: bytes | bytearray, rate: int) -> tuple[float, float] | None:
    """Return the seconds from the beginning of ``pcm`` to its first sound and to the end of its last, by 20 ms; None: silence."""
    size = frame_bytes(rate) // 2
    values = samples(pcm)
    peaks = [peak(values[at : at + size]) for at in range(0, len(values), size)]
    least = max(_QUIET, max(peaks, default=0) * _QUIET_PART)
    loud = [number for number, value in enumerate(peaks) if value > least]
    return (loud[0] * FRAME_MS / 1000, (loud[-1] + 1) * FRAME_MS / 1000) if loud else None


def trimmed(pcm: bytes, rate: int, keep_s: float = 0.0) -> bytes:
    """Return ``pcm`` without the silence before and after the speech, but for ``keep_s`` of each; empty if there is no speech."""
    found = voiced(pcm, rate)
    if found is None:
        return b""
    begin, end = max(0.0, found[0] - keep_s), found[1] + keep_s
    return pcm[round(begin * rate) * 2 : round(end * rate) * 2]


def peak(values: "array[int]") -> int:
    """Return the greatest absolute value, 0 if there are none."""
    return max(max(values), -min(values)) if values else 0


def resample(pcm: bytes, has: int, wants: int) -> bytes:
    """Resample ``pcm`` from ``has`` to ``wants`` Hz, by a windowed sinc that passes nothing above half the lower rate."""
    if has == wants:
        return pcm
    common = math.gcd(has, wants)
    up, down = wants // common, has // common
    reach = len(_phase(0, up, down)) // 2
    padded = array("h", bytes(2 * reach)) + samples(pcm) + array("h", bytes(2 * reach))
    length = len(pcm) // 2 * up // down
    made = array("h", bytes(2 * length))
    for at in range(length):
        whole, part = divmod(at * down, up)
        weights = _phase(part, up, down)
        value = sum(map(mul, padded[whole : whole + len(weights)], weights))
        made[at] = max(-32768, min(32767, round(value)))
    return pcm_of(made)


@cache
def _phase(part: int, up: int, down: int) -> "array[float]":
    """Return the filter's weights for an output sample ``part / up`` of a sample behind an input sample."""
    cutoff = min(1.0, up / down) * 0.95
    reach = math.ceil(_LOBES / cutoff)
    weights = array("d")
    for place in range(-reach, reach):
        distance = place - part / up
        width = distance / reach
        window = 0.5 + 0.5 * math.cos(math.pi * width) if abs(width) < 1 else 0.0
        angle = math.pi * cutoff * distance
        weights.append(window * cutoff * (math.sin(angle) / angle if angle else 1.0))
    total = sum(weights)
    return array("d", (weight / total for weight in weights))
