"""The pure parts of a load: schedule, matching of echoes, tallies, percentiles, verdict, report."""

import base64
import dataclasses
import random
import re
import resource
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from exotel_phone.echo_meter import percentile
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.load import chart, file_limit, page
from exotel_phone.load.histogram import ERROR, Histogram
from exotel_phone.load.in_flight import LOST_AFTER_S, InFlight
from exotel_phone.load.plan import Plan, plan, processes_for
from exotel_phone.load.result import Result, as_json, headline, text
from exotel_phone.load.series import Series
from exotel_phone.load.tally import KINDS_KEPT, NOTES_KEPT, Messages, Tally
from exotel_phone.load.verdict import Verdict, judge
from exotel_phone.options import LoadOptions
from exotel_phone.target import parse
from exotel_phone.writable import require_writable

HERE = parse("ws://127.0.0.1:8765?sample-rate=8000")


def asked(*, processes: int = 1, **changes: object) -> Plan:
    options: dict[str, object] = {"url": "", "calls": 10, "ramp": 2.0, "seconds": 10.0, **changes}
    return dataclasses.replace(plan(HERE, LoadOptions(**options), cores=1), processes=processes)  # type: ignore[arg-type]


# The plan.


def test_the_ramp_is_even_and_its_last_call_begins_at_its_end() -> None:
    begins = [asked(calls=5, ramp=2.0).begins(slot) for slot in range(5)]
    assert begins == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert asked(calls=1, ramp=2.0).begins(0) == 0.0


def test_a_held_call_ends_with_the_load() -> None:
    assert asked(seconds=10.0).ends(begun=2.0) == 10.0
    assert asked(seconds=10.0, hold=3.0).ends(begun=2.0) == 5.0
    assert asked(seconds=10.0, hold=3.0).ends(begun=8.0) == 10.0
    assert asked(calls=30, hold=3.0).new_calls_per_s == 10.0


def test_every_call_belongs_to_one_process() -> None:
    shares = [list(asked(calls=10, processes=3).share(process)) for process in range(3)]
    assert sorted(slot for share in shares for slot in share) == list(range(10))
    assert {len(share) for share in shares} == {3, 4}


def test_frames_of_many_calls_are_spread_over_20_ms() -> None:
    """Frames of any number of calls are spread over 20 ms: no 2 ms take more than a fifth of them."""
    it = asked(calls=300)
    for count in (50, 150, 300):
        bins = [0] * 10
        for slot in range(count):
            bins[int(it.phase_s(slot) / 0.002)] += 1
        assert max(bins) <= count / 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"calls": 0}, "--calls 0"),
        ({"calls": 5001}, "--calls 5001: between 1 and 5000"),
        ({"seconds": 3601.0}, "--seconds 3601"),
        ({"ramp": 10.0}, "--ramp 10"),
        ({"ramp": -1.0}, "--ramp -1"),
        ({"hold": 0.0}, "--hold 0"),
        ({"rate": 11025}, "--rate 11025"),
        ({"wav": Path("/nonexistent.wav")}, "nonexistent.wav"),
    ],
)
def test_a_load_without_bounds_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageFault, match=re.escape(said)):
        asked(**changes)


@pytest.mark.parametrize(
    ("calls", "most", "cores", "processes"),
    [(10, None, 8, 1), (301, None, 8, 2), (5000, None, 2, 2), (5000, 4, 2, 4), (10, 4, 2, 1)],
)
def test_processes(calls: int, most: int | None, cores: int, processes: int) -> None:
    assert processes_for(calls, most, cores) == processes


def test_a_hard_limit_of_files_that_is_too_low_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    with pytest.raises(Refusal, match="5064 open files, the limit here is 4096"):
        file_limit.raise_file_limit(5000)


def test_a_soft_limit_of_files_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, to: raised.append(to))
    file_limit.raise_file_limit(900)
    assert raised == []
    file_limit.raise_file_limit(1000)
    assert raised == [(1064, 4096)]


