"""Listening on lines that are not clear, with the real pipeline and the embedded models, in virtual time."""

from pathlib import Path

import numpy as np
import pytest
from exotel_ws.ai.settings import Silence

from tests.speech.sounds import Echo, biased, louder, music, pcm16, song

from .listening import RATE, heard, legs
from .speaker import ESPEAK, spoken

pytestmark = [
    pytest.mark.skipif(not ESPEAK, reason="needs espeak-ng, a voice that is not the bot's: scripts/apt-need espeak-ng"),
    pytest.mark.timeout(180),
]
GREETING_S = 3.5
PATIENT = Silence(after_s=30)


def asked(text: str = "What are your opening hours?") -> bytes:
    return louder(spoken(text, RATE), -6)


@pytest.mark.parametrize("line", ["34 dB softer", "20 dB softer, on an offset"])
def test_a_soft_caller_is_understood(line: str, tmp_path: Path) -> None:
    soft = louder(asked(), -34) if line.startswith("34") else louder(asked(), -20)
    silence = bytes(2 * RATE * 14)
    background = biased(silence, 0.05) if "offset" in line else silence

    call = heard(tmp_path, [(GREETING_S, soft)], seconds=14, background=background, silence=PATIENT)

    assert len(call.turns) == 1, call
    assert any("nine" in said for said in call.said), call


def test_what_the_network_held_back_is_understood_though_it_comes_at_once(tmp_path: Path) -> None:
    question = asked("I would like to know when you are open.")

    call = heard(tmp_path, [(GREETING_S, question)], seconds=15, held=(GREETING_S - 0.2, GREETING_S + 3), silence=PATIENT)

    assert len(call.turns) == 1, call
    assert "when you are open" in call.turns[0].lower()
    assert any("nine" in said for said in call.said), call


@pytest.mark.parametrize(("loss_db", "apart_s"), [(0, 3.1), (20, 2.3), (40, 5.0)])
def test_two_legs_of_one_call_that_hear_each_other_do_not_talk_to_each_other(
    loss_db: float, apart_s: float, tmp_path: Path
) -> None:
    both = legs(tmp_path, seconds=90, loss_db=loss_db, delay_s=0.15, apart_s=apart_s, greeting="Hello, how can I help?")

    assert [leg.outcome for leg in both] == ["silence"] * 2, both
    assert sum(len(leg.turns) for leg in both) <= 2, both
    assert all(len(leg.said) <= 6 and leg.clears <= 6 for leg in both), both


def test_half_a_minute_of_music_after_an_answer_neither_interrupts_nor_is_answered_again_and_again(tmp_path: Path) -> None:
    played = bytes(2 * RATE * 9) + music(30, RATE) + bytes(2 * RATE * 15)

    call = heard(tmp_path, [(GREETING_S, asked()), (42, asked())], seconds=54, background=played, silence=PATIENT)

    assert call.clears <= 3, call
    assert len(call.turns) <= 4, call
    assert sum("nine" in said for said in call.said) == 2, "before and after it"
    assert sum("Sorry" in said for said in call.said) <= 1, call
    assert call.outcome == "caller", "nobody was hung up on"


def test_half_a_minute_of_a_song_is_not_answered_again_and_again(tmp_path: Path) -> None:
    played = bytes(2 * RATE * 9) + song(30, RATE) + bytes(2 * RATE * 15)

    call = heard(tmp_path, [(GREETING_S, asked()), (42, asked())], seconds=54, background=played, silence=PATIENT)

    assert not any("♪" in turn for turn in call.turns), call
    assert len(call.turns) <= 4, call
    assert call.clears <= 5, call
    assert sum("nine" in said for said in call.said) == 2, "before and after it"
    assert sum("Sorry" in said for said in call.said) <= 2, call
    assert call.outcome == "caller", "nobody was hung up on"


@pytest.mark.parametrize("works_s", [0.0, 0.15], ids=["an idle machine", "a busy one"])
def test_a_listeners_words_make_short_holes_however_late_they_are_recognised(works_s: float, tmp_path: Path) -> None:
    said = ["Okay.", "Yeah.", "Uh.", "Right."]
    words = [(4.0 + 3 * number, louder(spoken(word, RATE), -6)) for number, word in enumerate(said)]
    told = "We deliver to every town in the country, and you can send back whatever you do not like. " * 4

    call = heard(tmp_path, words, seconds=20, works_s=works_s, greeting=told, greeting_interruptible=True, silence=PATIENT)

    assert call.said == [told], call
    assert len(call.holes) >= 3, call
    assert max(call.holes) <= 0.4, call


@pytest.mark.parametrize("loss_db", [20, 30, 40])
def test_on_a_line_that_brings_the_bots_voice_back_the_call_ends_by_silence(loss_db: float, tmp_path: Path) -> None:
    hiss = pcm16(np.random.default_rng(1).normal(0, 10 ** (-57 / 20), 60 * RATE))
    line = Echo(RATE, loss_db, 0.3)

    call = heard(tmp_path, [(9, asked())], seconds=60, background=hiss, echo=line)

    assert call.outcome == "silence", call
    assert len(call.turns) <= 5, call
    assert any("nine" in said for said in call.said), call
