"""The parts in which an answer reaches the voice."""

import asyncio

import pytest
from exotel_ws.ai.first_clause import FirstClause


async def cut(aggregator: FirstClause, pieces: list[str]) -> list[tuple[int, str]]:
    """Return each part of an answer, and how many of its pieces had come."""
    parts = [(number, part.text) for number, piece in enumerate(pieces, 1) async for part in aggregator.aggregate(piece)]
    rest = await aggregator.flush()
    return parts + ([(len(pieces), rest.text)] if rest else [])


def words(text: str) -> list[str]:
    return [f"{word} " for word in text.split()]


def parts(pieces: list[str]) -> list[tuple[int, str]]:
    return asyncio.run(cut(FirstClause(), pieces))


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("We are open from nine to six, Monday to Saturday, and on holidays.", "We are open from nine to six,", 8),
        ("Your parcel left Pune yesterday and comes tomorrow.", "Your parcel left Pune yesterday", 6),
        ("Yes, of course, I can look that up.", "Yes, of course, I can look that up.", 8),
        ("Your order, which you placed today, is on its way.", "Your order, which you placed today,", 7),
        ("It costs about two thousand, five hundred rupees.", "It costs about two thousand,", 6),
        ("That will cost 12,500 rupees in all.", "That will cost 12,500 rupees in all.", 7),
        ("The parcel is on its way — it comes today.", "The parcel is on its way —", 8),
        ("आपका ऑर्डर आज निकला है और कल आएगा।", "आपका ऑर्डर आज निकला है", 6),
    ],
)
def test_the_first_clause_is_said_while_the_sentence_is_written(text: str, first: str, after: int) -> None:
    made = parts(words(text))
    assert made[0] == (after, first)
    assert " ".join(part for _, part in made).split() == text.split(), "nothing is lost, and nothing said twice"
    assert len(made) <= 2, "the rest of the sentence is one part"


def test_later_sentences_are_whole() -> None:
    made = parts(words("Your parcel is late, I am sorry. It left Pune on Monday, and it comes today. Is that all?"))
    assert [part for _, part in made] == [
        "Your parcel is late,",
        "I am sorry.",
        "It left Pune on Monday, and it comes today.",
        "Is that all?",
    ]


def test_a_short_first_sentence_is_the_first_part() -> None:
    made = parts(words("Sure. Your parcel left Pune on Monday, and it comes today."))
    assert [part for _, part in made] == ["Sure.", "Your parcel left Pune on Monday, and it comes today."]


def test_an_answer_in_one_piece_is_cut_into_sentences_only() -> None:
    text = "We are open from nine to six, Monday to Saturday."
    assert parts([text]) == [(1, text)]


@pytest.mark.parametrize("ends_by", ["its end", "an interruption"])
def test_each_answer_begins_anew(ends_by: str) -> None:
    async def test() -> None:
        aggregator = FirstClause()
        text = "We are open from nine to six, Monday to Saturday."
        if ends_by == "its end":
            await cut(aggregator, words(text))
        else:
            async for _ in aggregator.aggregate("We are open from "):
                pass
            await aggregator.handle_interruption()
        assert (await cut(aggregator, words(text)))[0] == (8, "We are open from nine to six,")
        await cut(aggregator, [text])
        assert await cut(aggregator, [text]) == [(1, text)]

    asyncio.run(test())
