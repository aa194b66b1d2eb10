"""The recorder's choice of live records, its end, and its report of completeness."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from exotel_phone.captures.calls import choose, gather
from exotel_phone.captures.capture_file import CaptureFile
from exotel_phone.captures.records import Capture, Close, End, Gap, Message, Open, Record, line, parse
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.wire import Ids, Stream
from exotelctl.capture import verb
from exotelctl.capture.live import Filter
from exotelctl.capture.recorder import Recorder
from exotelctl.options import CaptureOptions

HEAD = Capture(1, "h", "g-1", "r", 0.0, "keep", False)


def started(conn: str, *, instance: str = "g-1", joined: bool = False) -> list[Record]:
    start = Stream(Ids(f"sid-{conn}", f"call-{conn}", "l"), 8000).start()
    return [Open(1.0, conn, instance=instance, joined=joined), Message(1.1, conn, "exotel", start)]


def frame(conn: str) -> Record:
    return Message(2.0, conn, "server", '{"event":"media"}')


def closed(conn: str, ended: str = "stop") -> Record:
    return Close(3.0, conn, ended, 1006)


def record(asked: Filter, records: Iterable[Record], most: int = 10**6) -> tuple[str, list[Record], Recorder]:
    """Run a recorder and return its reason to stop, its records and itself."""
    written: list[bytes] = []
    recorder = Recorder(asked, most, written.append)
    why = ""
    for item in records:
        if why := recorder.take(item):
            break
    return why, [parse(text) for text in written], recorder


def test_the_call_asked_for_and_then_the_end() -> None:
    why, written, recorder = record(Filter(call="call-a"), [HEAD, *started("a"), frame("a"), closed("a"), *started("b")])
    assert why == "the call ended"
    assert written == [*started("a"), frame("a"), closed("a")]
    end = recorder.end(4.0, why)
    assert end == End(4.0, True, "the call ended", 2, 1)
    assert recorder.calls == {"a": "call-a"}


def test_the_next_calls_of_all_workers_together() -> None:
    """The next calls are counted over all workers: each was asked for two, and four came."""
    records = [*started("a"), *started("b", instance="g-2"), *started("c"), frame("c"), closed("a"), closed("c"), closed("b")]
    why, written, recorder = record(Filter(next=2), records)
    assert why == "every call that was asked for has ended"
    assert {item.conn for item in written if isinstance(item, Open | Message | Close)} == {"a", "b"}
    assert recorder.end(4.0, why).complete


def test_a_connection_that_was_no_call_is_written_and_not_counted() -> None:
    nothing: list[Record] = [Open(0.5, "x"), Message(0.6, "x", "exotel", '{"event":"connected"}'), closed("x", "no_start")]
    why, written, recorder = record(Filter(next=1), [*nothing, *started("a"), closed("a")])
    assert why
    assert written[:3] == nothing
    assert recorder.end(4.0, why) == End(4.0, True, why, 2, 2)


@pytest.mark.parametrize(
    ("asked", "records", "why", "missing"),
    [
        (Filter(next=1), [], "30 s are over", "0 calls of 1 came"),
        (Filter(call="x"), [], "30 s are over", "no call came"),
        (Filter(), [*started("a")], "interrupted", "1 call went on"),
        (
            Filter(call="a"),
            [*started("a", joined=True), closed("a")],
            "the call ended",
            "a call was joined while it was going on",
        ),
        (Filter(call="a"), [*started("a"), Gap(2.0, 7, {"a": 7}), closed("a")], "the call ended", "7 messages lost"),
        (
            Filter(),
            [*started("a"), End(2.0, False, "worker g-1 went away", 1, 1, "g-1")],
            "interrupted",
            "1 call cut off: worker g-1 went away",
        ),
    ],
)
def test_what_is_missing_is_said(asked: Filter, records: list[Record], why: str, missing: str) -> None:
    stopped, _, recorder = record(asked, records)
    end = recorder.end(4.0, stopped or why)
    assert not end.complete
    assert end.why == f"{why}; {missing}"


@pytest.mark.parametrize(
    "records",
    [
        [],
        [*started("a"), closed("a")],
        [*started("a"), Gap(2.0, 7, {"other": 7}), closed("a")],
        [*started("a"), closed("a"), End(2.0, True, "the worker has drained", 1, 1, "g-1")],
        [*started("a"), End(2.0, False, "gone", 1, 1, "g-2"), closed("a")],
    ],
)
def test_what_concerns_no_call_of_the_file_does_not_make_it_incomplete(records: list[Record]) -> None:
    _, _, recorder = record(Filter(), records)
    assert recorder.end(4.0, "interrupted").complete


def test_it_stops_before_the_file_is_too_large() -> None:
    most = len(b"".join(map(line, [*started("a"), frame("a")])))
    why, written, recorder = record(Filter(), [*started("a"), frame("a"), frame("a"), frame("a")], most)
    assert why == "the file is full (--max-bytes)"
    assert sum(len(line(item)) for item in written) == most
    assert not recorder.end(4.0, why).complete


def test_what_was_recorded_can_be_gathered_again() -> None:
    why, written, recorder = record(Filter(next=1), [*started("a"), frame("a"), Gap(2.5, 3, {"a": 3}), closed("a")])
    recording = gather([HEAD, *written, recorder.end(4.0, why)])
    call = choose(recording, "call-a", Path("f"))
    assert (call.ids["stream_sid"], call.lost, call.missing) == ("sid-a", 3, "3 messages")
    with pytest.raises(UsageFault, match="1 call, 0 of them 'zzz'"):
        choose(recording, "zzz", Path("f"))


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("mine")
    with pytest.raises(Refusal, match="--force"):
        CaptureFile(path, force=False)
    forced = CaptureFile(path, force=True)
    forced.write(b"new")
    assert path.read_text() == "mine", "until the new one is whole"
    forced.keep()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file = CaptureFile(path, force=False)
    file.write(b"recorded")
    path.write_text("theirs")
    with pytest.raises(Refusal, match="meanwhile") as refusal:
        file.keep()
    assert path.read_text() == "theirs"
    assert Path(str(refusal.value).rpartition(" ")[2]).read_text() == "recorded"


def test_a_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    CaptureFile(tmp_path / "a.jsonl", force=False).discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "count"), [("50M", 50_000_000), ("800k", 800_000), ("1GB", 10**9), ("20000", 20_000)])
def test_sizes(text: str, count: int) -> None:
    assert verb.size(text) == count


@pytest.mark.parametrize("text", ["", "50 M", "M", "-1", "1e9", "100", "50T"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageFault, match="--max-bytes"):
        verb.size(text)


@pytest.mark.parametrize(("named", "everything"), [("", False), ("abc", True)])
def test_which_calls_has_to_be_said_and_said_once(named: str, everything: bool) -> None:
    with pytest.raises(UsageFault, match="which calls"):
        verb.wanted(CaptureOptions(call=named, all=everything))


def test_parameters_are_kept_where_asked_but_not_masked() -> None:
    assert verb.wanted(CaptureOptions(all=True)).query() == "audio=keep"
    assert verb.wanted(CaptureOptions(all=True, keep_parameters=True)).query() == "audio=keep&parameters=1"
    with pytest.raises(UsageFault, match="--mask and --keep-parameters"):
        verb.wanted(CaptureOptions(all=True, mask=True, keep_parameters=True))
