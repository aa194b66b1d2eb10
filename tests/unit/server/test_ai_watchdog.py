"""Deadlines by a clock that the test turns; calls of a worker share their experience of services."""

import pytest
from exotel_ws.ai.failure.breaker import Breaker
from exotel_ws.ai.failure.watchdog import Progress, Watchdog
from exotel_ws.ai.settings import Failure

from .test_playout import Clock

SETTINGS = Failure(silence_s=2.2, transcript_s=2.0, first_token_s=1.5, first_audio_s=2.0, stall_s=1.0)


class Told:
    def __init__(self) -> None:
        self.clock = Clock()
        self.began = self.clock.time()
        self.heard_until = 0.0
        self.silences: list[float] = []
        self.late: list[tuple[str, float]] = []
        self.dog = Watchdog(self.clock, SETTINGS, lambda: self.heard_until, self._silence, self._late)

    @property
    def at(self) -> float:
        return round(self.clock.time() - self.began, 3)

    def _silence(self) -> None:
        self.silences.append(self.at)

    def _late(self, stage: str) -> None:
        self.late.append((stage, self.at))

    def tell(self, *events: tuple[str, Progress]) -> None:
        for stage, progress in events:
            self.dog.progress(stage, progress)

    def sound(self, seconds: float) -> None:
        self.heard_until = max(self.heard_until, self.clock.time()) + seconds


@pytest.mark.parametrize(("stage", "limit"), [("stt", 2.0), ("llm", 1.5), ("tts", 2.0)])
def test_a_stage_that_gives_nothing_is_late_once(stage: str, limit: float) -> None:
    told = Told()
    told.tell((stage, Progress.WAITING))
    told.clock.go_on(60)
    assert told.late == [(stage, limit)]


@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
def test_a_stage_that_has_begun_is_late_a_while_after_its_last_piece_and_never_while_something_is_heard(stage: str) -> None:
    told = Told()
    told.tell((stage, Progress.WAITING))
    for _ in range(10):
        told.clock.go_on(0.5)
        told.tell((stage, Progress.FLOWING))
    told.sound(3.0)
    told.clock.go_on(60)
    assert told.late == [(stage, 9.0)]


def test_a_stage_that_is_done_is_never_late() -> None:
    told = Told()
    told.tell(("llm", Progress.WAITING), ("llm", Progress.FLOWING), ("llm", Progress.IDLE))
    told.clock.go_on(60)
    assert not told.late
    assert not told.silences
    assert not told.clock.pending


def test_silence_is_counted_from_the_end_of_the_speech_through_all_the_stages() -> None:
    told = Told()
    told.tell(("stt", Progress.ASKED))
    told.clock.go_on(5)
    told.tell(("stt", Progress.WAITING))
    told.clock.go_on(1)
    told.tell(("stt", Progress.IDLE))
    told.clock.go_on(0.7)
    told.tell(("llm", Progress.WAITING))
    told.clock.go_on(0.49)
    assert not told.silences
    told.clock.go_on(0.02)
    assert told.silences == [7.2]


def test_silence_is_told_again_and_again_and_what_is_heard_puts_it_off() -> None:
    told = Told()
    told.tell(("llm", Progress.WAITING))
    told.clock.go_on(2.3)
    told.sound(1.0)
    told.clock.go_on(6)
    assert told.silences == [2.2, 5.5, 7.7]


@pytest.mark.parametrize("how", ["speaks_again", "nothing_meant", "answered", "closed"])
def test_nobody_who_is_owed_nothing_waits(how: str) -> None:
    told = Told()
    told.tell(("stt", Progress.ASKED), ("stt", Progress.WAITING), ("stt", Progress.IDLE))
    told.clock.go_on(1)
    if how == "speaks_again":
        told.tell(("stt", Progress.ASKED))
    elif how == "nothing_meant":
        told.dog.settled()
    elif how == "answered":
        told.tell(("llm", Progress.WAITING), ("tts", Progress.WAITING), ("llm", Progress.IDLE), ("tts", Progress.IDLE))
    else:
        told.dog.close()
    assert not told.clock.pending
    told.clock.go_on(60)
    assert not told.silences


def test_work_that_is_done_anew_has_all_its_time_again() -> None:
    told = Told()
    told.tell(("llm", Progress.WAITING))
    told.clock.go_on(1.4)
    told.dog.again("llm")
    told.clock.go_on(1.4)
    assert not told.late
    told.clock.go_on(0.2)
    assert told.late == [("llm", 2.9)]


# Experience that calls share


def test_a_service_that_failed_in_several_calls_comes_last_for_a_while() -> None:
    clock = Clock()
    breaker = Breaker(3, 60.0, clock.time)
    for _ in range(2):
        breaker.failed("llm", "a")
    assert breaker.order("llm", ["a", "b"]) == ["a", "b"]
    breaker.failed("llm", "a")
    assert breaker.order("llm", ["a", "b"]) == ["b", "a"]
    assert breaker.order("tts", ["a", "b"]) == ["a", "b"]
    clock.go_on(61)
    assert breaker.order("llm", ["a", "b"]) == ["a", "b"]


def test_one_more_failure_after_that_skips_it_for_longer_and_a_success_forgets_all() -> None:
    clock = Clock()
    breaker = Breaker(3, 60.0, clock.time)
    for _ in range(3):
        breaker.failed("llm", "a")
    skipped = []
    for _ in range(7):
        began = clock.time()
        while breaker.skipped("llm", "a"):
            clock.go_on(1)
        skipped.append(round(clock.time() - began))
        breaker.failed("llm", "a")
    assert skipped == [60, 120, 240, 480, 960, 960, 960]
    breaker.worked("llm", "a")
    assert not breaker.skipped("llm", "a")
    breaker.failed("llm", "a")
    assert not breaker.skipped("llm", "a")


def test_failures_long_ago_do_not_count() -> None:
    clock = Clock()
    breaker = Breaker(3, 60.0, clock.time)
    for _ in range(10):
        breaker.failed("llm", "a")
        clock.go_on(31)
    assert not breaker.skipped("llm", "a")
