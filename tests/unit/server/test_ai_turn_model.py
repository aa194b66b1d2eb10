"""The turn model, which all calls share: it is asked while it answers in time, and gives way to the loop."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from exotel_ws.ai.embedded.backlog import Backlog
from exotel_ws.ai.embedded.models import give_way
from exotel_ws.ai.embedded.services import SharedTurnAnalyzer
from exotel_ws.ai.embedded.turn_features import SAMPLES, features
from pipecat.audio.turn.smart_turn._whisper_features import compute_whisper_log_mel_features

from .ai_call import at_once


class Model:
    """Turn model that takes ``takes_s`` for an answer, by a clock of its own."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.at = 0.0
        self.asked = self.left_out = 0
        self.backlog = Backlog(lambda: self.at)
        self.backlog.on_left_out = self._leave_out
        self.session = SimpleNamespace(run=self._run)
        self.turn_executor: ThreadPoolExecutor

    def _leave_out(self) -> None:
        self.left_out += 1

    def _run(self, _outputs: object, _inputs: object) -> list[list[SimpleNamespace]]:
        self.asked += 1
        self.at += self.takes_s
        return [[SimpleNamespace(item=lambda: 0.9)]]


def judgements(model: Model, pauses: int) -> list[bool]:
    """Return the judgements of so many pauses, one after the other."""

    async def asked() -> list[bool]:
        with ThreadPoolExecutor(1) as model.turn_executor:
            analyzer = SharedTurnAnalyzer(model)  # type: ignore[arg-type]
            analyzer.take(bytes(640))
            return [await analyzer.is_finished() for _ in range(pauses)]

    return at_once(asked)


def test_a_model_that_answers_in_time_is_asked_of_each_pause() -> None:
    model = Model(takes_s=0.05)
    assert judgements(model, 20) == [True] * 20
    assert (model.asked, model.left_out) == (20, 0)


def test_a_model_that_is_too_slow_is_left_in_peace_counted_and_tried_again() -> None:
    model = Model(takes_s=0.6)
    judged = judgements(model, 20)
    assert judged[:2] == [True, False], "a judgement that is not asked for is none: the silence stays the longer one"
    assert model.asked == judged.count(True) > 1, "it may be fast again"
    assert model.left_out == judged.count(False) > 10

    model.takes_s = 0.05
    assert judgements(model, 20).count(True) > 14


def test_one_more_question_is_not_asked_where_those_before_it_take_all_the_time() -> None:
    now = [0.0]
    backlog = Backlog(lambda: now[0])
    with backlog.answer():
        now[0] += 0.15
    with backlog.question():
        assert backlog.in_time()
        with backlog.question():
            assert not backlog.in_time()
    assert backlog.in_time(), "they are answered"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness is of the whole process")
def test_the_thread_of_the_model_gives_way_to_the_loop_and_the_loop_to_nobody() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with ThreadPoolExecutor(1, "turn", give_way) as thread:
        nicer = thread.submit(os.getpriority, os.PRIO_PROCESS, 0).result(5)
    assert nicer == min(19, before + 5)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.mark.parametrize("offset", [0.0, 0.02])
@pytest.mark.parametrize("size", [1, 399, 16_000, 43_210, SAMPLES - 401, SAMPLES - 200, SAMPLES - 199, SAMPLES])
def test_the_features_are_those_of_pipecat_with_silence_before_what_is_short(size: int, offset: float) -> None:
    rng = np.random.default_rng(size)
    sound = (rng.normal(0, 0.1, size) * np.abs(np.sin(np.arange(size) / 3000)) + offset).astype(np.float32)
    expected = compute_whisper_log_mel_features(np.pad(sound, (SAMPLES - size, 0)))
    assert features(sound) == pytest.approx(expected, abs=2e-4)


def test_the_features_of_silence_are_those_of_pipecat() -> None:
    expected = compute_whisper_log_mel_features(np.zeros(SAMPLES, np.float32))
    assert features(np.zeros(8000, np.float32)) == pytest.approx(expected, abs=2e-4)
