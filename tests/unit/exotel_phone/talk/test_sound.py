"""Voice and silence, and other sample rates."""

import math
from array import array

import pytest
from exotel_phone.talk import sound

from .bot_calls import hush, tone


def test_where_somebody_speaks() -> None:
    assert sound.voiced(hush(0.1) + tone(0.5) + hush(0.3), 8000) == pytest.approx((0.1, 0.6))
    assert sound.voiced(hush(1), 8000) is None
    assert sound.voiced(b"", 8000) is None


def test_a_noisy_recording_has_silence_too() -> None:
    noise = tone(0.2, height=400)
    assert sound.voiced(noise + tone(0.2, height=20_000) + noise, 8000) == pytest.approx((0.2, 0.4))
    assert sound.voiced(noise, 8000) is not None, "alone it is the voice of a soft caller"


def test_trimming() -> None:
    said = tone(0.2)
    assert sound.trimmed(hush(0.1) + said + hush(0.1), 8000) == said
    assert sound.trimmed(hush(0.1) + said + hush(0.1), 8000, 0.04) == hush(0.04) + said + hush(0.04)
    assert sound.trimmed(hush(0.1), 8000) == b""


@pytest.mark.parametrize(("has", "wants"), [(8000, 16000), (22050, 8000), (16000, 8000), (24000, 16000), (8000, 24000)])
def test_a_tone_stays_the_tone_at_another_rate(has: int, wants: int) -> None:
    made = sound.samples(sound.resample(tone(0.3, 1000, has), has, wants))
    wanted = sound.samples(tone(0.3, 1000, wants))
    assert abs(len(made) - len(wanted)) <= 1
    edge = wants // 50
    error = [a - b for a, b in zip(made[edge:-edge], wanted[edge:-edge], strict=False)]
    assert math.sqrt(sum(each * each for each in error) / len(error)) < 80, "1 % of the tone's height"


def test_what_the_lower_rate_cannot_carry_is_gone_and_not_folded_down() -> None:
    made = sound.samples(sound.resample(tone(0.3, 6000, 16000), 16000, 8000))
    assert sound.peak(made[200:-200]) < 80


def test_loud_audio_is_not_wrapped() -> None:
    """Loud audio is not wrapped: a smoothed square wave overshoots, louder than a sample can be."""
    loud = sound.pcm_of(array("h", ([32767] * 8 + [-32768] * 8) * 50))
    made = sound.samples(sound.resample(loud, 8000, 16000))
    assert (max(made), min(made)) == (32767, -32768)
    assert min(made[2:14]) > 0


def test_half_a_sample_is_none() -> None:
    assert list(sound.samples(b"\x01\x00\x02")) == [1]
