"""Windows in which sound is judged, their level, and the high-pass before them."""

import math
from typing import Any, Final

import numpy as np

Window = np.ndarray[Any, np.dtype[np.float32]]
"""`WINDOW` samples in [-1, 1]."""

RATE: Final = 16000
"""Hz."""
WINDOW: Final = 512
"""Samples; the voice detector takes no other number."""
WINDOW_S: Final = WINDOW / RATE
SILENCE_DB: Final = -96.0
"""Level of silence, in dB of full scale: one bit of 16."""
_CORNER_HZ: Final = 80.0
"""Corner of the high-pass: below every voice on a telephone, above hum, rumble and offsets."""
_PIECE: Final = 64
"""Samples that are filtered by one product; windows are multiples of it."""


def windows(pcm: bytes) -> Window:
    """Return PCM16 little-endian, whole windows of it, as an array of shape (number of windows, `WINDOW`)."""
    return (np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)).reshape(-1, WINDOW)


def pcm16(window: Window) -> bytes:
    """Return samples as PCM16 little-endian; what is louder than full scale is clipped."""
    return bytes((window * np.float32(32767)).clip(-32768, 32767).astype("<i2").tobytes())


def level(window: Window) -> float:
    """Return the root mean square of sound in dB of full scale, at least `SILENCE_DB`."""
    power = float(np.dot(window, window)) / len(window)
    return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


class HighPass:
    """Butterworth high-pass of second order, a window at a time.

    The output of each piece of `_PIECE` samples is the convolution of its samples with the impulse response, and the response to
    the state that all samples before have left: exact as a recursive filter is, and three small products of arrays instead of a
    loop over samples.
    """

    def __init__(self) -> None:
        self._state = np.zeros(2, np.float32)

    def __call__(self, window: Window) -> Window:
        """Return ``window`` without what is lower than a voice."""
        states = _TO_STATES @ window + _STATES_STATES @ self._state
        made = window.reshape(-1, _PIECE) @ _IMPULSES
        made += states[:-2].reshape(-1, 2) @ _FROM_STATE
        self._state = states[-2:]
        return made.ravel()


def _designed() -> tuple[Window, Window, Window, Window]:
    """Return the matrices from a piece to its output, from the state before it to that, and from a window and from the state
    before it to the states before each of its pieces and after the last.

    The filter is the bilinear transform of Butterworth's, in transposed direct form II, whose state is two numbers.
    """
    warped = np.tan(np.pi * _CORNER_HZ / RATE)
    scale = 1 / (1 + np.sqrt(2) * warped + warped**2)
    b = np.array([1, -2, 1]) * scale
    a1, a2 = 2 * (warped**2 - 1) * scale, (1 - np.sqrt(2) * warped + warped**2) * scale
    step = np.array([[-a1, 1], [-a2, 0]])
    enter = np.array([b[1] - a1 * b[0], b[2] - a2 * b[0]])
    powers = [np.eye(2)]
    for _ in range(WINDOW):
        powers.append(step @ powers[-1])
    from_state = np.array([power[0] for power in powers[:_PIECE]])
    impulse = np.concatenate([[b[0]], from_state[:-1] @ enter])
    impulses = np.array([[impulse[at - begins] if at >= begins else 0.0 for at in range(_PIECE)] for begins in range(_PIECE)])
    ends = range(0, WINDOW + 1, _PIECE)
    to_states = np.zeros((len(ends), 2, WINDOW))
    for place, end in enumerate(ends):
        for at in range(end):
            to_states[place, :, at] = powers[end - 1 - at] @ enter
    states_states = np.concatenate([powers[end] for end in ends])
    made = (np.asarray(part, np.float32) for part in (impulses, from_state.T, to_states.reshape(-1, WINDOW), states_states))
    return next(made), next(made), next(made), next(made)


_IMPULSES, _FROM_STATE, _TO_STATES, _STATES_STATES = _designed()
