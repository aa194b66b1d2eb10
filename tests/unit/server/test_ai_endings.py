"""Silence that ends a turn, by what was said."""

import pytest
from exotel_ws.ai.endings import Endings
from exotel_ws.ai.remarks import Meaning
from exotel_ws.ai.settings import Turns
from exotel_ws.ai.wording import words

RULES = Turns()
ENDINGS = Endings(RULES)


@pytest.mark.parametrize(
    "said",
    ["Okay.", "Yes.", "Yes, please.", "No, thank you.", "Yeah, okay.", "Theek hai.", "ठीक है।", "That's all."],
)
def test_a_short_answer_is_over_at_once_if_it_was_asked_for_whatever_it_sounds_like(said: str) -> None:
    assert ENDINGS.silence_s(said, None, asked=True) == ENDINGS.silence_s(said, False, asked=True) == RULES.sure_s
    assert ENDINGS.silence_s(said, None) == ENDINGS.silence_s(said, True) == RULES.unsure_s, "more may come"


@pytest.mark.parametrize("said", ["Hello.", "Thank you.", "Great.", "Sorry?", "Hello, sir.", "धन्यवाद।"])
def test_more_may_come_after_a_courtesy_whatever_was_asked(said: str) -> None:
    assert ENDINGS.silence_s(said, True, asked=True) == RULES.unsure_s


@pytest.mark.parametrize(
    ("said", "silence_s"),
    [
        ("When are you open?", RULES.sure_s),
        ("When are you open", RULES.sure_s),
        ("And when are you open?", None),
        ("Hello. When are you open?", None),
        ("Opening hours.", None),
        ("My order.", RULES.open_s),
        ("Can I ask you something?", RULES.open_s),
    ],
)
def test_a_question_that_is_expected_word_for_word_is_over_however_it_sounds(said: str, silence_s: float | None) -> None:
    expecting = Endings(
        RULES, expected=frozenset(map(words, ("when are you open", "opening hours", "my order", "can i ask you something")))
    )
    assert expecting.silence_s(said, None) == silence_s


def test_what_would_end_the_call_is_waited_for_though_it_is_expected() -> None:
    expecting = Endings(RULES, expected=[words("connect me to an agent")])
    assert expecting.silence_s("Connect me to an agent.", False, meaning="end") == RULES.unsure_s


@pytest.mark.parametrize("said", ["Two.", "12"])
def test_a_number_is_over_at_once(said: str) -> None:
    assert ENDINGS.silence_s(said, None) == ENDINGS.silence_s(said, False) == RULES.sure_s


