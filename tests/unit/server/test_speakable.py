"""Text as the embedded voice gets it, by table."""

from types import SimpleNamespace

import pytest
from exotel_ws.ai.embedded import models
from exotel_ws.ai.embedded.models import Speaker
from exotel_ws.ai.embedded.speakable import MOST, bounded, parts, speakable

READ = {
    # Money
    "₹1": "1 rupee",
    "Rs. 499": "499 rupees",
    "Rs.500/-": "500 rupees",
    "INR 250.": "250 rupees.",
    "Rs 1,499.50": "1,499 rupees and 50 paise",
    "₹10.5": "10 rupees and 50 paise",
    "₹1,23,456.50": "1 lakh 23,456 rupees and 50 paise",
    "₹12,34,56,789": "12 crore 34 lakh 56,789 rupees",
    "₹2 lakh": "2 lakh rupees",
    "₹1.5 crore": "1.5 crore rupees",
    "$1,499.50": "$1,499.50",
    # Numbers
    "10,00,000": "10 lakh",
    "1,000,000": "1,000,000",
    "3.14": "3.14",
    "100%": "100%",
    "in 2024": "in 2024",
    "0": "0",
    "007": "0 0 7",
    "5-6 days": "5-6 days",
    "open 24x7": "open 24 7",
    "24/7": "24 7",
    # Telephones and codes
    "Call 9876543210.": "Call 9 8 7 6 5 4 3 2 1 0.",
    "+91 98765 43210": "plus 9 1, 9 8 7 6 5, 4 3 2 1 0",
    "98765-43210": "9 8 7 6 5, 4 3 2 1 0",
    "1800-123-4567": "1 8 0 0, 1 2 3, 4 5 6 7",
    "10 20 30": "10 20 30",
    "order 12345": "order 1 2 3 4 5",
    "order 1234": "order 1 2 3 4",
    "OTP is 4821": "OTP is 4 8 2 1",
    "account ending in 4321": "account ending in 4 3 2 1",
    "room 404": "room 404",
    "AB12345": "A B 1 2 3 4 5",
    "AB-1234-XY": "A B, 1 2 3 4, X Y",
    "ORDER12345": "ORDER 1 2 3 4 5",
    "3G": "3G",
    "10AM": "10AM",
    # Times and dates
    "at 5:30 pm": "at 5:30 pm",
    "at 09:05": "at 09:05",
    "05/06/2024": "5 June 2024",
    "31.12.2025": "31 December 2025",
    "12/31/2025": "31 December 2025",
    "45/45/2025": "45/45/2025",
    "2024-06-05": "2024-06-05",
    # Addresses
    "help@example.com.": "help at example dot com.",
    "www.example.co.in/track.": "example dot co dot in slash track.",
    "https://exotel.com/": "exotel dot com",
    # Text that can't be said
    "**bold** and `code`": "bold and code",
    "# Title": "Title",
    "[our site](https://example.com)": "our site",
    "[x](/ɛksplˈOd/)": "x",
    "😀 hi!": "hi!",
    "नमस्ते hello": "hello",
    "नमस्ते": "",
    "café": "cafe",
    "It’s “fine” …": 'It\'s "fine"...',
    "…": "",
    "": "",
    "a\x00b\n\nc": "a b c",
}


@pytest.mark.parametrize(("text", "said"), READ.items(), ids=READ)
def test_how_it_is_read(text: str, said: str) -> None:
    assert speakable(text) == said


@pytest.mark.parametrize("text", [said for said in READ.values() if "@" not in said])
def test_what_can_be_said_stays_as_it_is(text: str) -> None:
    assert speakable(text) == text


def test_a_sentence_is_one_piece() -> None:
    assert bounded("We are open, and we stay open.") == ["We are open, and we stay open."]
    assert bounded("...") == []


def test_a_long_one_is_cut_between_its_clauses_else_between_words_else_anywhere() -> None:
    clause = "word " * 40
    by_clause = bounded(f"{clause.strip()}, {clause.strip()}.")
    by_word = bounded(clause * 3)
    anywhere = bounded("x" * 600)

    assert [piece[-1] for piece in by_clause] == [",", "."]
    assert " ".join(by_word) == (clause * 3).strip()
    assert "".join(anywhere) == "x" * 600
    assert max(map(len, by_clause + by_word + anywhere)) <= MOST


def test_a_text_without_end_is_cut_between_words_else_anywhere_before_it_is_read() -> None:
    assert parts(" We are open.\nAnd stay so. ") == ["We are open.\nAnd stay so. "]
    assert parts(" ") == []
    words, letters = parts("word " * 2000), parts("a" * 5001)
    assert " ".join(words).split() == ["word"] * 2000
    assert "".join(letters) == "a" * 5001
    assert max(map(len, words + letters)) <= 2000


def test_a_model_that_never_ends_a_word_does_not_hold_up_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that never ends a word does not hold up the worker, though reading takes the square of a text's length."""
    read: list[int] = []
    monkeypatch.setattr(models, "speakable", lambda text: read.append(len(text)) or text)
    speaker = object.__new__(Speaker)
    speaker._hibari = SimpleNamespace(split_sentences=lambda text: [text])
    pieces = speaker.pieces("a" * 1_000_000)
    assert sum(map(len, pieces)) == sum(read) == 1_000_000
    assert max(read) <= 2000
