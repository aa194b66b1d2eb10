"""A recording is right to the sample, and survives faults of the disk."""

import errno
import os
import threading
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exotel_ws.ai.records.recording import Recording
from exotel_ws.ai.records.shelf import Shelf
from exotel_ws.ai.settings import Record

RATE = 8000
NAME = "20260102T030405Z-call-stream-0a1b2c.wav"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """Recording with its shelf, its clock and its reports of faults."""

    def __init__(self, directory: Path, most_bytes: int = 10**9) -> None:
        self.file = directory / NAME
        self.faults: list[str] = []
        self.clock = Clock()
        self.shelf = Shelf(Record(directory=str(directory)))
        self.shelf.open()
        self.recording = Recording(
            self.shelf, NAME, sample_rate=RATE, most_bytes=most_bytes, clock=self.clock, on_fault=self.faults.append
        )

    def caller(self, voice: np.ndarray[Any, Any], *, arrives: Callable[[float], float] = lambda at: at) -> None:
        """Send ``voice`` in pieces of 20 ms, each at the time that ``arrives`` returns for the second in which it was spoken."""
        begin = self.clock.now
        for at in range(0, len(voice), 160):
            piece = voice[at : at + 160]
            self.clock.now = max(self.clock.now, begin + arrives((at + len(piece)) / RATE))
            self.recording.caller(piece.tobytes())

    def settle(self) -> None:
        done = threading.Event()
        self.shelf.do(done.set)
        assert done.wait(10)

    def read(self) -> np.ndarray[Any, Any]:
        """Return the file's frames: caller, bot."""
        with wave.open(str(self.file)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
            frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
            assert len(frames) == file.getnframes()
            return frames

    def end(self) -> np.ndarray[Any, Any]:
        self.recording.close()
        self.recording.close()
        self.settle()
        return self.read()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.shelf.close()


def voice(seconds: float, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return a voice in which no sample is 0 and no part is like another."""
    return np.random.default_rng(seed).integers(1, 30_000, round(seconds * RATE)).astype("<i2")


def test_both_are_where_they_were_heard(rig: Rig) -> None:
    heard, first, second = voice(6), voice(1.5, 1), voice(1, 2)
    rig.recording.bot(rig.clock.now + 0.25, first[:3200].tobytes())
    rig.recording.bot(rig.clock.now + 0.25 + 0.4, first[3200:].tobytes())
    rig.caller(heard[: RATE * 3])
    rig.recording.bot(rig.clock.now + 0.125, second.tobytes())
    rig.caller(heard[RATE * 3 :])
    frames = rig.end()
    bot = np.zeros(6 * RATE, "<i2")
    bot[2000:14000], bot[25000:33000] = first, second
    assert np.array_equal(frames[:, 0], heard)
    assert np.array_equal(frames[:, 1], bot)


def test_what_was_cleared_was_not_heard(rig: Rig) -> None:
    begins, said, more = rig.clock.now, voice(2, 1), voice(0.5, 2)
    rig.recording.bot(begins, said.tobytes())
    rig.caller(voice(1.5))
    rig.recording.cleared(begins + 1.5)
    rig.caller(voice(1))
    rig.recording.bot(begins + 2.5, more.tobytes())
    rig.caller(voice(1))
    bot = rig.end()[:, 1]
    assert np.array_equal(bot[:12000], said[:12000])
    assert not bot[12000:20000].any()
    assert np.array_equal(bot[20000:24000], more)


def test_the_call_ends_in_the_middle_of_a_sentence(rig: Rig) -> None:
    rig.recording.bot(rig.clock.now, voice(5, 1).tobytes())
    rig.caller(voice(1.5))
    assert len(rig.end()) == 1.5 * RATE


@pytest.mark.parametrize(
    "arrives",
    [
        lambda at: at + 0.2 * (at > 1),
        lambda at: 2.9 if 2 < at < 2.9 else at,
        lambda at: at + 0.1 * (int(at * 50) % 3),
    ],
    ids=["later from then on", "held up for 0.9 s, then all at once", "now so, now so"],
)
def test_late_is_not_lost(rig: Rig, arrives: Callable[[float], float]) -> None:
    heard = voice(6)
    rig.caller(heard, arrives=arrives)
    assert np.array_equal(rig.end()[: len(heard), 0], heard)


def test_a_silence_in_which_nothing_comes(rig: Rig) -> None:
    heard = voice(4)
    rig.caller(heard[:RATE])
    rig.clock.now += 5
    rig.caller(heard[RATE:])
    caller = rig.end()[:, 0]
    assert np.array_equal(caller[:RATE], heard[:RATE])
    assert not caller[RATE : 6 * RATE].any()
    assert np.array_equal(caller[6 * RATE :], heard[RATE:])


def test_nobody_speaks_that_fast(rig: Rig) -> None:
    """A client that sends an hour of audio at once fills neither the memory nor the disk."""
    for _ in range(1000):
        rig.recording.caller(voice(1).tobytes())
    assert len(rig.end()) <= RATE


def test_the_process_dies(rig: Rig) -> None:
    """The file of a dead process is whole but for the last seconds, though nothing was closed."""
    heard = voice(5)
    rig.caller(heard)
    rig.settle()
    found = rig.read()
    assert len(found) >= 3 * RATE
    assert np.array_equal(found[:, 0], heard[: len(found)])
    assert rig.file.stat().st_mode & 0o777 == 0o640


def test_as_big_as_it_may_be(tmp_path: Path) -> None:
    rig = Rig(tmp_path, most_bytes=44 + 4 * RATE * 3)
    rig.caller(voice(20))
    assert len(rig.end()) == 3 * RATE
    assert rig.file.stat().st_size <= 44 + 4 * RATE * 3
    assert rig.faults == ["it is as big as ai.record.most_call_bytes = 96044 allows"]
    rig.shelf.close()


def test_the_disk_is_full(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a half-written part is cut off again."""
    heard = voice(6)
    rig.caller(heard[: RATE * 3])
    rig.settle()
    real, left = os.pwrite, [5000]

    def pwrite(file: int, data: bytes, offset: int) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(file, data[: left[0]], offset)
        left[0] -= written
        return written

    monkeypatch.setattr(os, "pwrite", pwrite)
    rig.caller(heard[RATE * 3 :])
    frames = rig.end()
    assert rig.file.stat().st_size == 44 + 4 * len(frames)
    assert np.array_equal(frames[:, 0], heard[: len(frames)])
    assert rig.faults == ["No space left on device"]


def test_no_directory_can_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rig = Rig(tmp_path / "file")
    rig.caller(voice(6))
    rig.recording.close()
    rig.settle()
    assert len(rig.faults) == 1
    rig.shelf.close()


def test_the_disk_hangs(rig: Rig) -> None:
    let_go = threading.Event()
    rig.caller(voice(3))
    rig.settle()
    rig.shelf.do(lambda: bool(let_go.wait(30)) and None)
    for _ in range(300):
        rig.caller(voice(1))
    let_go.set()
    assert rig.faults == ["the disk is too slow"]
    rig.shelf.close()
    assert not any(link.resolve() == rig.file for link in Path("/proc/self/fd").iterdir()), "and the file is let go of"
