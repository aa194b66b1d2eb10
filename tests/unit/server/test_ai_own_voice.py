"""The bot's own voice that comes back: known by its levels and by its words, and told from a caller who says the same."""

from collections.abc import Iterator
from weakref import WeakSet

import numpy as np
import pytest
from exotel_ws.ai.hearing.audio_time import AudioTime
from exotel_ws.ai.hearing.echo import EchoPath, Played
from exotel_ws.ai.hearing.sayings import Sayings
from exotel_ws.ai.hearing.windows import SILENCE_DB, WINDOW_S
from exotel_ws.protocol import SAMPLE_RATES

RATE = 8000
BEGAN = 1000.0
"""Time by some clock at which the bot begins to speak."""
WELCOME = "Hello, and welcome. You can ask for our opening hours, your order, or an agent. How can I help?"


def speech(seconds: float, seed: int, rate: int = RATE) -> bytes:
    """Return noise that is as loud, syllable by syllable, as speech is."""
    rng = np.random.default_rng(seed)
    syllables = np.repeat(rng.choice([0.0, 0.02, 0.1, 0.3], int(seconds / 0.16) + 1), int(rate * 0.16))[: int(seconds * rate)]
    return bytes((rng.normal(0, 0.3, len(syllables)) * syllables * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def levels(pcm: bytes, rate: int = RATE) -> list[float]:
    size = int(rate * WINDOW_S)
    sound = np.frombuffer(pcm, "<i2").astype(float) / 32768
    windows = sound[: len(sound) // size * size].reshape(-1, size)
    return [max(SILENCE_DB, float(10 * np.log10(np.mean(window**2) + 1e-12))) for window in windows]


def played(pcm: bytes, rate: int = RATE) -> Iterator[tuple[float, Played]]:
    """Yield the time of each window from the bot's first word on, when so much of its voice has been sent as a playout sends."""
    made, sent = Played(rate), 0
    for window in range(int(len(pcm) / 2 / rate / WINDOW_S)):
        at = BEGAN + (window + 1) * WINDOW_S
        while sent < len(pcm) and BEGAN + sent / 2 / rate < at + 0.6:
            made.sent(BEGAN + sent / 2 / rate, pcm[sent : sent + 3200])
            sent += 3200
        yield at, made


def judged(pcm: bytes, comes_in: list[float]) -> tuple[EchoPath, list[bool]]:
    """Let ``comes_in``, a level a window, come in while ``pcm`` is played; return for each window whether it is an echo."""
    path, found = EchoPath(Played(RATE)), []
    for (at, made), level in zip(played(pcm), comes_in, strict=False):
        path = path if found else EchoPath(made)
        found.append(path.is_echo(at, level))
    return path, found


def echo(pcm: bytes, loss_db: float, delay_s: float) -> list[float]:
    late = bytes(int(RATE * delay_s) * 2) + pcm
    return [max(SILENCE_DB, level - loss_db) for level in levels(late)]


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_what_is_played_is_known_by_its_time(rate: int) -> None:
    made = Played(rate)
    made.sent(10.0, b"\0\x40" * (rate // 5))

    heard = made.before(10.3, 20)

    assert [round(float(level)) for level in heard] == [-96] * 6 + [-6] * 10 + [-96] * 4
    assert made.sounds(11.3)
    assert not made.sounds(11.5)
    made.cleared(10.1)
    assert [level > -10 for level in made.before(10.3, 20)].count(True) == 5
    assert not made.sounds(11.4)


@pytest.mark.parametrize("loss_db", [20, 30, 40])
@pytest.mark.parametrize("delay_s", [0.15, 0.25, 0.9])
def test_an_echo_is_found_within_two_seconds_and_then_known(loss_db: float, delay_s: float) -> None:
    pcm = speech(6, 1)

    back = echo(pcm, loss_db, delay_s)
    path, found = judged(pcm, back)

    assert path.delay is not None
    assert path.delay * 0.02 == pytest.approx(delay_s, abs=0.05)
    assert path.loss_db == pytest.approx(loss_db, abs=3)
    known = int((2 + delay_s) / WINDOW_S)
    assert all(own for own, level in zip(found[known:], back[known:], strict=False) if level > -80)


@pytest.mark.parametrize("seed", range(2, 22))
def test_a_caller_who_speaks_over_the_bot_is_no_echo(seed: int) -> None:
    path, found = judged(speech(6, 1), levels(speech(6, seed)))

    assert path.delay is None
    assert not any(found)


@pytest.mark.parametrize("loss_db", [0, 6])
def test_a_caller_whose_levels_go_with_the_bots_by_chance_is_not_surely_the_bot(loss_db: float) -> None:
    pcm = speech(6, 1)

    path, _ = judged(pcm, echo(pcm, loss_db, 0.4))

    assert path.likeness > 0.8
    assert path.likeness_of_softer == 0


def test_a_caller_is_heard_over_an_echo() -> None:
    pcm = speech(6, 1)
    over = [max(pair) for pair in zip(echo(pcm, 20, 0.18)[:125], [-96] * 125, strict=True)] + [-14.0] * 60

    _, found = judged(pcm, over)

    assert all(own for own, level in zip(found[80:125], over[80:125], strict=True) if level > -80)
    assert not any(found[125:])


def test_an_echo_is_still_known_as_one_when_its_words_are_recognised() -> None:
    pcm = speech(6, 1)

    path, _ = judged(pcm, [*echo(pcm, 20, 0.18)[:125], *[-96.0] * 60])

    assert path.likeness > 0.8


def test_an_echo_that_is_no_more_is_forgotten_and_the_caller_may_be_as_soft_as_it_was() -> None:
    pcm = speech(14, 1)
    spoken = levels(speech(4, 7))
    soft = [level - 20 for level in spoken]

    path, found = judged(pcm, [*echo(pcm, 20, 0.18)[:125], *[-80.0] * 185, *soft])

    assert path.delay is None
    assert not any(found[310:])


def test_what_comes_back_as_loud_as_it_was_is_not_kept_out_by_its_level() -> None:
    pcm = speech(6, 1)

    assert judged(pcm, echo(pcm, 3, 0.2))[0].delay is None


def sayings(*texts: str, until: float = 10.0) -> Sayings:
    made = Sayings()
    for text in texts:
        made.say(text, until)
    return made


@pytest.mark.parametrize(
    "heard",
    [
        "Hello and welcome. You can ask for our opening hours, your order, or an agent. How can I help?",
        "you can ask for our opening ours your order",
        "Hello, and welcome you can't ask for our opening hours.",
        "or an agent how can I help",
    ],
)
def test_the_bots_words_are_known_though_the_recogniser_mistakes_some(heard: str) -> None:
    assert sayings(WELCOME).without(heard, 8.0, over=True) == ""


@pytest.mark.parametrize(
    "heard", ["Yes, opening hours.", "opening hours", "An agent.", "I want to talk to an agent", "When are you open?", "", "…"]
)
def test_a_caller_who_says_a_word_of_the_bots_is_heard(heard: str) -> None:
    assert sayings(WELCOME).without(heard, 8.0, over=True) == heard


def test_what_the_caller_says_after_the_bots_words_is_theirs() -> None:
    heard = "your order, or an agent. How can I help? Where is my order?"

    assert sayings(WELCOME).without(heard, 8.0, over=True) == "Where is my order?"


def test_out_of_the_bots_hearing_only_whole_sentences_are_its_own() -> None:
    hours = sayings("We are open from nine to six, Monday to Saturday. Is there anything else?")

    assert hours.without("Nine to six, Monday to Saturday?", 12.0, over=False) == "Nine to six, Monday to Saturday?"
    assert hours.without("Is there anything else?", 12.0, over=False) == ""
    assert hours.without("Is there anything else?", 40.0, over=False) == "Is there anything else?"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Would you like to talk to an agent?", "Yes, I would like to talk to an agent."),
        ("Do you want to cancel the order?", "I want to cancel the order."),
        ("4, 8, 2, 1, 5, 6. Is that right?", "4 8 2 7 5 6"),
        ("Your number is 9876543210.", "My number is 9876543211."),
        ("Your number is 98765 43210.", "Your number is 98765 43211."),
    ],
)
def test_who_answers_with_the_words_of_the_question_is_heard(asked: str, answer: str) -> None:
    assert sayings(asked).without(answer, 12.0, over=False) == answer


def test_words_that_come_one_by_one_are_a_sentence() -> None:
    made = sayings(*["Are", "you", "still", "there?", "Please", "say", "something."])

    assert made.without("Are you still here", 12.0, over=False) == ""
    assert made.without("please say something now", 12.0, over=True) == ""


def test_single_words_are_the_bots_only_where_the_sound_says_so() -> None:
    made = sayings(WELCOME)

    assert made.without("Hello and welcome.", 8.0, over=True) == "Hello and welcome."
    assert made.without("Hello and welcome.", 8.0, over=True, sure=True) == ""
    assert made.without("You can help.", 8.0, over=True, sure=True) == ""
    assert made.without("Never mind that", 8.0, over=True, sure=True) == "Never mind that"


def test_the_bot_of_another_leg_of_the_call_is_no_caller_while_it_speaks() -> None:
    call: WeakSet[Played] = WeakSet()
    this, other, stranger = Played(RATE, call), Played(RATE, call), Played(RATE)
    for leg in (other, stranger):
        leg.words.say("We are open from nine to six, Monday to Saturday.", 4.0)
        leg.sent(1.0, b"\0\0" * 3 * RATE)

    def left(text: str, leg: Played) -> str:
        return leg.without_own(text, 4.5, over=False, sure=False, other_leg=leg.other_leg_sounds(4.5))

    assert left("Monday to Saturday.", this) == ""
    assert left("Where is my order?", this) == "Where is my order?"
    assert left("Monday to Saturday.", Played(RATE)) == "Monday to Saturday."
    assert not this.other_leg_sounds(5.5), "what comes much later is a caller's"
    assert not other.other_leg_sounds(4.5), "itself is no other leg"


def test_audio_is_of_the_time_at_which_it_was_due_however_it_comes() -> None:
    now = [50.0]
    time = AudioTime(lambda: now[0])
    begins = [time.before(0.06)]
    for late_s in (0.0, 0.3, 0.0, 2.0, 0.0):
        now[0] = 50.0 + 0.06 * len(begins) + late_s
        begins.append(time.before(0.06))

    assert begins == pytest.approx([49.94 + 0.06 * number for number in range(6)], abs=0.005)
    for _ in range(2000):  # a second was lost
        now[0] = max(now[0], 51.4) + 0.06
        last = time.before(0.06)
    assert last == pytest.approx(now[0] - 0.06, abs=0.01)


def test_endless_texts_are_bounded() -> None:
    made = sayings(*["word " * 5000] * 100)

    assert sum(len(text) for _, text in made._said) <= 500 * 100
    assert made.without("word " * 5000, 8.0, over=True) == "word " * 5000
