"""Phrases are found however they are written, and nothing else is."""

import pytest
from exotel_ws.ai.settings import BargeIn
from exotel_ws.ai.wording import Phrases, words

NODS = Phrases([*BargeIn().backchannels, "mm-hmm", "I see", "हाँ", "ठीक है", "c'est ça"])


@pytest.mark.parametrize(
    "heard",
    [
        "Uh-huh.",
        "uhhuh",
        "Uh huh, uh huh!",
        "Mmm-hmm.",
        "MHM",
        "Hmmmm...",
        "Han!",
        "HAAN",
        "Okay, okay, okay.",
        "Okay, I see.",
        "हां",
        "हाँ हाँ",
        "ठीक है।",
        "ठीक\u200d है",
        "C’EST ÇA",
        "c'est c\u0327a",
    ],
)
def test_a_nod_is_known_however_it_is_written(heard: str) -> None:
    assert NODS.make_up(words(heard))


@pytest.mark.parametrize("heard", ["", "?!", "I", "see", "okay but", "I see my order", "no", "हाथ", "ठीक", "है", "ही", "c est"])
def test_what_says_more_or_else_is_none(heard: str) -> None:
    assert not NODS.make_up(words(heard))


def test_marks_belong_to_their_letters() -> None:
    assert words("मत करो, को-की!") == ("मत", "करो", "को", "की")
    assert not Phrases(["कि"]).make_up(words("की"))


def test_without_phrases_nothing_is_one() -> None:
    assert not Phrases([]).make_up(words("okay"))
    assert not Phrases(["", "..."]).make_up(())
