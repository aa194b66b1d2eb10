"""The encoding of a caller's audio: what start says, unless the audio shows another. Never noise for speech."""

import itertools
import random
from array import array
from collections.abc import Iterator

import pytest
from exotel_phone.audio import speech_like
from exotel_ws.ai.decoder import Decoder, roughness, smoothest
from exotel_ws.encodings import Encoding
from exotel_ws.protocol import Media

RATE = 8000
MULAW, ALAW, PCM16 = Encoding.MULAW, Encoding.ALAW, Encoding.PCM16
SPEECH = speech_like(2.0, RATE)
RANDOM = random.Random(13).randbytes(2 * len(SPEECH))
LOUDNESS = {"loud": 2.0, "usual": 1.0, "20 dB softer": 0.1, "34 dB softer": 0.02}


def at(gain: float, pcm: bytes = SPEECH, offset: int = 0) -> bytes:
    samples = array("h", pcm)
    return array("h", (max(-32768, min(32767, int(sample * gain) + offset)) for sample in samples)).tobytes()


def messages(data: bytes, size: int, *, step_ms: int | None = 20) -> Iterator[Media]:
    """Yield ``data`` in messages of ``size`` bytes; ``step_ms`` None: without time stamps."""
    for count, begin in enumerate(range(0, len(data), size)):
        yield Media("s", "", data[begin : begin + size], str(count), None if step_ms is None else str(count * step_ms))


class Line:
    def __init__(self, said: str, rate: int = RATE) -> None:
        self.others: list[Encoding] = []
        self.decoder = Decoder(said, rate, self.others.append)

    def heard(self, media: Iterator[Media]) -> bytes:
        return b"".join(map(self.decoder, media))


@pytest.mark.parametrize(("said", "law"), [("audio/x-mulaw", MULAW), ("PCMU", MULAW), ("audio/x-alaw", ALAW)])
@pytest.mark.parametrize("size", [160, 161, 80, 960])
def test_audio_is_decoded_as_start_says(said: str, law: Encoding, size: int) -> None:
    line, data = Line(said), law.encode(SPEECH)
    assert line.heard(messages(data, size, step_ms=size // 8)) == law.decode(data)
    assert line.others == []


@pytest.mark.parametrize("gain", LOUDNESS.values(), ids=LOUDNESS)
@pytest.mark.parametrize("law", [MULAW, ALAW])
@pytest.mark.parametrize("said", ["", "base64"])
def test_half_the_bytes_that_sound_like_speech_are_g711_whatever_start_says(said: str, law: Encoding, gain: float) -> None:
    line, data = Line(said), law.encode(at(gain))
    heard = line.heard(messages(data, 160))
    assert line.others == [law]
    assert heard.endswith(law.decode(data)[len(heard) // 2 :])


def test_they_are_without_time_stamps_if_a_message_has_20_ms() -> None:
    line = Line("base64")
    line.heard(messages(MULAW.encode(SPEECH), 160, step_ms=None))
    assert line.others == [MULAW]
    line = Line("base64")
    line.heard(messages(MULAW.encode(SPEECH), 200, step_ms=None))
    assert line.others == []


@pytest.mark.parametrize("gain", LOUDNESS.values(), ids=LOUDNESS)
@pytest.mark.parametrize("said", ["audio/x-mulaw", "PCMA"])
def test_pcm_stays_pcm_though_start_says_another(said: str, gain: float) -> None:
    line = Line(said)
    assert line.heard(messages(at(gain) * 2, 320)).endswith(at(gain))
    assert line.others == [PCM16]


def test_one_law_is_known_from_the_other() -> None:
    line = Line("mulaw")
    line.heard(messages(ALAW.encode(SPEECH), 160))
    assert line.others == [ALAW]


@pytest.mark.parametrize("said", ["", "base64", "raw/slin"])
@pytest.mark.parametrize("size", [160, 320, 640, 322])
def test_pcm_in_messages_of_any_size_is_pcm(said: str, size: int) -> None:
    line = Line(said)
    assert line.heard(messages(SPEECH, size, step_ms=size // 16)) == SPEECH
    assert line.others == []


@pytest.mark.parametrize(
    "sound", [RANDOM, bytes(40_000), b"\xff" * 40_000, at(1.0, offset=6000)], ids=["noise", "0", "255", "dc"]
)
def test_what_proves_nothing_changes_nothing(sound: bytes) -> None:
    for said, encoding in (("base64", PCM16), ("audio/x-mulaw", MULAW)):
        line = Line(said)
        line.heard(messages(sound, 160 * encoding.sample_bytes))
        assert line.others == []


def test_a_rate_that_is_wrong_by_half_is_not_taken_for_another_encoding() -> None:
    line = Line("base64", 16000)
    line.heard(messages(SPEECH, 320))
    assert line.others == []


def test_silence_at_first_is_waited_out_but_not_for_ever() -> None:
    line = Line("base64")
    silence = b"\xff" * 160
    heard = itertools.chain(itertools.repeat(silence, 1000), (SPEECH[at : at + 320] for at in range(0, len(SPEECH), 320)))
    for count, data in enumerate(heard):
        line.decoder(Media("s", "", data, None, str(count * 20)))
    speech = MULAW.encode(SPEECH)
    line.heard(messages(speech, 160))
    assert line.others == []  # what came after the silence was PCM16, which is settled


def test_what_a_reading_is_told_by() -> None:
    assert smoothest(SPEECH) is PCM16
    assert smoothest(MULAW.encode(SPEECH)) is MULAW
    assert smoothest(ALAW.encode(SPEECH)) is ALAW
    assert smoothest(bytes(4000)) is smoothest(b"\xff" * 4000) is None
    assert roughness(b"") == roughness(b"\1\2") == 0.0
    assert roughness(RANDOM) > 30_000 > 4 * roughness(SPEECH)
