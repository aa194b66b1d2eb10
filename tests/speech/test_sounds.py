"""The builders of sounds make what they say."""

import numpy as np
import pytest

from .sounds import Echo, babble, biased, held_back, level, louder, music, over, pcm16, samples

RATE = 8000


def tone(seconds: float, pitch: float = 300, amplitude: float = 0.2) -> bytes:
    return pcm16(np.sin(2 * np.pi * pitch * np.arange(int(seconds * RATE)) / RATE) * amplitude)


def test_levels_are_those_of_what_sounds() -> None:
    paused = tone(1) + bytes(RATE * 2 * 3)

    assert level(samples(paused), RATE) == pytest.approx(level(samples(tone(1)), RATE), abs=0.1)
    assert level(samples(louder(paused, -34)), RATE) == pytest.approx(level(samples(paused), RATE) - 34, abs=0.3)
    assert np.mean(samples(biased(paused, 0.05))) == pytest.approx(0.05, abs=0.001)


def test_a_voice_stands_above_its_background_by_the_ratio() -> None:
    crowd = babble([tone(1, pitch) + bytes(4000) for pitch in (200, 310, 450, 520, 610, 730)], 6, RATE)

    mixed = samples(over(crowd, tone(1), 10, RATE, begins_s=4))

    assert level(mixed[4 * RATE : 5 * RATE], RATE) - level(mixed[: 4 * RATE], RATE) == pytest.approx(10, abs=1.5)


def test_an_echo_is_later_and_softer_and_ends_with_a_clear() -> None:
    echo = Echo(RATE, 20, 0.18)
    echo.play(5.0, tone(1))
    echo.clear(5.5)

    heard = samples(b"".join(echo.back(5.0 + piece * 0.02, 0.02) for piece in range(50)))

    sounding = np.flatnonzero(np.abs(heard) > 0.001)
    assert sounding[0] / RATE == pytest.approx(0.18, abs=0.002)
    assert sounding[-1] / RATE == pytest.approx(0.68, abs=0.002)
    assert level(heard, RATE) == pytest.approx(level(samples(tone(1)), RATE) - 20, abs=0.5)


def test_what_a_network_held_back_comes_at_once() -> None:
    assert [at for at, _ in held_back([b"\0\0"] * 4, 0.05)] == pytest.approx([0.05, 0.05, 0.06, 0.08])


def test_music_sounds_all_the_time() -> None:
    pieces = samples(music(4, RATE)).reshape(-1, RATE // 2)

    assert min(level(piece, RATE) for piece in pieces) > -40
