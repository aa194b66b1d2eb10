"""Figures of one server in one round of paced calls."""

import time
from dataclasses import dataclass

import psutil

from benchmarks.load import Calls, Window, percentile
from benchmarks.server import Server

MANY, SOME = 300, 100
WARM_S = 1.0
PACED_S = 6.0
TRIES = 3
QUIET_CORES = 0.1


@dataclass(frozen=True)
class Figures:
    """Figures of one server in one round of paced calls. The last two judge the round, not the server."""

    cpu_us_per_frame: float
    """CPU time of the server for one frame in and one out, 100 paced calls."""
    p50_us: float
    """Round trip, 300 paced calls."""
    p99_us: float
    """Round trip, 300 paced calls."""
    kib_per_call: float
    """Memory that 300 calls add, divided by 300."""

    late_p99_us: float
    """Lateness of the generator behind its schedule, 300 paced calls."""
    others_busy: float
    """Cores that other processes used meanwhile; the most of the two loads."""


@dataclass(frozen=True)
class _Watched:
    window: Window
    server_s: float
    others_busy: float


async def measure(server: Server) -> Figures:
    """Put paced calls on a freshly started server; takes 15 s on a quiet machine. Raises LoadError if it breaks a call."""
    async with Calls(server.url, 1) as calls:
        await calls.paced(WARM_S)  # the first call of a process costs more than later ones
    idle_kib = server.memory_kib()

    async with Calls(server.url, MANY) as calls:
        await calls.paced(WARM_S)
        many = await _watched(server, calls, PACED_S)
        kib_per_call = (server.memory_kib() - idle_kib) / MANY

    async with Calls(server.url, SOME) as calls:
        await calls.paced(WARM_S)
        some = await _watched(server, calls, PACED_S)

    return Figures(
        cpu_us_per_frame=some.server_s * 1e6 / some.window.frames,
        p50_us=percentile(many.window.round_trip_us, 50),
        p99_us=percentile(many.window.round_trip_us, 99),
        kib_per_call=kib_per_call,
        late_p99_us=percentile(many.window.late_us, 99),
        others_busy=max(many.others_busy, some.others_busy),
    )


async def _watched(server: Server, calls: Calls, seconds: float) -> _Watched:
    """Pace the calls, again up to `TRIES` times until the machine was quiet meanwhile; return the quietest run."""
    runs: list[_Watched] = []
    while len(runs) < TRIES and all(run.others_busy > QUIET_CORES for run in runs):
        runs.append(await _watched_once(server, calls, seconds))
    return min(runs, key=lambda run: run.others_busy)


async def _watched_once(server: Server, calls: Calls, seconds: float) -> _Watched:
    machine, server_s, own = machine_s(), server.cpu_s(), time.process_time()
    window = await calls.paced(seconds)
    machine, server_s, own = machine_s() - machine, server.cpu_s() - server_s, time.process_time() - own
    await calls.settle()
    return _Watched(window, server_s, max(0.0, machine - server_s - own) / window.seconds)


def machine_s() -> float:
    """CPU time that all processes of the machine have used so far."""
    times = psutil.cpu_times()
    return float(sum(times[:8]) - times.idle - times.iowait)  # the last two of the ten are counted twice
