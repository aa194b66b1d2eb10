"""The measurement of listening: who says what, what an answer is taken for, what its lines carry, and its table."""

import asyncio
from collections import Counter
from typing import Final

import numpy as np
import pytest
from exotel_phone.talk.call import Call, End, Said
from exotel_phone.talk.playback import Piece, Utterance
from exotel_phone.talk.script import Turn
from exotel_phone.wire import Ids
from exotel_ws.ai.scripted import flow

from benchmarks.ai.listening import callers, line, speech, table
from benchmarks.ai.listening.calls import Plan
from benchmarks.ai.listening.counts import Count, Counts, judged
from benchmarks.ai.listening.judge import FALLBACK, NOTHING, OTHER, Texts
from benchmarks.ai.listening.table import Found
from benchmarks.ai.listening.times import Times
from benchmarks.ai.listening.voices import INDIAN, VOICES
from benchmarks.ai.server import Told
from tests.speech.sounds import level, samples

RATE: Final = speech.RATE
FLOW: Final = flow.parse("""
greeting: Hello.
fallback: [{say: I did not get that.}, {say: "Shall I connect you to an agent?"}]
intents:
  opening_hours: {examples: [hours], say: "We are open from nine to six. Anything else?"}
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
        ("We're open from 9 to 6. Anything else?", {"opening_hours"}),
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


def call(said: list[Said], spoken: list[tuple[float, float, str]], *, by_bot: bool = False) -> Call:
    """Return a call in which the bot was heard from one second to another, with these words."""
    uttered = [
        Utterance(RATE, [Piece(begins, bytearray(round((ends - begins) * RATE) * 2))], text=words)
        for begins, ends, words in spoken
    ]
    end = End(30.0, by_bot, 1000 if by_bot else None, "hang_up" if by_bot else "the caller hung up", 0.0)
    return Call(Ids.new(), RATE, 0.5, 1.0, said, [], uttered, [], [], [], 0, 0.0, (), 0, 3.0, end)


def said(text: str, begins: float, ends: float, *, over_bot: bool = False) -> Said:
    return Said(Turn(say=text), b"", begins, ends, over_bot)


def counted(row: str, one: Call, heard: list[str]) -> Counts:
    plan = Plan(one.said, len(one.said) - 1)
    told = {one.ids.call_sid: Told(heard, "caller")}
    return judged({row: [(plan, one)]}, told, Texts(FLOW))


def test_a_right_answer_is_the_last_that_is_heard_after_the_turn() -> None:
    turn = said(callers.SENTENCES[0][0].text, 2, 4)

    right = counted("clean", call([turn], [(1, 1.5, "Hello."), (4.5, 6, "We are open from nine to six.")]), ["what time"])
    wrong = counted("clean", call([turn], [(4.5, 6, "I did not get that.")]), ["what dime"])

    assert [(one.clean.hits, one.clean.of) for one in (right, wrong)] == [(1, 1), (0, 1)]
    assert "what dime" in wrong.clean.notes[0]
    assert right.late_ms == 3.0


def test_a_remark_ends_the_call_whether_the_bot_closes_it_or_says_goodbye() -> None:
    turns = [said("When are you open?", 1, 2), said("Oh, I see.", 8, 9)]
    rest = (2.5, 7, "We are open from nine to six. Anything else?")

    asked = counted("remarks", call(turns, [rest, (9.5, 11, "I did not get that.")]), [])
    parted = counted("remarks", call(turns, [rest, (9.5, 11, "Thank you for calling. Goodbye!")]), [])
    closed = counted("remarks", call(turns, [rest], by_bot=True), [])

    assert [one.ended.hits for one in (asked, parted, closed)] == [0, 1, 1]


def test_an_answer_is_kept_if_the_whole_of_it_is_heard_and_its_hole_is_measured() -> None:
    turns = [said("When are you open?", 1, 2), said("Okay.", 3.5, 4, over_bot=True)]

    kept = counted("listeners", call(turns, [(2.5, 4, "We are open from"), (4.25, 7, "nine to six. Anything else?")]), [])
    thrown = counted("listeners", call(turns, [(2.5, 4, "We are open from"), (4.5, 6, "Thank you for calling, goodbye.")]), [])

    assert (kept.thrown.hits, kept.holes_s) == (0, [0.25])
    assert (thrown.thrown.hits, thrown.holes_s) == (1, [])


def test_halves_are_answered_alone_if_the_bot_speaks_in_between_or_hears_two_turns() -> None:
    turn = said("I want … to know.", 2, 6)

    whole = counted("pause 0.5 s", call([turn], [(6.5, 8, "We are open from nine to six.")]), ["I want to know."])
    spoke = counted("pause 0.5 s", call([turn], [(4, 5, "I did not get that.")]), ["I want"])
    split = counted("pause 0.5 s", call([turn], [(6.5, 8, "I did not get that.")]), ["I want", "to know"])

    assert [one.into["pause 0.5 s"].hits for one in (whole, spoke, split)] == [0, 1, 0]
    assert [one.halves.hits for one in (whole, spoke, split)] == [0, 1, 1]


def test_turns_that_nobody_said_are_the_echos() -> None:
    echoed = counted("echoes", call([said("Where is my order?", 1, 2)], []), ["Where is my order.", "We are open from nine."])

    assert (echoed.own.hits, echoed.own.of, echoed.ends) == (1, 2, ["caller after 28 s"])


def test_a_second_talker_is_answered_if_a_turn_is_not_the_callers() -> None:
    turn = said("When are you open on Saturday?", 1, 3)
    placed = {"second talker": [(Plan([turn]), one := call([turn], [(3.5, 6, "We are open from nine to six.")]))]}
    texts = Texts(FLOW)

    alone = judged(placed, {one.ids.call_sid: Told(["When are you open on Saturday?"])}, texts)
    both = judged(placed, {one.ids.call_sid: Told(["When are you open on Saturday?", "I want an agent."])}, texts)

    assert [found.second.hits for found in (alone, both)] == [1, 0]


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
