"""WAV files in and out: formats that are taken, and advice for those that are refused."""

import wave
from pathlib import Path

import pytest
from exotel_phone import audio
from exotel_phone.exits import UsageFault


def make(file: Path, *, rate: int = 8000, channels: int = 1, width: int = 2, frames: int = 100) -> Path:
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(bytes(frames * channels * width))
    return file


def test_round_trip(tmp_path: Path) -> None:
    pcm = audio.speech_like(0.1, 16000)
    audio.write_wav(tmp_path / "a.wav", 16000, pcm)
    assert audio.read_wav(tmp_path / "a.wav") == (16000, pcm)


@pytest.mark.parametrize(
    ("format_", "says"),
    [
        ({"rate": 44100}, "44100 Hz"),
        ({"channels": 2}, "2 channel"),
        ({"width": 1}, "8 bits"),
        ({"width": 3}, "24 bits"),
    ],
)
def test_other_formats_are_refused_with_the_command_that_converts(tmp_path: Path, format_: dict[str, int], says: str) -> None:
    with pytest.raises(UsageFault, match=says) as fault:
        audio.read_wav(make(tmp_path / "in.wav", **format_))
    assert "ffmpeg -i" in str(fault.value)
    assert "-ac 1 -ar 8000 -c:a pcm_s16le" in str(fault.value)


def test_not_a_wav_missing_and_empty(tmp_path: Path) -> None:
    (tmp_path / "in.mp3").write_bytes(b"ID3 not a wav")
    with pytest.raises(UsageFault, match="not a PCM WAV"):
        audio.read_wav(tmp_path / "in.mp3")
    (tmp_path / "cut.wav").write_bytes(b"RI")
    with pytest.raises(UsageFault, match="ends too soon"):
        audio.read_wav(tmp_path / "cut.wav")
    with pytest.raises(UsageFault, match="No such file"):
        audio.read_wav(tmp_path / "missing.wav")
    with pytest.raises(UsageFault, match="holds no audio"):
        audio.read_wav(make(tmp_path / "empty.wav", frames=0))


def test_a_wav_at_another_rate_than_the_call(tmp_path: Path) -> None:
    file = make(tmp_path / "in.wav", rate=16000)
    with pytest.raises(UsageFault, match="--rate 16000") as fault:
        audio.signal(file, 8000, 1.0)
    assert "-ar 8000" in str(fault.value)


def test_frames_are_padded_with_silence() -> None:
    frames = audio.frames(b"\1" * 330, 8000)
    assert [len(frame) for frame in frames] == [320, 320]
    assert frames[1] == b"\1" * 10 + bytes(310)


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_the_generated_signal_never_repeats_a_frame(rate: int) -> None:
    frames = audio.frames(audio.speech_like(2.0, rate), rate)
    assert len(frames) == 100
    assert len(set(frames)) == 100
