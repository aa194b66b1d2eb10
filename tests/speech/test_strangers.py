"""Sentences as strangers say them, as text: what they mean to the shipped flow, and what must never end a call."""

from collections import Counter
from collections.abc import Callable

import pytest

from . import sentences, strangers
from .understanding import FINAL, NO_ANSWER, judged, read

Read = Callable[[str], str | None]


@pytest.fixture(scope="module")
def understand() -> Read:
    return read()


def judgements(understand: Read, meant: dict[str, list[str]]) -> Counter[str]:
    return Counter(judged(name, understand(text)) for name, some in meant.items() for text in some)


def test_sentences_by_which_nothing_was_chosen_are_understood(understand: Read) -> None:
    held_out = {name: strangers.held_out(some) for name, some in strangers.MEANT.items()}

    told = judgements(understand, held_out)

    assert told.total() >= 60
    assert told["right"] >= 0.9 * told.total(), told
    assert not told["wrong and final"], told


def test_what_was_understood_once_stays_understood(understand: Read) -> None:
    known = [{name: strangers.develop(some) for name, some in strangers.MEANT.items()}, strangers.LATER, sentences.SEEN]

    told = sum((judgements(understand, some) for some in (*known, sentences.HELD_OUT)), Counter[str]())

    assert told.total() >= 350
    assert told["right"] >= 0.98 * told.total(), told
    assert not told["wrong and final"], told


@pytest.mark.parametrize("text", strangers.REMARKS + strangers.NEGATED)
def test_a_remark_ends_nothing_and_neither_does_a_wish_that_is_denied(understand: Read, text: str) -> None:
    assert understand(text) not in FINAL


@pytest.mark.parametrize("text", strangers.UNRELATED + sentences.UNRELATED_SEEN + sentences.UNRELATED_HELD_OUT)
def test_what_has_nothing_to_do_with_the_flow_is_not_taken(understand: Read, text: str) -> None:
    assert understand(text) in (None, *NO_ANSWER)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("No, no, no, I want the opening hours.", "opening_hours"),
        ("No, my order.", "order_status"),
        ("Not my order, the opening hours please.", "opening_hours"),
        ("You are not understanding what I say, please connect to a human.", "agent"),
        ("I had ordered one mixer, it has not come.", "order_status"),
        ("One minute, see, I want to ask when you close.", "opening_hours"),
        ("No, wait.", "wait"),
        ("Please don't hang up.", "wait"),
        ("No agent please.", "options"),
        ("I want to cancel my order.", "change_order"),
        ("It's not about my order.", "something_else"),
        ("I don't want, uh, an agent.", "options"),
        ("When are you open? No, I mean, where is my order?", "order_status"),
        ("Yes, but where is my order?", "order_status"),
        ("No, I want an agent.", "agent"),
        ("I don't want to talk to a machine.", "agent"),
        ("Thanks, that's great, goodbye.", "goodbye"),
        ("By.", "goodbye"),
        ("एजेंट नहीं चाहिए", "options"),
        ("एजेंट से बात करनी है", "agent"),
    ],
)
def test_what_is_denied_corrected_or_said_beside_something_else(understand: Read, text: str, intent: str) -> None:
    assert understand(text) == intent


@pytest.mark.parametrize(
    "text", ["did you hang up?", "Why would you hang up?", "Is that all?", "I know that.", "No way!", "Is it a goodbye?"]
)
def test_a_question_about_an_end_is_no_end(understand: Read, text: str) -> None:
    assert understand(text) not in FINAL
