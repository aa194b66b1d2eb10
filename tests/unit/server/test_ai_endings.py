"""Silence that ends a turn, by what was said."""

import pytest
from exotel_ws.ai.endings import Endings
from exotel_ws.ai.settings import Turns

RULES = Turns()
ENDINGS = Endings(RULES)


@pytest.mark.parametrize(
    "said",
    ["Okay.", "Yes.", "No.", "Sorry?", "Yeah, okay.", "Theek hai.", "ठीक है।", "Two.", "12", "Thank you, bye."],
)
def test_a_short_answer_is_over_at_once_whatever_it_sounds_like(said: str) -> None:
    assert ENDINGS.silence_s(said, None) == ENDINGS.silence_s(said, False) == RULES.sure_s


@pytest.mark.parametrize(
    "said",
    [
        "I would like to know.",
        "Well, I'm calling because",
        "My order number is.",
        "Can you tell me?",
        "I want to talk to the",
        "Could you",
        "Where is",
        "What I want is",
        "Excuse me.",
        "Hello. Excuse me.",
        "Good morning.",
        "मुझे बताइए कि",
        "Mera order aur",
    ],
)
def test_what_ends_openly_is_waited_for_whatever_it_sounds_like(said: str) -> None:
    assert ENDINGS.silence_s(said, None) == ENDINGS.silence_s(said, True) == RULES.open_s


@pytest.mark.parametrize(
    "said",
    [
        "Can you tell me where my order is?",
        "I want to know what your hours are.",
        "I think so.",
        "I don't know.",
        "Yes, it is.",
        "I want to know. When are you open?",
        "Can you repeat that?",
    ],
)
def test_what_only_ends_in_such_a_word_is_not_open(said: str) -> None:
    assert ENDINGS.silence_s(said, None) is None, "the turn model is asked"
    assert ENDINGS.silence_s(said, True) == RULES.sure_s


@pytest.mark.parametrize(
    ("said", "finished", "silence_s"),
    [
        ("Where is my order?", True, RULES.sure_s),
        ("Where is my order?", False, RULES.question_s),
        ("I am waiting for my parcel.", True, RULES.sure_s),
        ("I am waiting for my parcel.", False, RULES.unsure_s),
    ],
)
def test_the_turn_model_decides_the_rest(said: str, finished: bool, silence_s: float) -> None:
    assert ENDINGS.silence_s(said, None) is None
    assert ENDINGS.silence_s(said, finished) == silence_s


@pytest.mark.parametrize("said", ["Four five six.", "It is 4 5", "My number is nine eight", "one two"])
def test_numbers_are_read_in_groups_that_sound_finished(said: str) -> None:
    assert ENDINGS.silence_s(said, True) == RULES.unsure_s


def test_nothing_said_is_not_open() -> None:
    assert ENDINGS.silence_s("", None) is None
    assert ENDINGS.silence_s("...", False) == RULES.unsure_s


def test_the_lists_are_settings() -> None:
    mine = Endings(Turns(short_answers=["jawohl"], open_endings=["und"], whole_sentences=["ja und"]))
    assert mine.silence_s("Jawohl!", None) == RULES.sure_s
    assert mine.silence_s("Ich will und", None) == RULES.open_s
    assert mine.silence_s("Ja und", True) == RULES.sure_s
    assert mine.silence_s("I want to", True) == RULES.sure_s
