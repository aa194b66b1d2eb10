"""Directory of the files of calls. Disk work has a thread of its own, and no fault there ends a call."""

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exotel_ws.ai.records.retention import Kept, is_ours, surplus
from exotel_ws.ai.settings import Record

_EVERY_S: Final = 3600.0
_MOST_WAITING: Final = 200
"""Pieces of work that may wait. A disk that is further behind gets no more."""
_LOOK_AFTER: Final = 1 / 16
"""Share of the bound that this worker may add before it looks again at the files of all workers."""
_DAY_S: Final = 86_400.0
_FILE_MODE: Final = 0o640
_CLOSE_S: Final = 5.0

log = logging.getLogger("exotel_ws.ai")


class Shelf:
    """Keep the files of a worker's calls; several workers may share the directory. The loop's thread calls only `do`.

    Guarantees: only files with names of ours are ever removed; what is older than ``keep_days`` goes, and the oldest above
    ``most_bytes``, at the start, hourly, and as the directory fills.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._directory = Path(record.directory)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # A daemon: a disk that hangs for ever must not keep the worker from ending.
        self._thread = threading.Thread(target=self._run, name="shelf", daemon=True)
        self._total = self._added = 0

    def open(self) -> None:
        """Start the thread, which tidies first."""
        self._thread.start()

    def close(self) -> None:
        """Finish the work that waits. Blocks, at most `_CLOSE_S`."""
        if self._thread.is_alive():
            self._work.put(None)
            self._thread.join(_CLOSE_S)

    def do(self, work: Callable[[], None], *, always: bool = False) -> bool:
        """Do ``work`` on the shelf's thread, in order. Unless ``always``, refuse it with False if the disk is too far behind."""
        if self._work.qsize() >= _MOST_WAITING and not always:
            return False
        self._work.put(work)
        return True

    def create(self, name: str) -> int:
        """Create a file that its group can read. Return its descriptor. Raises OSError."""
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(
            self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE
        )
        os.fchmod(descriptor, _FILE_MODE)
        return descriptor

    def save(self, name: str, data: bytes) -> None:
        """Write a file in one step, so that no part of it is ever seen. Raises OSError."""
        new = f"{name}.new"
        descriptor = self.create(new)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            os.replace(self._directory / new, self._directory / name)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(self._directory / new)
            raise
        self.has_room(len(data))

    def has_room(self, added: int) -> bool:
        """Count ``added`` bytes, and make room if needed. Return False if the directory is still over its bound."""
        most = self._record.most_bytes
        self._total += added
        self._added += added
        if self._total > most or self._added > most * _LOOK_AFTER:
            self.tidy()
        return self._total <= most

    def tidy(self) -> None:
        """Remove files that are too old or too many. Log one file that can't be removed each time."""
        try:
            kept = self._look()
        except FileNotFoundError:
            kept = []
        except OSError as error:
            log.error("%s can't be tidied: %s", self._directory, error.strerror)
            return
        keep_s, most = self._record.keep_days * _DAY_S, self._record.most_bytes
        gone, self._total = surplus(kept, time.time(), keep_s=keep_s, most_bytes=most)
        self._added = 0
        failed = ""
        for file in gone:
            try:
                os.unlink(self._directory / file.name)
            except FileNotFoundError:  # another worker was there first
                continue
            except OSError as error:
                failed = f"{file.name}: {error.strerror}"
        if failed:
            log.error("What is kept of calls can't be removed: %s", failed)
        elif gone:
            log.info("🧹 %d file(s) of earlier calls were removed", len(gone))

    def _look(self) -> list[Kept]:
        found = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if is_ours(entry.name) and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        found.append(Kept(entry.name, status.st_size, status.st_mtime))
        return found

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            if time.monotonic() >= due:
                self.tidy()
                due = time.monotonic() + _EVERY_S
            try:
                work = self._work.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                continue
            if work is None:
                return
            try:
                work()
            except Exception:  # the next call's work must not wait for ever
                log.exception("💥 What is kept of a call could not be written")
