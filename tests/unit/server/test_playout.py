"""The caller hears the right audio from an Exotel that plays in real time, by a clock that the test turns."""

import heapq
from collections.abc import Callable
from itertools import count

import pytest
from exotel_ws.ai.playout import CHUNKS, CLOCK_GRACE_S, EARLY_S, LEAD_S, MARK_GRACE_S, MOST_LEAD_S, STALL_S, Playout
from exotel_ws.encodings import Encoding
from exotel_ws.protocol import SAMPLE_RATES, Writer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .playing import Exotel

EACH_RATE = pytest.mark.parametrize("rate", SAMPLE_RATES)
INSTANT = 1e-6


class Timer:
    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class Clock:
    """Clock of an event loop that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._order = count()
        self._timers: list[tuple[float, int, Timer]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> Timer:
        timer = Timer(lambda: callback(*args))
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def go_on(self, seconds: float) -> None:
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            if timer.call:
                timer.call()
        self.now = until

    @property
    def pending(self) -> int:
        return sum(timer.call is not None for _, _, timer in self._timers)


class EarlyClock(Clock):
    """Clock whose timers go off somewhat early, as those of a loop that counts in milliseconds do."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = 0

    def time(self) -> float:
        self.now += 1e-5  # so that a timer that is set again and again gets there
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> Timer:
        self.timers += 1
        return super().call_at(when - 0.0004, callback, *args)


class LateClock(Clock):
    """Clock whose timers go off ``late_s`` late, as those of a busy loop do."""

    late_s = 0.0

    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> Timer:
        return super().call_at(when + self.late_s, callback, *args)


