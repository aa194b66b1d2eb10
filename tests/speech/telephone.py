"""Voices that are not the bot's, as a telephone line leaves them."""

import io
import shutil
import subprocess
import wave
from typing import Any, Final

import numpy as np
import soxr

LINE_RATE: Final = 8000
HEARING_RATE: Final = 16000
VOICES: Final = ("flite rms", "flite kal16", "flite awb", "flite slt", "espeak en-us", "espeak en-gb+f3", "espeak en-us+m3")
MISSING: Final = [name for name, program in (("flite", "flite"), ("espeak-ng", "espeak-ng")) if not shutil.which(program)]
"""Packages that `VOICES` needs; scripts/apt-need installs them."""
_LOUDEST: Final = 0.4
_MU: Final = 255.0

Samples = np.ndarray[Any, Any]


def said(text: str, voice: str) -> bytes:
    """Return ``text`` as the recogniser gets it from a call: PCM16 at `HEARING_RATE`, once over the line."""
    return line(*_spoken(text, voice))


def line(samples: Samples, rate: int) -> bytes:
    """Return sound after 8 kHz, µ-law and back, with a pause before and after."""
    narrow = soxr.resample(samples.astype(np.float32), rate, LINE_RATE)
    narrow = narrow / np.abs(narrow).max() * _LOUDEST
    coded = np.round((np.sign(narrow) * np.log1p(_MU * np.abs(narrow)) / np.log1p(_MU) + 1) / 2 * 255) / 255 * 2 - 1
    heard = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(_MU)) / _MU
    paused = np.concatenate([np.zeros(LINE_RATE * 2 // 5), heard, np.zeros(LINE_RATE // 5)])
    return bytes((soxr.resample(paused, LINE_RATE, HEARING_RATE) * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def _spoken(text: str, voice: str) -> tuple[Samples, int]:
    program, name = voice.split()
    if program == "flite":
        command = ["flite", "-voice", name, "-t", text, "-o", "/dev/stdout"]
    else:
        command = ["espeak-ng", "-v", name, "-s", "150", "--stdout", text]
    made = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    with wave.open(io.BytesIO(made)) as sound:
        return np.frombuffer(made[44 : len(made) // 2 * 2], "<i2").astype(np.float32), sound.getframerate()
