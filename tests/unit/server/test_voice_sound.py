"""Audio of a voice service: a header is read and left out, and what is no sound is known before it is played."""

import io
import json
import random
import struct
import wave
from array import array
from collections.abc import Iterator

import pytest
from exotel_phone.audio import speech_like
from exotel_ws.ai.failure.sound import NoSound, Sound
from exotel_ws.encodings import Encoding
from pipecat.frames.frames import TTSAudioRawFrame

RATE = 24000
SPEECH = speech_like(0.5, RATE)
LOUD = array("h", (max(-32768, min(32767, 4 * sample)) for sample in array("h", SPEECH))).tobytes()
HISS = array("h", (int(random.Random(at).gauss(0, 6000)) for at in range(RATE // 2))).tobytes()
JSON = json.dumps({"error": {"message": "quota exceeded – नमस्ते", "type": "invalid_request_error", "code": None}}).encode()
SIZES = [1, 7, 100, 1024, 4096, 1_000_000]


def frames(data: bytes, size: int) -> Iterator[TTSAudioRawFrame]:
    return (TTSAudioRawFrame(data[at : at + size], RATE, 1) for at in range(0, len(data), size))


def played(data: bytes, size: int, sound: Sound | None = None) -> tuple[bytes, set[int]]:
    """Return what is played of ``data``, and its rates."""
    sound = sound or Sound()
    out = [frame for each in frames(data, size) for frame in sound.take(each)] + sound.over()
    return b"".join(frame.audio for frame in out), {frame.sample_rate for frame in out}


def wav(pcm: bytes, rate: int, channels: int = 1, width: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file.getvalue()


def streamed(pcm: bytes, size: int, *chunks: bytes) -> bytes:
    """Return a WAV file with ``size`` told of its data, and other chunks before it."""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVE" + b"".join((form, *chunks)) + b"data" + struct.pack("<I", size) + pcm


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "pcm", [SPEECH, LOUD, HISS, bytes(4000), b"\1\2", b""], ids=["speech", "loud", "hiss", "zeros", "1", "0"]
)
def test_sound_is_played_as_it_is(pcm: bytes, size: int) -> None:
    assert played(pcm, size)[0] == pcm


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "data",
    [
        wav(SPEECH, 48000),
        wav(SPEECH, 48000) + b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf59.27.100\0",
        streamed(SPEECH, 0xFFFFFFFF),
        streamed(SPEECH, 0),
        streamed(SPEECH, len(SPEECH), b"LIST\x03\0\0\0abc\0"),
    ],
    ids=["plain", "a tail", "endless", "no size", "other chunks"],
)
def test_a_wav_header_is_read_and_left_out(data: bytes, size: int) -> None:
    assert played(data, size) == (SPEECH, {48000})


def test_each_sentence_may_have_a_header_of_its_own() -> None:
    sound = Sound()
    first = b"".join(f.audio for each in frames(wav(SPEECH, 48000), 4096) for f in sound.take(each))
    sound.next()
    again = [f for each in frames(wav(SPEECH, 16000), 4096) for f in sound.take(each)]
    assert (first, b"".join(f.audio for f in again)) == (SPEECH, SPEECH)
    assert {f.sample_rate for f in again} == {16000}


def test_two_channels_become_one() -> None:
    left_right = array("h", (value for sample in array("h", SPEECH) for value in (sample, sample))).tobytes()
    for size in SIZES[1:]:
        assert played(wav(left_right, 22050, channels=2), size) == (SPEECH, {22050})


def mp3(kbps: int = 9, version: int = 3) -> bytes:
    """Return frames of layer III, filled at random."""
    length = (144 if version == 3 else 72) * (128000 if version == 3 else 80000) // (44100 if version == 3 else 22050)
    head = bytes([0xFF, 0xE2 | version << 3 | 1, kbps << 4, 0xC4])
    return b"".join(head + random.Random(at).randbytes(length - 4) for at in range(20))


NO_SOUND = {
    "json": (JSON, "quota exceeded"),
    "short json": (b'{"ok":false}', '{"ok":false}'),
    "html": (b"<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\r\n" * 40, "502 Bad Gateway"),
    "words": (b"upstream connect error\n", "upstream connect error"),
    "mp3": (mp3(), "MP3"),
    "mp3 of a low rate": (mp3(version=2), "MP3"),
    "mp3 with a title": (b"ID3\4\0\0\0\0\0\x23TSSE" + mp3(), "MP3"),
    "ogg": (b"OggS\0\2" + random.Random(1).randbytes(5000), "Ogg"),
    "unknown": (random.Random(2).randbytes(5000), "noise"),
    "mu-law": (Encoding.MULAW.encode(SPEECH), "µ-law"),
    "a wav of floats": (wav(SPEECH, 48000, width=4), "32 bits"),
    "an avi": (b"RIFF\0\0\0\0AVI LIST" + bytes(2000), "no WAV"),
    "half a header": (wav(SPEECH, 48000)[:40], "without sound"),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("data", "told"), NO_SOUND.values(), ids=NO_SOUND)
def test_what_is_no_sound_is_told_before_any_of_it_is_played(data: bytes, told: str, size: int) -> None:
    out: list[TTSAudioRawFrame] = []

    def play() -> None:
        sound = Sound()
        for each in frames(data, size):
            out.extend(sound.take(each))
        sound.over()

    with pytest.raises(NoSound, match=told):
        play()
    assert out == []


def test_the_next_sentence_is_judged_anew() -> None:
    sound = Sound()
    assert list(map(sound.take, frames(SPEECH, 4096)))
    sound.next()
    with pytest.raises(NoSound):
        list(map(sound.take, frames(JSON * 20, 4096)))
