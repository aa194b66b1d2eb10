"""Captions in transcripts: what is left of a text."""

import pytest
from exotel_ws.ai.hearing.captions import uncaptioned


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ("♪ You're the one I'm here for ♪ © transcript Emily Beynon", ""),
        ("♪ Be there, all beats", ""),
        ("Mm-hmm, ♪ Be there, all beats ♪", "Mm-hmm,"),
        ("♪ la la ♪ Where is my order? ♪ la la ♪", "Where is my order?"),
        ("[Music]", ""),
        ("[upbeat music] Hello?", "Hello?"),
        ("Where is my order?", "Where is my order?"),
        ("It is [2024] and [", "It is [2024] and ["),
        (" two  blanks ", " two  blanks "),
        ("", ""),
    ],
)
def test_what_is_written_for_music_is_left_out(heard: str, left: str) -> None:
    assert uncaptioned(heard) == left