class Line:
    """Playout with its Exotel."""

    def __init__(self, rate: int, delay_s: float = 0.0, marks: bool = True, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.exotel = Exotel(self.clock, rate, delay_s, marks)
        self.playout = Playout(Writer("s1", sample_rate=rate), self.exotel.take, self.clock, sample_rate=rate)
        self.exotel.on_mark = self.playout.mark
        self.rate = rate
        self.told: dict[str, list[bool]] = {}
        self._samples = count(1)

    def say(self, seconds: float) -> bytes:
        """Say audio of this length in which no two neighbouring samples are alike, and none is silence."""
        pcm = b"".join((next(self._samples) % 30_000 + 1).to_bytes(2, "little") for _ in range(round(seconds * self.rate)))
        self.playout.say(pcm)
        return pcm

    def note(self, name: str) -> None:
        answers = self.told.setdefault(name, [])
        self.playout.note(answers.append)


def without_silence(pcm: bytes) -> list[int]:
    return [sample for sample in memoryview(pcm).cast("h") if sample]


def alike(heard: bytes, said: bytes, stops: int = 0) -> bool:
    """Return whether two sounds are alike but for silence: a stop falls between samples, and one of them may repeat.

    No assertion on the samples: the difference of two long sounds takes a minute to print.
    """
    found, expected = without_silence(heard), without_silence(said)
    once = [sample for at, sample in enumerate(found) if at == 0 or sample != found[at - 1]]
    return once == expected and len(found) <= len(expected) + stops


@EACH_RATE
def test_a_long_utterance_leaves_in_order_in_messages_of_the_documented_size_at_the_pace_of_its_playing(rate: int) -> None:
    line = Line(rate)
    said = line.say(5.05)
    line.playout.flush()
    line.note("end")
    sent_at_once_s = sum(line.exotel.sizes) / (2 * rate)
    assert LEAD_S <= sent_at_once_s <= LEAD_S + CHUNKS[rate] / (2 * rate) + INSTANT
    line.clock.go_on(5.0)
    assert line.told["end"] == []
    line.clock.go_on(0.5)
    assert line.told["end"] == [True]
    assert alike(line.exotel.heard, said)
    assert all(size % 320 == 0 and 3200 <= size <= 100_000 for size in line.exotel.sizes)
    assert line.exotel.most_lead_s <= LEAD_S + CHUNKS[rate] / (2 * rate) + INSTANT
    assert line.clock.pending == 0


@EACH_RATE
def test_a_busy_loop_sends_further_ahead_so_that_it_may_be_later_still(rate: int) -> None:
    clock = LateClock()
    line = Line(rate, marks=False, clock=clock)
    said = line.say(9.0)
    line.playout.flush()
    clock.late_s = 0.3
    line.clock.go_on(2.0)
    clock.late_s = 1.3
    line.clock.go_on(9.0)

    assert alike(line.exotel.heard, said)
    assert line.exotel.holes == 0
    assert line.exotel.most_lead_s <= MOST_LEAD_S + CHUNKS[rate] / (2 * rate) + INSTANT


@EACH_RATE
def test_a_loop_that_is_punctual_again_sends_no_further_ahead_than_before(rate: int) -> None:
    clock = LateClock()
    line = Line(rate, marks=False, clock=clock)
    line.say(20.0)
    clock.late_s = 0.3
    line.clock.go_on(2.0)
    assert line.exotel.most_lead_s > LEAD_S + 1.0
    clock.late_s = 0.0
    line.clock.go_on(16.0)
    line.exotel.most_lead_s = 0.0
    line.clock.go_on(1.0)

    assert 0 < line.exotel.most_lead_s <= LEAD_S + CHUNKS[rate] / (2 * rate) + EARLY_S


@EACH_RATE
def test_who_interrupts_what_was_sent_far_ahead_loses_and_hears_twice_none_of_it(rate: int) -> None:
    clock = LateClock()
    line = Line(rate, clock=clock)
    said = line.say(9.0)
    line.playout.flush()
    line.note("end")
    clock.late_s = 0.3
    line.clock.go_on(3.0)
    assert line.exotel.most_lead_s > LEAD_S + 1.0
    line.playout.pause()
    assert line.exotel.clears == 1
    assert line.exotel.heard == said[: len(line.exotel.heard)]
    assert len(line.exotel.heard) == pytest.approx(3.0 * 2 * rate, abs=4)
    line.clock.go_on(1.0)
    line.playout.resume()
    line.clock.go_on(9.0)

    assert alike(line.exotel.heard, said, stops=1)
    assert line.told["end"] == [True]


@EACH_RATE
def test_a_timer_that_goes_off_early_is_not_set_again(rate: int) -> None:
    clock = EarlyClock()
    line = Line(rate, marks=False, clock=clock)
    line.say(5.05)
    line.playout.flush()

    line.clock.go_on(6.0)

    assert clock.timers <= len(line.exotel.sizes) + 1, "the one more is for what was too short for a message"
    assert line.exotel.most_lead_s <= LEAD_S + CHUNKS[rate] / (2 * rate) + EARLY_S


@EACH_RATE
@pytest.mark.parametrize("size", [2, 318, 320, 3198, 3200, 3202, 3838, 3840, 6401 * 2])
def test_a_tail_is_filled_with_silence_and_never_lost(rate: int, size: int) -> None:
    line = Line(rate)
    pcm = line.say(size / (2 * rate))
    line.playout.flush()
    line.clock.go_on(3)
    assert alike(line.exotel.heard, pcm)
    assert all(size % 320 == 0 and size >= 3200 for size in line.exotel.sizes)
    assert len(line.exotel.heard) - size < 3200


def test_a_tail_whose_service_died_is_heard_all_the_same() -> None:
    line = Line(8000)
    said = line.say(0.31)
    line.note("text")
    line.clock.go_on(STALL_S + 1)
    assert alike(line.exotel.heard, said)
    assert line.told["text"] == [True]


def test_notes_of_single_words_put_no_silence_between_them() -> None:
    line = Line(8000)
    said = b""
    for word in range(20):
        said += line.say(0.13)
        line.note(f"word {word}")
    line.clock.go_on(1.0)
    assert [name for name, answers in line.told.items() if answers] == [f"word {word}" for word in range(6)]
    line.playout.flush()
    line.clock.go_on(4)
    assert line.exotel.heard[: len(said)] == said
    assert line.told == {f"word {word}": [True] for word in range(20)}


def test_an_underrun_starts_the_clock_anew() -> None:
    line = Line(8000)
    line.say(0.4)
    line.playout.flush()
    line.clock.go_on(10)
    begins = []
    line.playout.on_sent = lambda at, _pcm: begins.append(at)
    line.say(0.4)
    line.playout.flush()
    assert begins[0] == line.clock.now
    line.note("end")
    line.clock.go_on(0.39)
    assert line.told["end"] == []
    line.clock.go_on(0.02)
    assert line.told["end"] == [True]


def test_a_mark_that_never_comes_is_waited_for_once_and_then_the_clock_is_believed() -> None:
    line = Line(8000, marks=False)
    for name, grace_s in (("first", MARK_GRACE_S), ("second", CLOCK_GRACE_S)):
        line.say(1.0)
        line.playout.flush()
        line.note(name)
        line.clock.go_on(1.0 + grace_s - 0.01)
        assert line.told[name] == []
        line.clock.go_on(0.02)
        assert line.told[name] == [True]


def test_a_mark_that_comes_after_all_makes_marks_believed_again() -> None:
    line = Line(8000, marks=False)
    line.say(0.2)
    line.note("first")
    line.clock.go_on(5)
    line.playout.mark("heard-1")
    assert line.told["first"] == [True]
    line.say(0.2)
    line.note("second")
    line.clock.go_on(0.2 + MARK_GRACE_S - 0.01)
    assert line.told["second"] == []


def test_a_late_mark_tells_with_it_all_that_was_before_and_nothing_after() -> None:
    line = Line(8000, delay_s=0.2)
    line.say(1.0)
    line.note("first")
    line.say(1.0)
    line.note("second")
    line.clock.go_on(1.3)
    assert (line.told["first"], line.told["second"]) == ([], [])
    line.clock.go_on(0.2)
    assert (line.told["first"], line.told["second"]) == ([True], [])
    line.clock.go_on(1.0)
    assert line.told["second"] == [True]


def test_a_mark_that_comes_before_its_time_by_our_clock_is_believed_but_does_not_hurry_what_is_sent() -> None:
    line = Line(8000, marks=False)
    line.say(0.4)
    line.note("end")
    line.clock.go_on(0.39)
    line.playout.mark("heard-1")
    assert line.told["end"] == [True]
    assert not line.playout.outstanding
    begins: list[float] = []
    line.playout.on_sent = lambda at, _pcm: begins.append(at)
    line.say(0.4)
    assert begins[0] == pytest.approx(line.clock.now + 0.01)


@pytest.mark.parametrize("name", ["", "heard-2", "heard-999", "turn-1", "heard-", "\x00"])
def test_a_mark_of_nothing_that_is_waited_for_is_passed_over(name: str) -> None:
    line = Line(8000)
    line.say(1.0)
    line.note("end")
    line.playout.mark(name)
    assert line.told["end"] == []


def test_a_mark_of_cleared_audio_says_nothing_about_what_was_said_after_it() -> None:
    line = Line(8000, marks=False)
    line.say(1.0)
    line.note("cut")
    line.clock.go_on(0.5)
    line.playout.drop()
    line.say(1.0)
    line.note("answer")
    line.playout.mark("heard-1")
    assert line.told == {"cut": [False], "answer": []}


def test_clear_is_sent_once_for_an_interruption_and_only_while_something_is_outstanding() -> None:
    line = Line(8000)
    assert line.playout.pause() is False
    line.playout.drop()
    assert line.exotel.clears == 0
    line.say(2.0)
    line.clock.go_on(0.5)
    assert line.playout.pause() is True
    assert line.playout.pause() is False
    line.playout.drop()
    line.playout.drop()
    line.playout.close()
    assert line.exotel.clears == 1


def test_what_was_heard_by_the_clock_needs_no_clear_and_counts_as_heard_though_its_mark_is_not_back() -> None:
    line = Line(8000, marks=False)
    line.say(0.4)
    line.note("end")
    line.clock.go_on(0.5)
    assert line.playout.pause() is False
    line.playout.drop()
    assert line.exotel.clears == 0
    assert line.told["end"] == [True]


@EACH_RATE
@pytest.mark.parametrize("at", [0.0, 0.013, 0.2, 0.777, 1.9])
def test_after_a_false_interruption_exactly_what_was_not_heard_is_said(rate: int, at: float) -> None:
    line = Line(rate)
    said = line.say(2.01)
    line.playout.flush()
    line.note("end")
    line.clock.go_on(at)
    line.playout.pause()
    line.clock.go_on(0.8)
    assert line.told["end"] == []
    line.playout.resume()
    line.clock.go_on(3)
    assert alike(line.exotel.heard, said, stops=1)
    assert line.told["end"] == [True]
    assert line.exotel.clears == 1


def test_a_note_within_what_was_too_short_to_send_outlives_a_false_interruption() -> None:
    line = Line(8000)
    line.say(0.31)
    line.note("short")
    line.playout.pause()
    line.playout.resume()
    line.clock.go_on(2)
    assert line.told["short"] == [True]


def test_a_slow_network_takes_no_word_and_says_none_twice() -> None:
    line = Line(8000, delay_s=0.3)
    said = line.say(2.0)
    line.clock.go_on(1.0)
    line.playout.pause()
    line.clock.go_on(1.0)
    line.playout.resume()
    line.clock.go_on(3)
    assert alike(line.exotel.heard, said, stops=1)


def test_what_is_made_while_the_caller_speaks_waits_and_comes_in_its_order() -> None:
    line = Line(8000)
    said = line.say(1.05)
    line.clock.go_on(0.3)
    line.playout.pause()
    said += line.say(0.77)
    line.note("middle")
    said += line.say(0.5)
    line.playout.flush()
    line.note("end")
    line.clock.go_on(2)
    line.playout.resume()
    line.clock.go_on(3)
    assert alike(line.exotel.heard, said, stops=1)
    assert line.told == {"middle": [True], "end": [True]}


def test_a_caller_who_speaks_first_is_not_talked_over() -> None:
    line = Line(8000)
    assert line.playout.pause() is False
    line.say(1.0)
    line.clock.go_on(1)
    assert line.exotel.messages == []
    line.playout.resume()
    assert line.exotel.messages


def test_what_was_cut_is_told_where_it_was_cut() -> None:
    line = Line(8000)
    cut: list[float] = []
    line.playout.on_cleared = cut.append
    line.say(2.0)
    line.clock.go_on(0.7)
    line.playout.drop()
    line.playout.drop()
    assert cut == [line.clock.now]


def test_a_stream_that_is_over_is_sent_nothing_and_leaves_nothing() -> None:
    line = Line(8000)
    line.say(2.0)
    line.note("end")
    line.clock.go_on(0.3)
    before = len(line.exotel.messages)
    line.playout.close()
    line.playout.close()
    line.say(2.0)
    line.note("late")
    line.playout.flush()
    line.playout.resume()
    line.clock.go_on(5)
    assert len(line.exotel.messages) == before
    assert line.told == {"end": [False], "late": [False]}
    assert line.clock.pending == 0
    assert not line.playout.outstanding


def test_who_is_told_may_speak_drop_and_close() -> None:
    line = Line(8000)
    told = []

    def heard(name: str) -> Callable[[bool], None]:
        def tell(was_heard: bool) -> None:
            told.append((name, was_heard))
            line.playout.drop()
            line.say(1.0)
            line.playout.note(lambda again: told.append((f"{name} again", again)))

        return tell

    line.say(0.2)
    line.playout.note(heard("one"))
    line.playout.note(heard("two"))
    line.clock.go_on(0.25)
    assert ("one", True) in told
    line.playout.close()
    assert sorted(name for name, _ in told) == ["one", "one again", "two", "two again"]


@pytest.mark.parametrize("noted", [True, False])
def test_an_hour_of_talk_is_not_kept(noted: bool) -> None:
    line = Line(8000)
    line.exotel.take = lambda _messages, _audio_bytes: None  # type: ignore[method-assign]
    line.playout._send = line.exotel.take
    pcm = b"\1\0" * 8000
    for _ in range(3600):
        line.playout.say(pcm)
        if noted:
            line.playout.note(lambda _heard: None)
        line.clock.go_on(1.0)
    kept = [len(held) for held in vars(line.playout).values() if hasattr(held, "__len__")]
    assert max(kept) < 100
    assert line.clock.pending < 100


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.floats(0.001, 1.5)),
        st.tuples(st.just("go_on"), st.floats(0.0, 2.0)),
        st.sampled_from([("note", 0.0), ("flush", 0.0), ("pause", 0.0), ("resume", 0.0)]),
    ),
    max_size=25,
)
ANY_STEPS = st.lists(st.one_of(STEPS.map(lambda steps: steps[:3]), st.just([("drop", 0.0)])), max_size=12).map(
    lambda lists: [step for steps in lists for step in steps]
)


