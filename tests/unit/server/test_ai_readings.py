"""Readings of one speech: token by token, and as what is expected; and the bounds of what they may cost."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from exotel_ws.ai.embedded.expected import Expected
from exotel_ws.ai.embedded.models import Recogniser
from exotel_ws.ai.embedded.moonshine import Speech, greatest
from exotel_ws.ai.embedded.reading import Reading
from exotel_ws.ai.embedded.tokens import BEGIN, END, Tokens
from exotel_ws.ai.embedded.topic import Topic
from exotel_ws.ai.remarks import Meaning

WORDS = ("are", "you", "open", "or", "here", "Are")
PIECES = list(
    dict.fromkeys([*("<>", "<s>", "</s>"), *"▁Aaehnopruy.", *(f"▁{w[:n]}" for w in WORDS for n in range(1, 1 + len(w)))])
)
TOKENS = Tokens(b"".join(bytes([len(piece.encode())]) + piece.encode() for piece in PIECES))
ARE, YOU, OPEN, OR, HERE = (PIECES.index(f"▁{word}") for word in ("Are", "you", "open", "or", "here"))


class Decoding:
    """Decoder whose next token is likely by ``chances`` of the token before it; all else is not."""

    def __init__(self, chances: dict[int, dict[int, float]], last: Sequence[int] = (BEGIN,)) -> None:
        self._chances = chances
        self.steps: list[int] = []
        self.likely = np.full((len(last), len(TOKENS)), -30, np.float32)
        self.likely[:, END] = -40
        for row, token in enumerate(last):
            for after, chance in chances[token].items():
                self.likely[row, after] = np.log(chance)

    def after(self, tokens: Sequence[int], places: Sequence[int] = (0,)) -> "Decoding":
        assert len(places) == len(tokens)
        made = Decoding(self._chances | {token: {END: 1.0} for token in tokens if token not in self._chances}, tokens)
        made.steps = self.steps
        self.steps.append(len(tokens))
        return made


def speech(chances: dict[int, dict[int, float]], most: int = 9) -> Speech:
    return Speech(Decoding(chances), TOKENS, most)  # type: ignore[arg-type]


HEARD = {
    BEGIN: {ARE: 0.6, OR: 0.4},
    ARE: {HERE: 0.7, YOU: 0.3},
    OR: {HERE: 1.0},
    HERE: {OPEN: 0.9, END: 0.1},
    YOU: {OPEN: 1.0},
    OPEN: {END: 1.0},
}


RIVALS = [PIECES.index(letter) for letter in "ehnr"]
OFTEN_OTHERWISE = HEARD | {ARE: dict.fromkeys(RIVALS, 0.2) | {YOU: 0.1}} | {rival: {OPEN: 1.0} for rival in RIVALS}
"""Four likelier texts are followed at once."""


def test_the_likeliest_text_is_read_token_by_token() -> None:
    read = speech(HEARD).likeliest()
    assert read.text == "Are here open"
    assert read.likelihood == pytest.approx(np.log(0.6 * 0.7 * 0.9))
    assert read.first == pytest.approx(np.log(0.6))


def test_what_is_expected_is_found_though_it_is_less_likely() -> None:
    read = speech(HEARD).search(Expected(["are you open"], TOKENS))
    found = {each.text: each.likelihood for each in read}
    assert found["Are you open"] == pytest.approx(np.log(0.6 * 0.3), abs=1e-5)
    assert found["Are here open"] == pytest.approx(np.log(0.6 * 0.7 * 0.9), abs=1e-5)
    assert "Are you open" not in {each.text for each in speech(OFTEN_OTHERWISE).search(Expected([], TOKENS))}
    assert "Are you open" in {each.text for each in speech(OFTEN_OTHERWISE).search(Expected(["are you open"], TOKENS))}


@pytest.mark.parametrize("length", [1, 8, 64, 200, 600, 4 * 32768])
@pytest.mark.parametrize("values", [3, 1_000_000])
def test_the_greatest_of_many_numbers_are_found_in_their_order(length: int, values: int) -> None:
    numbers = np.random.default_rng(length).integers(0, values, length).astype(np.float32)
    numbers[0] = -np.inf
    assert greatest(numbers, 8) == np.argsort(-numbers, kind="stable")[:8].tolist()


def test_a_model_that_repeats_itself_is_stopped() -> None:
    endless = {BEGIN: {YOU: 1.0}, YOU: {YOU: 1.0}}
    assert speech(endless, 19).likeliest().text.split() == ["you"] * 19
    decoding = Decoding(endless)
    read = Speech(decoding, TOKENS, 19).search(Expected(["you"], TOKENS))  # type: ignore[arg-type]
    assert len(decoding.steps) <= 19
    assert max(decoding.steps) <= 4
    assert max(len(each.text.split()) for each in read) <= 19


def test_words_are_put_together_from_tokens_of_any_length() -> None:
    long = "▁".encode() + b"a" * 297
    packed = b"\0" + bytes([4]) + "▁b".encode() + bytes([300 % 128 + 128, 300 // 128]) + long
    tokens = Tokens(packed)
    assert len(tokens) == 3
    assert tokens.text([1, 2]) == "b " + "a" * 297


def test_a_text_becomes_the_tokens_that_the_model_writes_it_with() -> None:
    assert [PIECES[token] for token in TOKENS.of("are you open.")] == ["▁are", "▁you", "▁open", "."]
    assert [PIECES[token] for token in TOKENS.of("pen ख")] == ["▁", "p", "e", "n", "▁"]


def heard(text: str, likelihood: float) -> Reading:
    return Reading(text, likelihood, -0.1)


MEANINGS: dict[str, Meaning] = {"When are you open?": "something", "Bye.": "end", "Goodbye.": "end"}
FLOW = Topic(Expected([], TOKENS), lambda text: MEANINGS.get(text, "nothing"))
ANY = Topic(Expected([], TOKENS), lambda _text: "something")


class Speaking:
    """Speech of which ``first`` is read, and ``others`` are found by a search."""

    def __init__(self, first: Reading, *others: Reading) -> None:
        self._first, self._others, self.searched = first, list(others), False

    def likeliest(self) -> Reading:
        return self._first

    def search(self, _expected: Expected) -> list[Reading]:
        self.searched = True
        return self._others


def recognised(spoken: Speaking, topic: Topic | None) -> str:
    recogniser = object.__new__(Recogniser)
    model: Any = SimpleNamespace(hear=lambda _samples: spoken)
    recogniser._model, recogniser._any_topic = model, ANY
    return recogniser.recognise(b"\x00\x40" * 16000, topic)


@pytest.mark.parametrize(
    ("likelihood", "text", "taken"),
    [
        (-6.0, "When are you open?", True),
        (-9.0, "When are you open?", False),  # that was not said
        (-3.0, "Goodbye.", True),
        (-3.5, "Goodbye.", False),  # it can't be taken back
        (-3.5, "Winter you hoping?", False),
    ],
)
def test_what_means_something_is_taken_if_it_is_likely_enough(likelihood: float, text: str, taken: bool) -> None:
    spoken = Speaking(heard("Wena you open.", -3.2), heard(text, likelihood))
    assert recognised(spoken, FLOW) == (text if taken else "Wena you open.")


def test_a_doubtful_end_of_the_call_gives_way_to_what_may_have_been_said() -> None:
    assert recognised(Speaking(heard("Bye.", -4.5), heard("When are you open?", -6)), FLOW) == "When are you open?"
    assert recognised(Speaking(heard("Bye.", -4.5), heard("When I hope.", -6)), FLOW) == "Bye."


def test_where_no_flow_answers_the_likeliest_is_taken() -> None:
    spoken = heard("When are you, Owen?", -4.5), heard("When are you open?", -4.4), heard("When? Are you open?", -7.0)
    assert recognised(Speaking(*spoken), None) == "When are you open?"


def test_a_noise_is_no_better_reading() -> None:
    assert recognised(Speaking(heard("Wena you open.", -5), heard("You.", -1)), None) == "Wena you open."


@pytest.mark.parametrize(
    ("first", "topic"),
    [
        (heard("When are you open?", -1), FLOW),
        (heard("Bye.", -1), FLOW),
        (heard("Wena you open.", -1), None),
        (heard("When are you open, and do you have shoes?", -5), None),
        (heard("♪ Winter you hope ♪", -9), FLOW),
        (heard("Hmm.", -9), FLOW),
    ],
)
def test_no_second_reading_is_made_of_what_is_understood_music_or_no_speech(first: Reading, topic: Topic | None) -> None:
    spoken = Speaking(first, heard("Goodbye.", -0.1))
    assert recognised(spoken, topic) == ("" if first.text == "Hmm." else first.text)
    assert not spoken.searched


def test_the_flow_is_asked_no_more_than_the_choice_needs() -> None:
    asked: list[str] = []

    def meaning(text: str) -> Meaning:
        asked.append(text)
        return MEANINGS.get(text, "nothing")

    readings = [heard("Wena you open.", -7), heard("When are you open?", -4), heard("Winter you hope.", -3), heard("Bye.", -8)]
    assert Topic(Expected([], TOKENS), meaning).best(readings) is readings[1]
    assert asked == ["Winter you hope.", "When are you open?"]