@pytest.mark.parametrize(
    "said",
    [
        "My order.",
        "Sir, the delivery man.",
        "The thing that I bought.",
        "The lamp I bought yesterday.",
        "The parcel my wife sent.",
        "When I opened the box.",
        "If I come in the evening.",
        "On Monday.",
        "What I would like from you.",
        "I would like to know.",
        "Well, I'm calling because",
        "My order number is.",
        "Can you tell me?",
        "Could you please check?",
        "What is the status?",
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
def test_what_is_no_sentence_yet_is_waited_for_whatever_it_sounds_like(said: str) -> None:
    assert ENDINGS.silence_s(said, None) == ENDINGS.silence_s(said, True) == RULES.open_s


@pytest.mark.parametrize(
    "said",
    [
        "I ordered a lamp last week.",
        "My wife bought it from you.",
        "My card was swallowed.",
        "There is a problem.",
        "My name is Ramesh.",
        "I am waiting since morning.",
        "I'm calling about my parcel.",
    ],
)
def test_after_the_beginning_of_a_story_its_point_is_waited_for(said: str) -> None:
    assert ENDINGS.silence_s(said, None) == ENDINGS.silence_s(said, True) == RULES.unsure_s


@pytest.mark.parametrize(
    "said",
    [
        "Where is my order?",
        "How late are you open?",
        "Until when are you open?",
        "If I come at five, will you be open?",
        "On Monday, are you open?",
        "Do you work on Saturdays?",
        "Track my order.",
        "Shop timings, please.",
        "The opening hours, please.",
        "Any news of my parcel?",
        "When you people are open?",
        "Why my order is not coming.",
        "I ordered a lamp and it has not come.",
        "My parcel has not arrived.",
        "The delivery boy didn't come.",
        "My order is late.",
        "Hello. When do you close?",
        "Mera order kahan hai?",
        "दुकान कब खुलती है?",
        "Mera parcel nahi aaya.",
        "मेरा ऑर्डर नहीं आया।",
        "Can you tell me where my order is?",
        "I'd like to know when you are open.",
        "I want to know what your hours are.",
        "I want to know. When are you open?",
        "Can you repeat that?",
    ],
)
def test_a_whole_question_request_or_complaint_that_sounds_finished_is_over_at_once(said: str) -> None:
    assert ENDINGS.silence_s(said, None) is None, "the turn model is asked"
    assert ENDINGS.silence_s(said, True) == RULES.sure_s
    assert ENDINGS.silence_s(said, False) == RULES.likely_s


@pytest.mark.parametrize(
    "said",
    [
        "I want to return a shirt.",
        "My order is here.",
        "It's here.",
        "Opening hours.",
        "Are you open?",
        "My order?",
        "I'm waiting for my parcel.",
    ],
)
def test_more_may_follow_a_statement_though_it_sounds_finished(said: str) -> None:
    assert ENDINGS.silence_s(said, True) == RULES.likely_s
    assert ENDINGS.silence_s(said, False) == RULES.unsure_s


@pytest.mark.parametrize("said", ["I think so.", "I don't know.", "Yes, it is."])
def test_what_only_ends_in_such_a_word_is_not_open(said: str) -> None:
    assert ENDINGS.silence_s(said, True) == RULES.likely_s


@pytest.mark.parametrize(
    ("said", "meaning", "silence_s"),
    [
        ("Where is my odour?", "nothing", RULES.likely_s),
        ("Where is it?", "nothing", RULES.open_s),
        ("I bought a phone.", "nothing", RULES.open_s),
        ("Where is my order?", "end", RULES.unsure_s),
        ("I bought a phone.", "end", RULES.unsure_s),
        ("My order", "end", RULES.open_s),
        ("Okay.", "nothing", RULES.sure_s),
        ("No.", "end", RULES.unsure_s),
    ],
)
def test_what_a_flow_makes_of_it_lengthens_the_wait(said: str, meaning: Meaning, silence_s: float) -> None:
    assert ENDINGS.silence_s(said, True, asked=True, meaning=meaning) == silence_s


def test_of_a_whole_question_that_means_nothing_to_a_flow_more_is_waited_for_if_it_does_not_sound_finished() -> None:
    assert ENDINGS.silence_s("Where is my odour?", False, meaning="nothing") == RULES.unsure_s
    assert ENDINGS.silence_s("Can you tell me?", True, meaning="nothing") == RULES.open_s


@pytest.mark.parametrize(
    ("said", "finished", "silence_s"),
    [
        ("In welcher Straße ist der Laden?", True, RULES.sure_s),
        ("In welcher Straße ist der Laden?", False, RULES.likely_s),
        ("A mi pedido le falta algo.", True, RULES.sure_s),
        ("A mi pedido le falta algo.", False, RULES.unsure_s),
    ],
)
def test_in_other_languages_the_turn_model_decides(said: str, finished: bool, silence_s: float) -> None:
    assert Endings(RULES, "de").silence_s(said, None) is None
    assert Endings(RULES, "es-MX").silence_s(said, finished) == silence_s


@pytest.mark.parametrize("said", ["Four five six.", "It is 4 5", "My number is nine eight", "one two"])
def test_numbers_are_read_in_groups_that_sound_finished(said: str) -> None:
    assert ENDINGS.silence_s(said, True) == RULES.unsure_s


def test_nothing_said_is_not_open() -> None:
    assert ENDINGS.silence_s("", None) is None
    assert ENDINGS.silence_s("...", False) == RULES.unsure_s


def test_the_lists_are_settings() -> None:
    mine = Endings(Turns(short_answers=["jawohl"], courtesies=["danke"], open_endings=["und"], whole_sentences=["ja und"]), "de")
    assert mine.silence_s("Jawohl!", None, asked=True) == RULES.sure_s
    assert mine.silence_s("Danke!", None) == RULES.unsure_s
    assert mine.silence_s("Ich will und", None) == RULES.open_s
    assert mine.silence_s("Ja und", True) == RULES.sure_s
    assert mine.silence_s("I want to", True) == RULES.sure_s