def play(line: Line, steps: list[tuple[str, float]]) -> bytes:
    said = b""
    for at, (what, seconds) in enumerate(steps):
        if what == "say":
            said += line.say(seconds)
        elif what == "note":
            line.note(f"note {at}")
        elif what == "go_on":
            line.clock.go_on(seconds)
        else:
            getattr(line.playout, what)()
        assert line.exotel.most_lead_s <= LEAD_S + CHUNKS[line.rate] / (2 * line.rate) + INSTANT
    return said


@given(steps=STEPS, rate=st.sampled_from(SAMPLE_RATES))
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
def test_however_often_it_is_stopped_all_is_heard_once_and_each_note_told(steps: list[tuple[str, float]], rate: int) -> None:
    line = Line(rate)
    said = play(line, steps)
    line.playout.flush()
    line.playout.resume()
    line.clock.go_on(len(said) / (2 * rate) + 10)
    assert alike(line.exotel.heard, said, stops=line.exotel.clears)
    assert all(answers == [True] for answers in line.told.values())
    assert all(size % 320 == 0 and 3200 <= size <= 100_000 for size in line.exotel.sizes)
    assert line.clock.pending == 0


@given(steps=ANY_STEPS, rate=st.sampled_from(SAMPLE_RATES), delay_s=st.sampled_from([0.0, 0.05, 0.4, 3.0]), marks=st.booleans())
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_each_note_is_told_once_and_nothing_stays(
    steps: list[tuple[str, float]], rate: int, delay_s: float, marks: bool
) -> None:
    line = Line(rate, delay_s, marks)
    play(line, steps)
    line.clock.go_on(1.0)
    line.playout.close()
    assert all(len(answers) == 1 for answers in line.told.values())
    line.clock.go_on(20)
    assert all(len(answers) == 1 for answers in line.told.values())
    assert line.exotel.clears_of_nothing == 0
    assert line.clock.pending == 0


