"""Memory and CPU of a process."""

import time

import psutil

from exotelctl.status.facts import Usage


class Meter:
    """Tells what processes use; CPU since it was last asked for the same process."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[float, float]] = {}

    def begin(self, pid: int) -> bool:
        """Start to measure a process; False where that was done before."""
        if pid in self._before:
            return False
        cpu_s = _cpu_s(pid)
        if cpu_s is not None:
            self._before[pid] = (time.monotonic(), cpu_s)
        return True

    def read(self, pid: int) -> Usage | None:
        """Usage since `begin` or the last `read`; None for a process that is gone."""
        now, cpu_s = time.monotonic(), _cpu_s(pid)
        since, before_s = self._before.pop(pid, (now, 0.0))
        if cpu_s is None or now == since:
            return None
        self._before[pid] = (now, cpu_s)
        try:
            process = psutil.Process(pid)
            rss = int(process.memory_info().rss)
            return Usage(rss, _pss(process), 100 * (cpu_s - before_s) / (now - since), now - since)
        except psutil.Error:
            return None


def _cpu_s(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


def _pss(process: psutil.Process) -> int | None:
    """Return the process's share of memory; None if only root may know."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return None
