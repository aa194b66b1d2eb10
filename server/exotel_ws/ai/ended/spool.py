"""Spool of what is to be told of calls: one file a call, on disk before it is sent, shared by the workers of a host.

A file is named ``<time>-<id>.<state>``. ``open`` is written when the call starts; its worker holds a lock on it for as long as
the call lasts, so that one without a lock belongs to a worker that was killed. ``json`` replaces it when the call has ended, with
the number of failed attempts before: ``<time>-<id>.<attempts>.json``. Its time of modification is when it is due. Who sends it
holds a lock on it. All of this blocks on the disk: not for the loop's thread.
"""

import contextlib
import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from exotel_ws.ai.settings import Spool as SpoolSettings

_OPEN: Final = re.compile(r"(\d{8}T\d{6}Z-[0-9a-f]{32})\.open", re.ASCII)
_READY: Final = re.compile(r"(\d{8}T\d{6}Z-[0-9a-f]{32})\.(\d{1,4})\.json", re.ASCII)
_NEW: Final = re.compile(r"\.\d{8}T\d{6}Z-[0-9a-f]{32}\.new", re.ASCII)
_NEW_S: Final = 60.0
"""Seconds after which a file that was never finished is what a killed worker left."""
MOST_RECORD: Final = 512 * 1024
"""Most bytes of a record; a long call's has a fifth of it."""
LOST: Final = "lost"
"""Outcome of a call whose worker was killed: nobody knows more of it than how it began."""

Record = dict[str, Any]


class Found(NamedTuple):
    """A record that waits: its file, how often sending failed, its size in bytes, and the Unix times of its call and its turn."""

    name: str
    attempts: int
    size: int
    began: float
    due: float


class Held(NamedTuple):
    """A call that has not ended, by its id; ``descriptor`` holds the lock."""

    id: str
    descriptor: int


class Taken(NamedTuple):
    """A record that nobody else sends meanwhile; ``descriptor`` holds the lock."""

    record: Record
    descriptor: int


class Spool:
    """Directory of records, bounded in number, bytes and age: what is too old goes, then the oldest. Methods raise OSError."""

    def __init__(self, settings: SpoolSettings, clock: Callable[[], float] = time.time) -> None:
        """``clock`` returns Unix seconds."""
        self._directory = Path(settings.directory)
        self._settings = settings
        self._clock = clock
        self.trouble = ""
        """Open record of a killed worker that could not be closed in the last `look`, and why; empty if there was none."""

    def begin(self, record: Record) -> Held:
        """Write what is known of a call that starts, so that it is told as lost if this worker is killed."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(16)}"
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = self._write(name, f"{name}.open", {**record, "id": name})
        return Held(name, descriptor)

    def end(self, held: Held, record: Record) -> None:
        """Replace the open record of a call by ``record``, which is due at once. Safe on disk when this returns.

        If that fails, the call is told as lost later on.
        """
        try:
            os.close(self._write(held.id, f"{held.id}.0.json", {**record, "id": held.id}))
            self._remove(f"{held.id}.open")
        finally:
            os.close(held.descriptor)

    def look(self) -> list[Found]:
        """Return the records that wait, by the time of their calls. Those of killed workers are closed as `LOST` before."""
        found, unfinished = self._scan()
        ready = {one.name.partition(".")[0] for one in found}
        self.trouble = ""
        for name in unfinished:
            try:
                self._close_lost(name, ready)
            except OSError as error:  # a full disk, or a file of another user: the others go on
                self.trouble = f"{name}: {error.strerror or error}"
        if not unfinished:
            return found
        found, unfinished = self._scan()
        # Of a call whose worker is about to remove its open record, nothing is sent yet: it would be told as lost afterwards.
        still_open = {name.partition(".")[0] for name in unfinished}
        return [one for one in found if one.name.partition(".")[0] not in still_open]

    def surplus(self, found: list[Found]) -> list[Found]:
        """Return the records that are too old or too many, oldest first."""
        settings = self._settings
        old = self._clock() - settings.keep_hours * 3600
        number, size = len(found), sum(one.size for one in found)
        gone = []
        for one in found:
            if one.began >= old and number <= settings.most_records and size <= settings.most_bytes:
                break
            gone.append(one)
            number, size = number - 1, size - one.size
        return gone

    def take(self, one: Found) -> Taken | None:
        """Hold a record against other workers until `release`; None if one of them has it, or had it. A broken one is removed.

        Raises OSError for one that can't be read.
        """
        try:
            descriptor = os.open(self._directory / one.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        record = None
        try:
            record = self._read(descriptor, one.name) if self._lock(descriptor, one.name) else None
        finally:
            if record is None:
                os.close(descriptor)
        return None if record is None else Taken(record, descriptor)

    @staticmethod
    def release(taken: Taken) -> None:
        """Let go of a record."""
        os.close(taken.descriptor)

    def sent(self, one: Found) -> None:
        """Remove a record that is `taken`: it was sent, or never will be."""
        self._remove(one.name)

    def failed(self, one: Found, again_s: float) -> None:
        """Let a record that is `taken` wait for ``again_s``."""
        at = self._clock() + again_s
        os.utime(self._directory / one.name, (at, at))
        base = one.name.partition(".")[0]
        os.replace(self._directory / one.name, self._directory / f"{base}.{min(one.attempts + 1, 9999)}.json")

    def _scan(self) -> tuple[list[Found], list[str]]:
        found, unfinished = [], []
        try:
            entries = list(os.scandir(self._directory))
        except FileNotFoundError:
            return [], []
        for entry in entries:
            with contextlib.suppress(FileNotFoundError, ValueError):  # another worker was there first
                status = entry.stat(follow_symlinks=False)
                if ready := _READY.fullmatch(entry.name):
                    began = datetime.strptime(entry.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
                    found.append(Found(entry.name, int(ready[2]), status.st_size, began, status.st_mtime))
                elif _OPEN.fullmatch(entry.name):
                    unfinished.append(entry.name)
                elif _NEW.fullmatch(entry.name) and status.st_mtime < self._clock() - _NEW_S:
                    self._remove(entry.name)
        return sorted(found), unfinished

    def _close_lost(self, name: str, ready: set[str]) -> None:
        """Turn an open record whose worker is gone into one that can be sent."""
        try:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if not self._lock(descriptor, name):
                return
            base = name.partition(".")[0]
            record = None if base in ready else self._read(descriptor, name)
            if record is not None:
                os.close(self._write(base, f"{base}.0.json", {**record, "outcome": LOST}))
            self._remove(name)
        finally:
            os.close(descriptor)

    def _write(self, base: str, name: str, record: Record) -> int:
        """Write a file whole and safely. Return its descriptor, with the lock."""
        new = self._directory / f".{base}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = msgspec.json.encode(record)
            while data:
                data = data[os.write(descriptor, data) :]
            now = self._clock()
            os.utime(descriptor, (now, now))
            os.fsync(descriptor)
            os.replace(new, self._directory / name)
            self._sync()
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        return descriptor

    def _lock(self, descriptor: int, name: str) -> bool:
        """Return True if the file is ours now, and still has its name."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.stat(self._directory / name, follow_symlinks=False).st_ino == os.fstat(descriptor).st_ino
        except (BlockingIOError, FileNotFoundError):
            return False

    def _read(self, descriptor: int, name: str) -> Record | None:
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MOST_RECORD * 2)
        try:
            return msgspec.json.decode(data, type=Record)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._remove(name)
            return None

    def _remove(self, name: str) -> None:
        (self._directory / name).unlink(missing_ok=True)

    def _sync(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
