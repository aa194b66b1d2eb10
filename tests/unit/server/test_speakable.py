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
    "₹1.5L": "1.5 lakh rupees",
    "₹1.50 L,": "1.5 lakh rupees,",
    "Rs.12 Cr": "12 crore rupees",
    "₹1.125 Cr": "1.125 crore rupees",
    "₹5k": "5 thousand rupees",
    "₹10 lacs": "10 lakh rupees",
    "₹-500": "minus 500 rupees",
    "-₹1,500.75": "minus 1,500 rupees and 75 paise",
    "Rs −500": "minus 500 rupees",
    "500₹": "500 rupees",
    "It costs 500 Rs.": "It costs 500 rupees.",
    "1.5L INR": "1.5 lakh rupees",
    "Rs500": "500 rupees",
    "₹500, and ₹600.": "500 rupees, and 600 rupees.",
    "₹500-1,000": "500 to 1,000 rupees",
    "₹5–10 lakh": "5 lakh to 10 lakh rupees",
    "₹1L - ₹2L": "1 lakh to 2 lakh rupees",
    "₹99/month": "99 rupees per month",
    "₹500kg": "500 rupees kg",
    "₹0.50": "50 paise",
    "₹500.00": "500 rupees",
    "12 Cr": "12 crore",
    "5k": "5 thousand",
    "10K": "10 thousand",
    "4K TV": "4K TV",
    "5 lacs": "5 lakh",
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
    "-5%": "minus 5%",
    "It is −5°C": "It is minus 5°C",
    "10%-20%": "10% to 20%",
    "12.5%": "12.5%",
    "open 24x7": "open 24 7",
    "24/7": "24 7",
    # Telephones and codes
    "Call 9876543210.": "Call 9 8 7 6 5 4 3 2 1 0.",
    "+91 98765 43210": "plus 9 1, 9 8 7 6 5, 4 3 2 1 0",
    "98765-43210": "9 8 7 6 5, 4 3 2 1 0",
    "1800-123-4567": "1 8 0 0, 1 2 3, 4 5 6 7",
    "10 20 30": "10 20 30",
    "+919876543210": "plus 9 1, 9 8 7 6 5, 4 3 2 1 0",
    "(080) 4112-3456": "0 8 0, 4 1 1 2, 3 4 5 6",
    "+1 (415) 555-1234": "plus 1, 4 1 5, 5 5 5, 1 2 3 4",
    "order 12345": "order 1 2 3 4 5",
    "order 1234": "order 1 2 3 4",
    "OTP is 4821": "OTP is 4 8 2 1",
    "Your OTP is **4821**.": "Your OTP is 4 8 2 1.",
    "OTP: `4821`": "OTP: 4 8 2 1",
    "*4821* is your OTP": "4 8 2 1 is your OTP",
    "4821 is your login code": "4 8 2 1 is your login code",
    "your pin is: 482": "your pin is: 4 8 2",
    "order no. 4821": "order no. 4 8 2 1",
    "order #4821": "order #4 8 2 1",
    "The order is 300 rupees": "The order is 300 rupees",
    "order 10% off": "order 10% off",
    "account ending in 4321": "account ending in 4 3 2 1",
    "room 404": "room 404",
    "AB12345": "A B 1 2 3 4 5",
    "AB-1234-XY": "A B, 1 2 3 4, X Y",
    "**ABC-123**": "A B C, 1 2 3",
    "ab-1234": "A B, 1 2 3 4",
    "mp3": "mp3",
    "route-101": "route-101",
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
    "12/05/24": "12 May 2024",
    "5/6/24": "5 June 2024",
    "12/05/75": "12 May 1975",
    "12-05-24": "12 May 2024",
    "12.05.24": "12 May 2024",
    "2024/05/06": "6 May 2024",
    "12-May-2024": "12 May 2024",
    "12/May/24": "12 May 2024",
    "12th-JAN-2024": "12th January 2024",
    "12 Jan": "12 January",
    "Dec. 25": "December 25",
    "3rd May": "3rd May",
    "I may be 5 minutes late": "I may be 5 minutes late",
    "by 12/05": "by 12 May",
    "5/6": "5/6",
    "version 1.2.24": "version 1.2.24",
    "2024-06-05T10:30:00+05:30": "2024-06-05 10:30",
    "10.30 am": "10:30 am",
    "9am-6pm": "9am to 6pm",
    "9:30 am – 6 pm": "9:30 am to 6 pm",
    "10:00-18:00": "10:00 to 18:00",
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
