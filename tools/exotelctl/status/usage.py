"""Memory and CPU of a process."""

import contextlib
import time

import psutil

from exotelctl.status.facts import Usage


class Meter:
    """Tells what processes use; CPU since it was last asked for the same process."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[psutil.Process, float]] = {}

    def begin(self, pid: int) -> bool:
        """Start to measure a process; return False where that was done before."""
        if pid in self._known:
            return False
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            process.cpu_percent()
            self._known[pid] = (process, time.monotonic())
        return True

    def read(self, pid: int) -> Usage | None:
        """Return the usage since `begin` or the last `read`; None for a process that is gone."""
        if pid not in self._known:
            return None
        (process, since), now = self._known.pop(pid), time.monotonic()
        try:
            usage = Usage(int(process.memory_info().rss), _pss(process), process.cpu_percent(), now - since)
        except psutil.Error:
            return None
        self._known[pid] = (process, now)
        return usage


def _pss(process: psutil.Process) -> int | None:
    """Return the process's share of memory; None if only root may know."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return None