# Echoes.


def base64_of(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


FRAMES = [bytes([number]) * 320 for number in range(10)]


def in_flight(*, at: float = 0.0) -> InFlight:
    """Return ten frames on their way, the first sent at ``at``, 0.1 s apart."""
    it = InFlight()
    for number, frame in enumerate(FRAMES):
        it.sent(base64_of(frame), at + number * 0.1)
    return it


def test_echoes_in_order() -> None:
    it = in_flight()
    for number, frame in enumerate(FRAMES):
        assert it.received(base64_of(frame)) == (number * 0.1,)
    assert (it.lost, len(it)) == (0, 0)


def test_a_frame_that_is_passed_over_is_lost_and_the_next_ones_are_not() -> None:
    it = in_flight()
    for number in (0, 2, 3, 6, 7, 8, 9):
        assert it.received(base64_of(FRAMES[number])) is not None
    assert (it.lost, len(it)) == (3, 0)


@pytest.mark.parametrize(
    "wrong", [base64_of(b"\xff" * 320), base64_of(FRAMES[0] + b"\xff"), "", "not base64!", base64_of(b"\xff")]
)
def test_what_was_not_sent_disturbs_nothing(wrong: str) -> None:
    it = in_flight()
    assert it.received(wrong) is None
    assert all(it.received(base64_of(frame)) is not None for frame in FRAMES)
    assert it.received(base64_of(FRAMES[9])) is None, "a second time"
    assert (it.lost, len(it)) == (0, 0)


@pytest.mark.parametrize("size", [1, 100, 320, 480, 640, 3200])
def test_a_server_may_re_frame(size: int) -> None:
    it = in_flight()
    whole = b"".join(FRAMES)
    times = [at for start in range(0, 3200, size) for at in it.received(base64_of(whole[start : start + size])) or ()]
    assert times == pytest.approx([number * 0.1 for number in range(10)])
    assert (it.lost, len(it)) == (0, 0)


def test_what_does_not_come_is_lost_in_bounded_memory() -> None:
    it = InFlight()
    for number in range(1000):
        it.sent(base64_of(FRAMES[number % 10]), number * 0.02)
    assert len(it) <= LOST_AFTER_S / 0.02 + 1
    assert it.lost == 1000 - len(it)
    it.give_up()
    assert (it.lost, len(it)) == (1000, 0)


# Figures.


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_percentiles_are_within_the_error(spread: float) -> None:
    rng = random.Random(8765)
    values = [rng.lognormvariate(0.0, spread) for _ in range(20_000)]
    halves = Histogram(), Histogram()
    for number, value in enumerate(values):
        halves[number % 2].add(value)
    halves[0].merge(halves[1])
    for percent in (1, 50, 95, 99, 99.9):
        assert halves[0].percentile(percent) == pytest.approx(percentile(values, percent), rel=ERROR * 1.001)
    assert (halves[0].count, halves[0].most, halves[0].least) == (20_000, max(values), min(values))


def test_a_histogram_of_anything_stays_small() -> None:
    it = Histogram()
    rng = random.Random(1)
    for _ in range(100_000):
        it.add(10 ** rng.uniform(-9, 6))
    it.add(0.0)
    assert len(it.buckets) <= 1383
    assert it.percentile(0) == pytest.approx(1e-6, rel=ERROR)


def test_a_histogram_of_one_value_gives_it_exactly() -> None:
    it = Histogram()
    assert it.summary() is None
    it.add(1.2345)
    assert it.summary() == {"p50": 1.2345, "p95": 1.2345, "p99": 1.2345, "max": 1.2345}


def test_a_server_that_invents_kinds_and_faults_fills_no_memory() -> None:
    it = Tally()
    it.of("media").sent = 1
    for number in range(1000):
        it.of(f"kind {number}").unexpected += 1
        it.note(f"fault {number}")
        it.note("fault 0")
    assert len(it.messages) <= KINDS_KEPT + 1
    assert it.unexpected == 1000
    assert len(it.notes) == len(set(it.notes)) == NOTES_KEPT


def test_tallies_add_up() -> None:
    whole = Tally()
    for reason in ("HTTP 503", "HTTP 503", "timeout"):
        part = Tally(placed=2, perfect=1)
        part.refused[reason] += 1
        part.of("media").merge(Messages(sent=10, echoed=8, lost=2))
        whole.merge(part)
    assert (whole.placed, whole.perfect, whole.refused) == (6, 3, {"HTTP 503": 2, "timeout": 1})
    assert whole.messages["media"] == Messages(sent=30, echoed=24, lost=6)


def test_the_series_has_a_row_each_second_from_all_processes() -> None:
    it = Series()
    for second in range(100):
        for process in (0, 1):
            part = Tally()
            part.round_trip.add(1.0 + process)
            it.add(second, process, live=10, tally=part)
    it.add(3, 0, live=99, tally=Tally())  # too late: that second is closed
    rows = it.rows()
    assert [row.second for row in rows] == list(range(100))
    assert {(row.live, row.most, row.connect) for row in rows} == {(20, 2.0, None)}
    assert rows[0].p50 == pytest.approx(1.0, rel=ERROR)


# The verdict.


def perfect() -> Tally:
    it = Tally(placed=2, perfect=2)
    it.of("media").merge(Messages(sent=100, echoed=100))
    for _ in range(100):
        it.round_trip.add(1.0)
        it.late.add(0.5)
    it.connect.add(2.0)
    return it


def test_a_perfect_load() -> None:
    assert judge(perfect()) == Verdict("perfect", [])


def refused() -> Tally:
    it = perfect()
    it.placed += 3
    it.refused.update({"HTTP 503": 2, "timeout": 1})
    return it


def dropped() -> Tally:
    it = perfect()
    it.placed += 1
    it.dropped["closed with 1011"] += 1
    return it


def with_media(**counts: int) -> Tally:
    it = perfect()
    it.of("media").merge(Messages(**counts))
    return it


@pytest.mark.parametrize(
    ("tally", "kind", "cause"),
    [
        (refused(), "refused", "3 calls refused: HTTP 503 (2), timeout (1)"),
        (dropped(), "dropped", "1 call dropped by the server: closed with 1011 (1)"),
        (with_media(sent=10, lost=10), "lost", "10 frames of 110 did not come back"),
        (with_media(unexpected=1), "unexpected", "1 message that nobody asked for"),
        (Tally(placed=1, perfect=1), "nothing", "no frame was sent"),
    ],
)
def test_what_is_wrong_is_a_reason(tally: Tally, kind: str, cause: str) -> None:
    verdict = judge(tally)
    assert verdict.kind == "imperfect"
    assert [reason.kind for reason in verdict.reasons] == [kind]
    assert verdict.reasons[0].cause.startswith(cause)
    assert verdict.reasons[0].next


def test_a_machine_that_is_too_slow_gives_no_verdict_about_the_server() -> None:
    slow = with_media(sent=10, lost=10)
    slow.late.add(400.0)
    assert judge(slow).kind == "imperfect", "one frame in 110 is no pattern"
    for _ in range(5):
        slow.late.add(400.0)
    verdict = judge(slow)
    assert verdict.kind == "unfit"
    assert [reason.kind for reason in verdict.reasons] == ["late", "lost"]


def test_a_process_that_died_gives_no_verdict_either() -> None:
    assert judge(perfect(), failed="process 0 of the load ended with -9").kind == "unfit"


def test_an_interrupted_load_is_not_perfect() -> None:
    verdict = judge(perfect(), interrupted_s=3.21)
    assert headline(verdict, perfect()) == "2 of 2 calls perfect, but it was stopped early."
    assert (verdict.kind, verdict.reasons[0].cause) == ("imperfect", "stopped after 3.2 s: what was measured until then")


# The report.

HOSTILE = "<script>alert('x')</script>\"'&"


def result(tally: Tally, target: str = "ws://user:secret@127.0.0.1:8765/p?sample-rate=8000&token=hidden") -> Result:
    series = Series()
    series.add(0, 0, live=2, tally=tally)
    it = dataclasses.replace(asked(), target=parse(target))
    return Result(it, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 10.5, tally, series.rows(), judge(tally))


class Tags(HTMLParser):
    """Tags and attributes of a page. A closing tag without its opening one is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "path"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)


def hostile() -> Tally:
    it = perfect()
    it.refused[HOSTILE] += 1
    it.dropped[HOSTILE] += 1
    it.of(HOSTILE).unexpected += 1
    it.note(HOSTILE)
    return it


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    html = page.html(result(hostile(), f"ws://127.0.0.1:8765/{HOSTILE}"))
    tags = Tags(html)
    assert not {"script", "link", "img", "iframe", "object"} & set(tags.names)
    assert not [name for name, _ in tags.attributes if name.startswith("on") or name in ("src", "href")]
    assert "url(" not in html
    assert "@import" not in html
    assert html.count("&lt;script&gt;alert(") >= 4


def test_neither_the_page_nor_the_json_nor_the_text_holds_a_secret() -> None:
    it = result(hostile())
    for shown in (page.html(it), text(it), repr(as_json(it))):
        assert "secret" not in shown
        assert "hidden" not in shown


def test_a_load_in_which_nothing_connected_has_a_page() -> None:
    it = Tally(placed=3)
    it.refused["refused"] = 3
    html = page.html(result(it))
    Tags(html)
    assert html.count("Nothing was measured.") == 2
    assert "0 of 3 calls perfect." in html


def test_a_report_is_not_replaced_unasked(tmp_path: Path) -> None:
    file = tmp_path / "out.html"
    require_writable("--report", file, replace=False)
    page.write(result(perfect()), file, force=False)
    before = file.read_text()
    assert before.startswith("<!doctype html>")
    with pytest.raises(UsageFault, match="--force"):
        require_writable("--report", file, replace=False)
    with pytest.raises(FileExistsError):
        page.write(result(refused()), file, force=False)
    assert file.read_text() == before
    page.write(result(refused()), file, force=True)
    assert file.read_text() != before
    assert list(tmp_path.iterdir()) == [file], "nothing left beside it"


@pytest.mark.parametrize("where", ["missing/out.html", "."])
def test_a_report_has_to_have_a_place(tmp_path: Path, where: str) -> None:
    with pytest.raises(UsageFault, match="--report"):
        require_writable("--report", tmp_path / where)


@pytest.mark.parametrize("most", [0, 1, 3, 7, 10, 99, 101, 5000])
def test_a_linear_scale_holds_its_values(most: float) -> None:
    scale = chart.linear(most)
    assert scale.ticks[0] == 0
    assert scale.ticks[-1] >= most
    assert 2 <= len(scale.ticks) <= 6
    assert all(tick == round(tick) for tick in scale.ticks)


@pytest.mark.parametrize(("least", "most"), [(0.1, 0.1), (0.09, 5.3), (1, 1), (0.02, 9000), (3, 4), (1000, 1000), (0.001, 1e5)])
def test_a_logarithmic_scale_holds_its_values(least: float, most: float) -> None:
    scale = chart.logarithmic(least, most)
    assert scale.ticks[0] <= least
    assert scale.ticks[-1] >= most
    assert 2 <= len(scale.ticks) <= 10
    assert 0 <= scale.part(least) <= scale.part(most) <= 1


def test_a_gap_breaks_the_line() -> None:
    line = chart.Line("p50", "p50", [1.0, None, 3.0, 4.0])
    drawn = chart.chart("x", [0, 1, 2, 3], [line], unit="ms")
    [path] = re.findall(r'class="line p50" d="([^"]+)"', drawn)
    assert path.count("M") == 2
    assert path.count("L") == 1
