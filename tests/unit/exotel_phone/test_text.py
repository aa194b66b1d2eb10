"""Hostile text made harmless; durations as people say them."""

import pytest
from exotel_phone.text import duration, plural, printable


def test_escapes_and_direction_marks_are_spelled_out() -> None:
    shown = printable("a\x1b]0;owned\x07b\rc\n\u202e\x9bz\udcff")
    assert shown == r"a\x1b]0;owned\x07b\rc\n\u202e\x9bz\udcff"
    assert shown.isprintable()


def test_long_text_is_cut() -> None:
    assert printable("x" * 201) == "x" * 199 + "…"
    assert printable("x" * 200) == "x" * 200


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.44, "0.4 s"), (42, "42 s"), (725, "12 min 5 s"), (7260, "2 h 1 min"), (273_600, "3 d 4 h")],
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_plural() -> None:
    assert [plural(1, "frame"), plural(2, "frame"), plural(2, "process", "processes")] == ["1 frame", "2 frames", "2 processes"]
