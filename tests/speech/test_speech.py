"""Sentences of callers, through the shipped recogniser, lead to their intents; noise leads nowhere."""

import numpy as np
import pytest
from exotel_ws.ai.embedded.models import Recogniser, Speaker

from . import sentences
from .telephone import LINE_RATE, MISSING, Samples, line, said
from .understanding import counted, understanding

VOICE = "flite rms"
"""Clearest voice of docs/flows.md, which has the figures of all: with the others less is understood."""
NEEDS_VOICES = pytest.mark.skipif(bool(MISSING), reason=f"no voices to call with: scripts/apt-need {' '.join(MISSING)}")


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@NEEDS_VOICES
def test_callers_are_understood_and_never_cut_off_by_mistake() -> None:
    some_seen = {name: some[::8] for name, some in sentences.SEEN.items()}
    both = {name: sentences.HELD_OUT[name] + some_seen[name] for name in some_seen}

    meant, unrelated = counted(understanding(), both, sentences.UNRELATED_HELD_OUT, VOICE)

    assert meant.total() >= 70
    assert meant["right"] >= 0.95 * meant.total(), meant
    assert not meant["wrong"] + meant["wrong and final"], meant
    assert unrelated["right"] == unrelated.total() == 20, unrelated


def _sounds(seconds: float, rng: np.random.Generator) -> list[Samples]:
    """Return hiss, a beep, a knock and a hum."""
    time = np.arange(int(seconds * LINE_RATE)) / LINE_RATE
    return [
        rng.normal(0, 1, len(time)),
        np.sin(2 * np.pi * 1000 * time),
        np.sin(2 * np.pi * 180 * time) * np.exp(-40 * time),
        np.hanning(len(time)) * np.sum([np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 9)], axis=0),
    ]


def _noises() -> list[bytes]:
    rng = np.random.default_rng(1)
    return [line(sound, LINE_RATE) for seconds in (0.1, 0.2, 0.3, 0.5, 0.8, 1.2) for sound in _sounds(seconds, rng)]


def test_noise_has_no_words(recogniser: Recogniser) -> None:
    heard = [recogniser.recognise(noise) for noise in _noises()]

    assert heard == [""] * 24


@pytest.mark.parametrize("pcm", [b"", bytes(2), bytes(640), bytes(64000)])
def test_nothing_has_no_words(recogniser: Recogniser, pcm: bytes) -> None:
    assert recogniser.recognise(pcm) == ""


@NEEDS_VOICES
def test_neither_noise_nor_another_call_makes_the_recogniser_deaf_or_adds_a_word(recogniser: Recogniser) -> None:
    """Neither noise nor another call makes the recogniser deaf or adds a word.

    Both happened: after a row of hums a "No." was lost, and after a sentence that ended at once the next began with "You".
    """
    spoken = {text: said(text, "flite slt") for text in ("No", "Bye")}
    hums = [noise for place, noise in enumerate(_noises()) if place % 4 == 3]
    for _ in range(2):
        for hum in hums:
            recogniser.recognise(hum)
        assert [recogniser.recognise(pcm) for pcm in spoken.values()] == ["No.", "Bye."]


@NEEDS_VOICES
def test_calls_that_speak_at_once_are_heard_as_if_alone(recogniser: Recogniser) -> None:
    from concurrent.futures import ThreadPoolExecutor

    spoken = [said(text, VOICE) for text in ("Where is my order?", "Yes", "When are you open?", "Goodbye")]
    alone = [recogniser.recognise(pcm) for pcm in spoken]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(recogniser.recognise, spoken * 4)) == alone * 4


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("Your order 98213 will arrive tomorrow.", "98213"),
        ("It costs ₹1,23,456.", "23456"),
        ("Please call 98765 43210.", "9876543210"),
    ],
)
def test_the_bot_can_be_understood_by_its_own_recogniser(text: str, digits: str, recogniser: Recogniser) -> None:
    heard = recogniser.recognise(Speaker().speak(text, 16000))

    assert digits in "".join(letter for letter in heard if letter.isdigit()), heard


def test_nothing_to_say_is_silence() -> None:
    speaker = Speaker()

    assert speaker.speak("😀 नमस्ते …") == b""
    assert speaker.speak("") == b""


def test_a_long_text_is_spoken_whole_and_in_pieces() -> None:
    speaker = Speaker()
    text = "Dr. Rao is in. We say " + "one more word and " * 40

    pieces = speaker.pieces(text)

    assert pieces[0] == "Dr. Rao is in."
    assert max(map(len, pieces)) <= 250
    assert " ".join(pieces).split() == text.split()
    assert len(speaker.say(pieces[1])) > 24000 * 2 * 5


def test_a_sentence_said_lately_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    speaker, made = Speaker(), []

    def hibari(piece: str, seed: int) -> Samples:
        made.append(piece)
        return np.full(2400, 0.5 + seed, np.float32)

    monkeypatch.setattr(speaker, "_hibari", hibari)
    assert speaker.say("Hello.") == speaker.say("Hello.")
    assert made == ["Hello."]
    for number in range(100):
        speaker.say(f"Number {number}.")
    speaker.say("Hello.")
    assert made[-1] == "Hello.", "what is kept is bounded"
