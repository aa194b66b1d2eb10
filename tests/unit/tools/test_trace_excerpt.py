"""A saved call is that call and no other, character by character; a gap in it is reported."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from exotel_phone.captures.records import Close, End, Gap, Message, Open, Record, read
from exotel_phone.exits import UsageFault
from exotelctl.options import TraceOptions
from exotelctl.trace import excerpt, report, verb
from exotelctl.trace.call import AMPLE, Limits
from exotelctl.trace.calls import Trace

from tests.unit.tools.trace_calls import BEGAN, HEADER, Teller, capture, told, write


def _trace(records: Iterable[Record], limits: Limits = AMPLE) -> Trace:
    trace = Trace(limits)
    for record in records:
        trace.take(record)
    return trace


def _saved(trace: Trace, path: Path, conn: str = "conn_1") -> list[Record]:
    excerpt.write(path, excerpt.records(trace, trace.calls[conn]))
    return list(read(path))


def test_what_is_saved_is_what_was_seen(tmp_path: Path) -> None:
    mine, other = told(frames=40), told(conn="conn_2", call_sid="b0", frames=40)
    saved = _saved(_trace(capture(mine, other)), tmp_path / "call.jsonl")
    assert saved[1:-1] == mine
    assert saved[-1] == End(mine[-1].at, True, "the call ended", 83, 1)  # type: ignore[union-attr]
    again = _saved(_trace(saved), tmp_path / "again.jsonl")
    assert again == saved


def test_it_is_for_the_owners_eyes_and_never_overwrites(tmp_path: Path) -> None:
    trace, path = _trace(capture(told())), tmp_path / "call.jsonl"
    _saved(trace, path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(UsageFault, match="exists: choose another name"):
        _saved(trace, path)
    assert path.read_bytes() == before
    with pytest.raises(UsageFault, match="No such file or directory"):
        _saved(trace, tmp_path / "no" / "call.jsonl")


@pytest.mark.parametrize("limits", [Limits(media_first=10, media_latest=20), Limits(steps=5), Limits(characters=5000)])
def test_messages_that_are_no_longer_kept_are_gaps(tmp_path: Path, limits: Limits) -> None:
    teller = Teller()
    teller.begins()
    for number in range(20):
        teller.talks(5)
        teller.says(teller.stream.mark(f"m{number}"))
    teller.hangs_up()
    saved = _saved(_trace(capture(teller.records), limits), tmp_path / "call.jsonl")
    lost = sum(record.messages for record in saved if isinstance(record, Gap))
    kept = sum(isinstance(record, Message) for record in saved)
    # The opening, which a ladder may drop too, has a number as messages have.
    assert kept + lost - sum(isinstance(record, Message) for record in teller.records) in (0, 1)
    assert lost > 100
    end = saved[-1]
    assert isinstance(end, End)
    assert not end.complete
    assert "no longer kept" in end.why
    assert [record.at for record in saved[1:]] == sorted(record.at for record in saved[1:])  # type: ignore[union-attr]


def test_a_call_that_goes_on_is_saved_as_incomplete(tmp_path: Path) -> None:
    teller = Teller()
    teller.begins()
    saved = _saved(_trace([HEADER, *teller.records]), tmp_path / "call.jsonl")
    assert saved[-1] == End(teller.at, False, "the call went on when it was saved", 2, 1)
    assert not any(isinstance(record, Close) for record in saved)


def test_a_gap_of_the_recording_stays_one(tmp_path: Path) -> None:
    opened = Open(BEGAN, "conn_1")
    gap = Gap(BEGAN + 1, 7, {"conn_1": 7})
    saved = _saved(_trace([HEADER, opened, gap, Close(BEGAN + 2, "conn_1", "no_start", 1006)]), tmp_path / "call.jsonl")
    assert saved[1:4] == [opened, gap, Close(BEGAN + 2, "conn_1", "no_start", 1006)]
    assert "7 messages missing" in saved[-1].why  # type: ignore[union-attr]


def test_as_text_what_is_missing_comes_before_the_ladder(tmp_path: Path) -> None:
    teller = Teller()
    teller.begins()
    teller.talks(30)
    text = report.text(trace := _trace([*capture(teller.records, complete=False)]), trace.find("")).splitlines()
    assert text[0] == "vm-1, 1 worker, release 0.1.0, 2025-11-24 16:00:00 UTC"
    assert text[1] == "! worker g1-1 is not complete: worker killed"
    assert text[3] == "call a950c8dabf74, the capture ended first"
    assert text[6] == "! the capture ended before the call did: worker killed"
    assert text[7].split() == ["time", "s", "gap", "ms", "Exotel", "server"]
    assert "09876543210" not in "\n".join(text)
    assert "s3cret-token" not in "\n".join(text)


@pytest.mark.parametrize(("call", "code", "calls"), [("", 0, 2), ("b0", 0, 1), ("09876543210", 0, 2), ("zzz", 1, 0)])
def test_a_file_into_a_pipe(call: str, code: int, calls: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "two.jsonl", capture(told(), told(conn="conn_2", call_sid="b0")))
    assert verb.run(TraceOptions(path, call)) == code
    out, err = capsys.readouterr()
    assert out.count("\ncall ") == calls
    assert err == ("" if calls else "⚠️  no call with 'zzz' in this capture, which has 2\n")
    assert verb.run(TraceOptions(path, call, json=True)) == code
    document = json.loads(capsys.readouterr().out)
    assert len(document["calls"]) == calls
    assert all(entry["from"] == "098•••••210" for entry in document["calls"])


def test_a_file_from_a_moment_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "one.jsonl", capture(told(frames=100)))
    verb.run(TraceOptions(path, numbers=True, at=2.003))
    out = capsys.readouterr().out
    assert "stop canceled" in out
    assert "│ connected" not in out
    assert "09876543210 → 02012345678" in out


@pytest.mark.parametrize(("options", "reason"), [({"at": -1.0}, "--at"), ({"call": "a", "number": "1"}, "one of them")])
def test_wrong_usage(options: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageFault, match=reason):
        verb.run(TraceOptions(None, **options))  # type: ignore[arg-type]
