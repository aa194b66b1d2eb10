"""Files kept of calls: their names, the choice of those to delete, and no touch of any other file."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from exotel_ws.ai.records.retention import Kept, is_ours, stem, surplus
from exotel_ws.ai.records.shelf import Shelf
from exotel_ws.ai.settings import Record

NOW = 1_000_000.0
DAY = 86_400.0
BEGAN = datetime.fromisoformat("2026-01-02T05:34:05.678+02:30")


@pytest.mark.parametrize(
    ("call_sid", "stream_sid", "expected"),
    [
        ("abc123", "ms1", "20260102T030405Z-abc123-ms1-0a1b2c"),
        ("", "", "20260102T030405Z-none-none-0a1b2c"),
        ("../../etc/passwd", "a b\n/\0", "20260102T030405Z-_etc_passwd-a_b_-0a1b2c"),
        ("x" * 500, "größe", f"20260102T030405Z-{'x' * 40}-gr_e-0a1b2c"),
        (".json", "-", "20260102T030405Z-_json-_-0a1b2c"),
    ],
)
def test_names(call_sid: str, stream_sid: str, expected: str) -> None:
    made = stem(call_sid, stream_sid, BEGAN, "0a1b2c")
    assert made == expected
    assert all(is_ours(made + ending) for ending in (".json", ".json.new", ".wav"))


@pytest.mark.parametrize(
    "name",
    [
        "notes.json",
        "20260102T030405Z-abc-def.wav",
        "20260102T030405Z-abc-def-0a1b2c.wav.bak",
        "20260102T030405Z-abc-def-0a1b2c",
        "20260102T030405Z-abc-def-0a1b2c.wav\n",
        "x20260102T030405Z-abc-def-0a1b2c.wav",
        "20260102T030405Z-a.b-def-0a1b2c.wav",
        "٢٠260102T030405Z-abc-def-0a1b2c.wav",
    ],
)
def test_not_ours(name: str) -> None:
    assert not is_ours(name)


@pytest.mark.parametrize(
    ("kept", "gone", "stays"),
    [
        ([], [], 0),
        ([("a", 10, 1.0), ("b", 10, 6.9)], [], 20),
        ([("a", 10, 7.1), ("b", 10, 6.9)], ["a"], 10),
        ([("a", 900, 3), ("b", 900, 2), ("c", 100, 1)], ["a"], 1000),
        ([("a", 501, 2), ("b", 100, 4), ("c", 1000, 3)], ["b", "c"], 501),
        ([("a", 1600, 1)], [], 1600),
        ([("a", 1599, 2), ("b", 1, 1), ("c", 1, 1)], ["a"], 2),
        ([("live", 1500, 0), ("done", 300, 1), ("live too", 1500, 0)], ["done"], 3000),
        ([("b", 900, 1), ("a", 900, 1)], ["a"], 900),
    ],
    ids=["none", "young", "old", "the oldest", "until there is room", "just within", "a bit beyond", "live ones stay", "a tie"],
)
def test_surplus(kept: list[tuple[str, int, float]], gone: list[str], stays: int) -> None:
    """Files are kept for 7 days and within 1,600 bytes; once these are exceeded, down to 1,500. Ages are in days."""
    files = [Kept(name, size, NOW - days * DAY) for name, size, days in kept]
    goes, left = surplus(files, NOW, keep_s=7 * DAY, most_bytes=1600)
    assert ([file.name for file in goes], left) == (gone, stays)


class Directory:
    """Directory of calls and others' files, with a shelf that looks after it."""

    def __init__(self, path: Path, **record: float) -> None:
        self.path = path
        self.shelf = Shelf(Record(directory=str(path), **record))  # type: ignore[arg-type]

    def put(self, name: str, size: int, days: float, ending: str = ".wav") -> Path:
        file = self.path / f"{name}{ending}"
        file.write_bytes(bytes(size))
        os.utime(file, (time.time() - days * DAY,) * 2)
        return file

    def call(self, number: int, size: int, days: float) -> Path:
        return self.put(f"20260102T030405Z-call{number}-s-0a1b2c", size, days)

    def names(self) -> set[str]:
        return {entry.name for entry in self.path.iterdir()}


def test_at_the_start(tmp_path: Path) -> None:
    directory = Directory(tmp_path, keep_days=7, most_bytes=1000)
    old = directory.call(1, 10, 8)
    half = directory.put("20260102T030405Z-call-s-0a1b2c", 10, 8, ".json.new")
    big, young = directory.call(2, 900, 2), directory.call(3, 900, 1)
    others = directory.put("somebody's", 10_000, 99)
    linked = tmp_path / "20260102T030405Z-link-s-0a1b2c.wav"
    linked.symlink_to(others)
    os.utime(linked, (0, 0), follow_symlinks=False)
    a_directory = tmp_path / "20260102T030405Z-dir-s-0a1b2c.wav"
    a_directory.mkdir()
    os.utime(a_directory, (0, 0))
    directory.shelf.open()
    directory.shelf.close()
    assert not any(file.exists() for file in (old, half, big))
    assert directory.names() == {young.name, others.name, linked.name, a_directory.name}


def test_as_it_fills(tmp_path: Path) -> None:
    directory = Directory(tmp_path, most_bytes=16_000)
    directory.shelf.open()
    directory.shelf.close()
    files = [directory.call(number, 5000, 5 - number) for number in range(4)]
    assert directory.shelf.has_room(1001), "another worker's 20,000 bytes are seen once this one has added a sixteenth"
    assert [file.exists() for file in files] == [False, True, True, True]
    live = [directory.call(10 + number, 9000, 0) for number in range(2)]
    assert not directory.shelf.has_room(1001), "no room can be made of what is being written"
    assert [file.exists() for file in files + live] == [False] * 4 + [True] * 2


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(Record(directory=str(tmp_path / "new" / "calls")))
    shelf.save("a.json", b"{}")
    (file,) = (tmp_path / "new" / "calls").iterdir()
    assert (file.name, file.read_bytes(), file.stat().st_mode & 0o777) == ("a.json", b"{}", 0o640)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        shelf.save("b.json", b"{}")
    assert [entry.name for entry in file.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("work", [lambda: 1 / 0, lambda: os.open("/nowhere/at all", os.O_RDONLY)])
def test_what_fails_holds_nothing_up(tmp_path: Path, work: Callable[[], None]) -> None:
    shelf = Shelf(Record(directory=str(tmp_path)))
    done: list[int] = []
    shelf.open()
    shelf.do(work)
    shelf.do(lambda: done.append(1))
    shelf.close()
    assert done == [1]


def test_a_directory_that_is_not_there_yet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(Record(directory=str(tmp_path / "later")))
    shelf.tidy()
    assert not caplog.records
