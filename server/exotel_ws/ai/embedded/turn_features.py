"""Features of a caller's speech that the turn model judges: Whisper's log-mel spectrogram of its last seconds."""

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pipecat.audio.turn.smart_turn._whisper_features import _HANN_WINDOW, _MEL_FILTERS

Array = np.ndarray[Any, np.dtype[np.float32]]

SAMPLES: Final = 128_000
"""Samples at 16 kHz that are judged, eight seconds; silence stands before what is shorter."""
_FRAME: Final = 400
_HOP: Final = 160
"""Samples of a frame, and from the middle of one to that of the next."""
_FRAMES: Final = SAMPLES // _HOP
_LEAST: Final = np.float32(1e-10)
_DECADES: Final = np.float32(8)
"""Least power of a band, and decades below the loudest one at which it counts as that."""
_LEAST_VARIANCE: Final = 1e-7
_WINDOW: Final = np.asarray(_HANN_WINDOW, np.float32)
_BANDS: Final = np.ascontiguousarray(_MEL_FILTERS.T, np.float32)
"""Weights of the 201 frequencies in each of the 80 bands."""
_OF_ONES: Final = _BANDS @ np.square(np.abs(np.fft.rfft(_WINDOW)))
"""Power of each band in a frame whose samples are all 1."""


def features(sound: Array) -> Array:
    """Return the features, of shape (80, 800), of at least one and at most `SAMPLES` samples in [-1, 1].

    They are those of pipecat's `compute_whisper_log_mel_features`, which computes in 64 bits, and eight seconds of whatever is
    shorter: 3 ms more of each judgement. The frames before all sound are alike, and known without.
    """
    mean = float(sound.mean()) * len(sound) / SAMPLES
    variance = float(np.dot(sound, sound)) / SAMPLES - mean**2
    scale = 1 / np.sqrt(variance + _LEAST_VARIANCE)
    silent = max(0, (SAMPLES - len(sound) - _FRAME // 2) // _HOP)
    begins = silent * _HOP
    """Middle of the first frame with sound in it, unless that is the first of all, which begins with its own reflection."""
    before = min(begins, _FRAME // 2)
    heard = np.full(SAMPLES - begins + before, -mean * scale, np.float32)
    heard[-len(sound) :] = (sound - np.float32(mean)) * np.float32(scale)
    heard = np.pad(heard, (_FRAME // 2 - before, _FRAME // 2), mode="reflect")
    frames = sliding_window_view(heard, _FRAME)[::_HOP][: _FRAMES - silent]
    spectrum = np.fft.rfft(frames * _WINDOW)
    bands = np.empty((len(_BANDS), _FRAMES), np.float32)
    bands[:, silent:] = _BANDS @ (np.square(spectrum.real) + np.square(spectrum.imag)).T
    bands[:, :silent] = (_OF_ONES * (mean * scale) ** 2)[:, np.newaxis]
    decades = np.log10(np.maximum(bands, _LEAST, out=bands), out=bands)
    made: Array = (np.maximum(decades, decades.max() - _DECADES) + np.float32(4)) / np.float32(4)
    return made
