"""Read and write WAV files, cut PCM into frames of 20 ms, and generate a signal. PCM16 little-endian, mono."""

import math
import sys
import wave
from array import array
from pathlib import Path

from exotel_phone.exits import UsageFault
from exotel_phone.target import SAMPLE_RATES
from exotel_phone.wire import frame_bytes


def read_wav(file: Path) -> tuple[int, bytes]:
    """Return rate (Hz) and PCM of ``file``. Raises UsageFault, with the command that converts, on any other format."""
    try:
        with wave.open(str(file), "rb") as wav:
            rate, channels, width = wav.getframerate(), wav.getnchannels(), wav.getsampwidth()
            pcm = wav.readframes(wav.getnframes())
    except OSError as error:
        raise UsageFault(f"{file}: {error.strerror}") from None
    except (wave.Error, EOFError) as error:
        raise UsageFault(
            f"{file} is not a PCM WAV file ({str(error) or 'it ends too soon'}); convert it: {_convert(file)}"
        ) from None
    if (channels, width) != (1, 2):
        is_ = f"{channels} channel(s) of {width * 8} bits"
        raise UsageFault(f"{file} has {is_}, a call is mono 16-bit; convert it: {_convert(file, rate)}")
    if rate not in SAMPLE_RATES:
        raise UsageFault(f"{file} is {rate} Hz, Exotel streams at 8000, 16000 or 24000 Hz; convert it: {_convert(file)}")
    if not pcm:
        raise UsageFault(f"{file} holds no audio")
    return rate, pcm


def signal(file: Path | None, rate: int | None, seconds: float) -> tuple[int, list[bytes]]:
    """Return the rate (Hz) and the 20 ms frames of a call: those of ``file``, else of ``seconds`` of a generated signal.

    ``rate`` is the one that was asked for; None takes that of the file, or 8000 Hz. Raises UsageFault if the file has another.
    """
    if file is None:
        rate = rate or SAMPLE_RATES[0]
        return rate, frames(speech_like(seconds, rate), rate)
    has, pcm = read_wav(file)
    if rate not in (None, has):
        raise UsageFault(
            f"{file} is {has} Hz, the call {rate} Hz; call at --rate {has} with sample-rate={has}, "
            f"or convert it: {_convert(file, rate)}"
        )
    return has, frames(pcm, has)


def _convert(file: Path, rate: int | None = None) -> str:
    rate = rate if rate in SAMPLE_RATES else SAMPLE_RATES[0]
    return f"ffmpeg -i {file} -ac 1 -ar {rate} -c:a pcm_s16le {file.stem}-{rate}.wav"


def write_wav(file: Path, rate: int, pcm: bytes) -> None:
    """Write ``pcm`` to ``file``, replacing it. Raises OSError."""
    with file.open("wb") as raw, wave.open(raw, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes(pcm)


def frames(pcm: bytes, rate: int) -> list[bytes]:
    """Return ``pcm`` cut into frames of 20 ms, the last one padded with silence."""
    size = frame_bytes(rate)
    return [pcm[at : at + size].ljust(size, b"\0") for at in range(0, len(pcm), size)]


def speech_like(seconds: float, rate: int) -> bytes:
    """Return a voice-like signal: harmonics of a gliding pitch, three syllables a second. No two of its frames are equal."""
    samples = array("h")
    for index in range(round(seconds * rate)):
        at = index / rate
        pitch = math.tau * (140 * at + 12 * math.sin(at * 2.1))
        syllable = 0.15 + 0.85 * math.sin(math.pi * 3 * at) ** 2
        samples.append(int(7000 * syllable * (math.sin(pitch) + 0.6 * math.sin(3 * pitch) + 0.3 * math.sin(7.3 * pitch))))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