@pytest.mark.parametrize("encoding", [Encoding.MULAW, Encoding.ALAW])
@EACH_RATE
def test_g711_leaves_in_messages_of_the_same_bytes_and_at_the_same_pace(rate: int, encoding: Encoding) -> None:
    line = Line(rate)
    line.playout.encode(encoding)
    line.exotel.encoding = encoding
    said = encoding.decode(encoding.encode(line.say(3.05)))
    line.note("end")
    line.playout.flush()
    line.clock.go_on(1.0)
    line.playout.pause()
    line.clock.go_on(1.0)
    line.playout.resume()
    line.clock.go_on(4.0)
    assert line.told["end"] == [True]
    assert without_silence(line.exotel.heard)[:100] == without_silence(said)[:100]
    assert len(said) <= len(line.exotel.heard) <= len(said) + 2 * 2 * 3200
    assert all(size % 320 == 0 and 3200 <= size <= 100_000 for size in line.exotel.sizes)
    assert line.exotel.most_lead_s <= LEAD_S + 2 * CHUNKS[rate] / (2 * rate) + INSTANT


@pytest.mark.parametrize("paused", [False, True])
def test_another_encoding_in_mid_sentence_loses_nothing(paused: bool) -> None:
    line = Line(8000)
    said = line.say(3.1)
    line.playout.flush()
    line.note("end")
    line.clock.go_on(0.7)
    if paused:
        line.playout.pause()
    line.playout.encode(Encoding.MULAW)
    line.exotel.encoding = Encoding.MULAW
    line.playout.resume()
    line.clock.go_on(4.0)
    assert line.told["end"] == [True]
    heard, exact = line.exotel.heard, Encoding.MULAW.decode(Encoding.MULAW.encode(said))
    assert heard[: 2 * 4800] == said[: 2 * 4800]
    assert without_silence(heard)[-1000:] == without_silence(exact)[-1000:]
    assert len(said) <= len(heard) <= len(said) + 2 * 3200
    assert all(size % 320 == 0 and 3200 <= size <= 100_000 for size in line.exotel.sizes)
