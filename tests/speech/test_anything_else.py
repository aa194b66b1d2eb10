"""Answers of callers to "is there anything else?", as text: where the shipped flow leads them."""

from collections.abc import Callable
from typing import Final

import pytest
from exotel_ws.ai.embedded.models import Speaker
from exotel_ws.ai.scripted.script import Script

from .test_shop import callers
from .understanding import FINAL, FLOW, PARTING

Lead = Callable[[str, str], str]
LEADS: Final = {
    "part": PARTING,
    "courtesy": {"remark"},
    "more": {"options"},
    "order": {"order_status"},
    "complaint": {"change_order"},
    "agent": {"agent"},
}
"""Intents that are right for each wish of the files."""


@pytest.fixture(scope="module")
def lead() -> Lead:
    """Return a function from an answer and its language to the intent that follows."""
    script = Script(FLOW, Speaker().sounds)
    hours = {"role": "user", "content": "opening hours"}

    def led(text: str, language: str) -> str:
        asked = {"role": "assistant", "content": script.answer([hours], language).say}
        return script.answer([hours, asked, {"role": "user", "content": text}], language, offered=()).intent

    return led


@pytest.mark.parametrize(
    ("name", "language", "least"),
    [
        ("seen", "en", {"part": 28, "courtesy": 13, "more": 21, "agent": 24, "order": 11, "complaint": 12}),
        ("seen", "hi", {"part": 8, "courtesy": 4, "more": 6, "agent": 5, "order": 2, "complaint": 4}),
        ("held_out", "en", {"part": 24, "courtesy": 13, "more": 19, "agent": 21, "order": 13, "complaint": 9}),
        ("held_out", "hi", {"part": 6, "courtesy": 4, "more": 6, "agent": 5, "order": 3, "complaint": 4}),
    ],
)
def test_answers_lead_on(lead: Lead, name: str, language: str, least: dict[str, int]) -> None:
    some = callers(f"anything_else_{name}")[language]

    right = {wish: sum(lead(text, language) in LEADS[wish] for text in some[wish]) for wish in LEADS}

    assert all(right[wish] >= count for wish, count in least.items()), right


@pytest.mark.parametrize("name", ["seen", "held_out"])
def test_neither_a_courtesy_nor_another_question_ends_or_transfers_the_call(lead: Lead, name: str) -> None:
    answers = callers(f"anything_else_{name}")
    ended = [
        text
        for language, wishes in answers.items()
        for wish in ("courtesy", "more", "complaint", "order", "none")
        for text in wishes.get(wish, ())
        if lead(text, language) in FINAL
    ]

    assert set(ended) <= {"No, I have no idea.", "Thank you for nothing.", "That's it? Nothing more?"}


@pytest.mark.parametrize(
    "text",
    [
        "No, I have more questions.",
        "No, I do have other questions.",
        "No, I have one more question.",
        "No, can you call me?",
        "No, call me back.",
        "No, it is late.",
        "No, you did not answer my question.",
        "Thank you, one more thing.",
        "I just wanted to know the hours.",
        "That is not all I wanted to know.",
        "I have to go now, when do you close?",
        "No problem, thank you.",
        "That's fine.",
        "Fine, thanks.",
        "I see, thank you.",
    ],
)
def test_words_of_a_goodbye_are_none_by_themselves(lead: Lead, text: str) -> None:
    assert lead(text, "en") not in FINAL


@pytest.mark.parametrize("text", ["Not now.", "I don't think so.", "I am good, thank you."])
def test_some_answers_part_only_where_it_was_asked(lead: Lead, text: str) -> None:
    script = Script(FLOW, Speaker().sounds)

    assert script.answer([{"role": "user", "content": text}]).tool == ""
    assert lead(text, "en") in PARTING


@pytest.mark.parametrize("text", ["Thank you, Lord, nothing else.", "My doubt is cleared, thank you, nothing else."])
def test_nothing_else_is_no_order_though_a_word_beside_it_was_misheard(lead: Lead, text: str) -> None:
    assert lead(text, "en") != "order_status"
