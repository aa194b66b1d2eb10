"""The measurement of listening: who says what, what an answer is taken for, what its lines carry, and its table."""

import asyncio
from collections import Counter
from typing import Final

import numpy as np
import pytest
from exotel_phone.talk.call import Said
from exotel_phone.talk.script import Turn
from exotel_ws.ai.scripted import flow

from benchmarks.ai.listening import callers, line, speech, table
from benchmarks.ai.listening.counts import Count, Counts
from benchmarks.ai.listening.judge import FALLBACK, NOTHING, OTHER, Texts
from benchmarks.ai.listening.table import Found
from benchmarks.ai.listening.times import Times
from benchmarks.ai.listening.voices import INDIAN, VOICES
from tests.speech.sounds import level, samples

RATE: Final = speech.RATE
FLOW: Final = flow.parse("""
greeting: Hello.
fallback: [{say: I did not get that.}, {say: "Shall I connect you to an agent?"}]
intents:
  hours: {examples: [hours], say: "We are open from nine to six. Anything else?"}
  "no": {examples: ["no"], say: Thank you for calling. Goodbye!, then: hang_up}
  bye: {examples: [bye], say: Thank you for calling. Goodbye!, then: hang_up}
""")
ROUND: Final = Times([400.0, 500.0], 2, [700.0], [200.0], 4.0, 0.08, 1.0, 0.0)


def test_every_voice_says_something_of_most_kinds_and_a_third_is_said_by_indian_voices() -> None:
    said = Counter(voice for _, voice in callers.SENTENCES)

    assert len(callers.SENTENCES) >= 96
    assert len({sentence.text for sentence, _ in callers.SENTENCES}) == len(callers.SENTENCES)
    assert len(VOICES) >= 6
    assert set(said) == set(VOICES)
    assert sum(said[voice] for voice in INDIAN) >= len(callers.SENTENCES) / 3
    assert [len(callers.REMARKERS), len(callers.LISTENERS), len(callers.PAUSING)] == [20, 10, 12]


@pytest.mark.parametrize(
    ("heard", "intents"),
    [
        ("We're open from 9 to 6. Anything else?", {"hours"}),
        ("Thank you for calling, goodbye.", {"no", "bye"}),
        ("I did not get that.", {FALLBACK}),
        ("The river runs through the old town.", {OTHER}),
        ("", {NOTHING}),
    ],
)
def test_an_answer_is_known_by_the_text_of_the_flow_that_it_is_like(heard: str, intents: set[str]) -> None:
    assert Texts(FLOW).answered(heard) == intents


def test_speech_is_as_loud_as_any_other_and_in_the_band_of_a_telephone() -> None:
    at = np.arange(2 * 24000) / 24000
    wide = sum(0.01 * np.sin(2 * np.pi * pitch * at) for pitch in (100, 1000, 3900, 6000))

    heard = speech.narrow(np.asarray(wide), 24000)

    spectrum = np.abs(np.fft.rfft(heard)) / len(heard)
    loud = np.fft.rfftfreq(len(heard), 1 / RATE)[spectrum > spectrum.max() / 100]
    assert level(heard, RATE) == pytest.approx(speech.LEVEL_DB, abs=0.1)
    assert loud.min() == pytest.approx(1000, abs=30)
    assert loud.max() == pytest.approx(1000, abs=30)


def test_a_line_carries_its_noise_and_a_background_beside_silence() -> None:
    quiet, loud = (asyncio.run(_frames(background)) for background in (b"", bytes([0, 16]) * RATE))

    assert level(samples(b"".join(quiet)), RATE) == pytest.approx(speech.LEVEL_DB - line.NOISE_DB, abs=2)
    assert level(samples(b"".join(loud)), RATE) == pytest.approx(-18, abs=1)


async def _frames(background: bytes) -> list[bytes]:
    told = line.Line("ws://127.0.0.1:1/", [Said(Turn(say="(nothing)"), b"")], background=background)
    frames = told._line()
    return [next(frames) for _ in range(100)]


def test_the_table_judges_each_row_by_its_goal_and_shows_the_peer_beside_it() -> None:
    counts = Counts(clean=Count(90, 100), indian=Count(30, 40), thrown=Count(1, 10), holes_s=[0.1, 0.3])
    counts.into = {"pause 0.5 s": Count(2, 12)}

    shown = table.table(Found(counts, [ROUND]), Found(None, [ROUND]))

    assert "| Right answers, clean line | ≥ 85 % | 90 of 100 (90%) | met | – |" in shown
    assert "| … of them by Indian voices | ≥ 85 % | 30 of 40 (75%) | **missed** | – |" in shown
    assert "| … the longest hole it makes | ≤ 0.4 s | 0.30 s | met | – |" in shown
    assert "| Bot speaks into a pause of 0.5 s inside a sentence | ≤ 1 | 2 of 12 | **missed** | – |" in shown
    assert "| CPU of a call of two that talk all the time | ≤ 10 % of a core | 8.0 % of a core | met | 8.0 % of a core |" in shown
    assert "| A second talker 20 dB below: the caller is answered | ≥ 3 of 4 | – |  | – |" in shown


def test_goals_that_are_missed_are_named_and_what_was_not_measured_is_none() -> None:
    counts = Counts(ended=Count(2, 20))

    assert table.missed(Found(counts, [])) == ["A remark or a negated wish ends the call: 2 of 20"]
