"""Records of ended calls on disk: nothing is lost, nothing is sent by two workers at once, and nothing grows without bound."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from exotel_ws.ai.ended.courier import bounded
from exotel_ws.ai.ended.spool import LOST, MOST_RECORD, Spool
from exotel_ws.ai.settings import Spool as SpoolSettings

NOW = 1_800_000_000.0
BEGAN: dict[str, Any] = {"call_sid": "call1", "outcome": "", "transcript": [], "transcript_lost": 0}
WORKER = """
import os, sys, time
from exotel_ws.ai.ended.spool import Spool
from exotel_ws.ai.settings import Spool as SpoolSettings
spool = Spool(SpoolSettings(directory=sys.argv[1]))
held = spool.begin({"call_sid": "killed"})
print("begun", flush=True)
time.sleep(600)
"""


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Spool:
    return Spool(SpoolSettings(directory=str(tmp_path / "ended")), clock)


def ended(spool: Spool, **more: Any) -> str:
    held = spool.begin(BEGAN)
    spool.end(held, {**BEGAN, "outcome": "transfer", **more})
    return held.id


def test_a_call_waits_from_its_end_on(spool: Spool, tmp_path: Path) -> None:
    held = spool.begin(BEGAN)
    assert spool.look() == []
    spool.end(held, {**BEGAN, "outcome": "transfer"})
    (one,) = spool.look()
    assert (one.attempts, one.due) == (0, NOW)
    taken = spool.take(one)
    assert taken is not None
    assert taken.record == {**BEGAN, "outcome": "transfer", "id": held.id}
    spool.sent(one)
    spool.release(taken)
    assert spool.look() == []
    assert list((tmp_path / "ended").iterdir()) == []


def test_only_the_service_can_read_what_people_said(spool: Spool, tmp_path: Path) -> None:
    ended(spool)
    spool.begin(BEGAN)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "ended").iterdir()}
    assert (modes, (tmp_path / "ended").stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_it_is_safe_on_disk_before_the_open_record_goes(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = spool.begin(BEGAN)
    done: list[str] = []
    fsync, replace, unlink = os.fsync, os.replace, Path.unlink
    monkeypatch.setattr(os, "fsync", lambda descriptor: (done.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths))[1])

    def gone(path: Path, missing_ok: bool = False) -> None:
        done.append("unlink")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", gone)
    spool.end(held, BEGAN)
    assert done == ["fsync", "replace", "fsync", "unlink"]


def test_a_record_is_one_workers_at_a_time(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    other = Spool(SpoolSettings(directory=str(tmp_path / "ended")), clock)
    ended(spool)
    (one,) = other.look()
    taken = spool.take(one)
    assert taken is not None
    assert other.take(one) is None
    spool.failed(one, 60)
    spool.release(taken)
    assert other.take(one) is None, "it has another name now, and is not due"
    (again,) = other.look()
    assert (again.attempts, again.due) == (1, NOW + 60)
    theirs = other.take(again)
    assert theirs is not None
    other.sent(again)
    other.release(theirs)
    assert spool.take(again) is None


def test_a_call_whose_worker_was_killed_is_told_as_lost_once_and_no_live_one_is(spool: Spool, tmp_path: Path) -> None:
    mine = spool.begin(BEGAN)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "ended")], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "begun\n"
    assert spool.look() == [], "both calls live"
    worker.send_signal(signal.SIGKILL)
    worker.wait(30)
    worker.stdout.close()
    (lost,) = spool.look()
    taken = spool.take(lost)
    assert taken is not None
    assert (taken.record["call_sid"], taken.record["outcome"]) == ("killed", LOST)
    assert taken.record["id"] == lost.name.partition(".")[0]
    spool.sent(lost)
    spool.release(taken)
    assert spool.look() == []
    spool.end(mine, BEGAN)
    assert len(spool.look()) == 1


def test_a_worker_killed_between_the_two_files_does_not_make_two_reports(spool: Spool, tmp_path: Path) -> None:
    held = spool.begin(BEGAN)
    open_file = tmp_path / "ended" / f"{held.id}.open"
    kept = open_file.read_bytes()
    spool.end(held, {**BEGAN, "outcome": "transfer"})
    open_file.write_bytes(kept)
    (one,) = spool.look()
    assert not open_file.exists()
    taken = spool.take(one)
    assert taken is not None
    assert taken.record["outcome"] == "transfer"


def test_what_a_killed_worker_never_finished_writing_goes(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    name = ended(spool)
    new = tmp_path / "ended" / f".{name}.new"
    new.write_text("{")
    os.utime(new, (NOW, NOW))
    spool.look()
    assert new.exists(), "somebody may be writing it"
    clock.now += 61
    spool.look()
    assert not new.exists()


def test_other_files_are_left_alone_and_a_broken_record_is_not(spool: Spool, tmp_path: Path) -> None:
    name = ended(spool)
    (tmp_path / "ended" / "notes.json").write_text("mine")
    (tmp_path / "ended" / f"{name}.0.json").write_text("{broken")
    (one,) = spool.look()
    assert spool.take(one) is None
    assert [path.name for path in (tmp_path / "ended").iterdir()] == ["notes.json"]


def test_a_name_that_leads_elsewhere_is_not_followed(spool: Spool, tmp_path: Path) -> None:
    name = ended(spool)
    (one,) = spool.look()
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "ended" / one.name).unlink()
    (tmp_path / "ended" / one.name).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        spool.take(one)
    assert name


def test_the_oldest_go_beyond_a_bound(tmp_path: Path, clock: Clock) -> None:
    for more, left in (({"most_records": 2}, 2), ({"most_bytes": 3000}, 2), ({"keep_hours": 1.0}, 1), ({}, 4)):
        directory = tmp_path / next(iter(more), "none")
        spool = Spool(SpoolSettings(directory=str(directory), **more), clock)  # type: ignore[arg-type]
        names = []
        for _ in range(4):
            clock.now += 1000
            names.append(ended(spool, summary="x" * 1000))
        clock.now += 3000
        found = spool.look()
        gone = spool.surplus(found)
        assert [one.name.partition(".")[0] for one in gone] == names[: 4 - left], more


def test_a_long_transcript_loses_its_beginning() -> None:
    events = [{"what": "caller", "text": f"{number} {'x' * 2000}"} for number in range(1000)]
    record = bounded({"transcript": events, "transcript_lost": 3, "outcome": "hang_up"})
    kept = record["transcript"]
    assert kept == events[-len(kept) :]
    assert record["transcript_lost"] == 3 + 1000 - len(kept)
    assert len(str(record)) < MOST_RECORD * 1.1
    assert bounded({"transcript": events[:5], "transcript_lost": 0})["transcript_lost"] == 0


def test_a_directory_that_takes_nothing_is_an_error_and_nothing_hangs(tmp_path: Path) -> None:
    (tmp_path / "ended").write_text("a file")
    spool = Spool(SpoolSettings(directory=str(tmp_path / "ended")), time.time)
    with pytest.raises(OSError, match="exists"):
        spool.begin(BEGAN)


def test_an_open_record_that_cannot_be_closed_hides_no_other(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    held = spool.begin(BEGAN)
    os.close(held.descriptor)  # as if its worker were gone
    waiting = ended(spool)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Spool, "_write", full)
        assert [one.name.partition(".")[0] for one in spool.look()] == [waiting]
        assert spool.trouble == f"{held.id}.open: No space left on device"
    assert len(spool.look()) == 2
    assert spool.trouble == ""


def test_a_record_that_is_no_text_is_removed(spool: Spool, tmp_path: Path) -> None:
    name = ended(spool)
    (tmp_path / "ended" / f"{name}.0.json").write_bytes(b'{"call_sid": "\xff"}')
    (one,) = spool.look()
    assert spool.take(one) is None
    assert spool.look() == []
