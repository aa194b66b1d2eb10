"""Exotel's playback of a bot's audio, by a clock that the test turns."""

import pytest
from exotel_phone.talk.playback import Playback, Utterance

from .bot_calls import BEGINS, RATE, hush, played, tone

CHUNK = tone(0.2)
"""3,200 bytes."""


def told(playback: Playback) -> list[tuple[float, float]]:
    """Return the beginning and the end of each utterance."""
    return [(round(one.begins - BEGINS, 3), round(one.ends - BEGINS, 3)) for one in playback.utterances]


@pytest.mark.parametrize(
    ("events", "utterances"),
    [
        pytest.param([(0, CHUNK), (0, CHUNK), (0.1, CHUNK)], [(0, 0.6)], id="what waits is played in turn"),
        pytest.param([(0, CHUNK), (1.1, CHUNK)], [(0, 0.2), (1.1, 1.3)], id="a silence of 0.8 s ends an utterance"),
        pytest.param([(0, CHUNK), (0.9, CHUNK)], [(0, 1.1)], id="a shorter one is a gap in it"),
        pytest.param([(0, CHUNK), (0.1, "part"), (0.3, CHUNK)], [(0, 0.2), (0.3, 0.5)], id="after the caller an answer begins"),
        pytest.param([(0, CHUNK), (0.1, "part"), (0.15, CHUNK)], [(0, 0.4)], id="but not without a silence"),
        pytest.param([(0, CHUNK), (0.1, "clear"), (0.1, CHUNK)], [(0, 0.1), (0.1, 0.3)], id="a clear stops it at once"),
        pytest.param([(0, CHUNK), (0.5, "clear"), (0.6, CHUNK)], [(0, 0.2), (0.6, 0.8)], id="a late clear parts too"),
    ],
)
def test_utterances(events: list[tuple[float, bytes | str]], utterances: list[tuple[float, float]]) -> None:
    assert told(played(*events)) == utterances


def test_a_clear_keeps_what_was_heard_and_what_was_not() -> None:
    playback = played((0, CHUNK), (0, tone(0.2, 600)), (0.25, "clear"))
    (utterance,) = playback.utterances
    assert utterance.pcm == CHUNK + tone(0.2, 600)[:800]
    assert utterance.cut == tone(0.2, 600)[800:]
    assert playback.clears[0].dropped_s == pytest.approx(0.15)
    assert not playback.sounding(BEGINS + 0.25)


def test_a_clear_of_nothing_drops_nothing() -> None:
    playback = played((0, CHUNK), (0.5, "clear"))
    assert [clear.dropped_s for clear in playback.clears] == [0]
    assert playback.utterances[0].cut == b""


def test_marks_are_due_when_all_before_them_was_played() -> None:
    playback = played((0, CHUNK), (0.1, CHUNK))
    assert playback.mark(BEGINS + 0.1) == pytest.approx(BEGINS + 0.4)
    assert playback.mark(BEGINS + 7) == BEGINS + 7
    playback.clear(BEGINS + 0.3)
    assert playback.mark(BEGINS + 0.3) == BEGINS + 0.3


def test_gaps_are_heard_as_silence() -> None:
    (utterance,) = played((0, CHUNK), (0.25, CHUNK)).utterances
    ((at, length_s),) = utterance.gaps
    assert (at - BEGINS, length_s) == (pytest.approx(0.2), pytest.approx(0.05))
    assert utterance.pcm == CHUNK + hush(0.05) + CHUNK


def test_a_voice_begins_with_its_sound() -> None:
    (utterance,) = played((0, hush(0.3) + CHUNK)).utterances
    assert utterance.heard_from == pytest.approx(BEGINS + 0.3)
    silent: Utterance = played((0, hush(0.4))).utterances[0]
    assert silent.heard_from is None


@pytest.mark.parametrize(
    ("size", "rules"),
    [
        (3200, []),
        (3840, []),
        (100_000 // 320 * 320, []),
        (3520 - 2, ["not a multiple of 320"]),
        (640, ["less than 3200"]),
        (100, ["not a multiple of 320", "less than 3200"]),
        (100_160, ["more than 100000"]),
    ],
)
def test_sizes_are_judged(size: int, rules: list[str]) -> None:
    playback = played((0, bytes(size)))
    assert [violation.rule for violation in playback.violations] == rules
    assert playback.sizes == [size]


def test_how_far_ahead_a_bot_sends() -> None:
    assert played((0, CHUNK), (0.1, CHUNK * 3), (0.2, CHUNK)).ahead_s == pytest.approx(0.8)


def test_what_was_not_played_when_the_call_ended() -> None:
    playback = played((0, CHUNK))
    assert playback.end(BEGINS + 0.15) == pytest.approx(0.05)
    assert len(playback.utterances[0].pcm) == round(0.15 * RATE) * 2
    assert playback.end(BEGINS + 0.2) == 0
