"""Run the benchmarks: every server in every round, side by side, then the table of ratios to Node `ws`.

$ python -m benchmarks
round 1/5  node        17203 frames/s  45.1 µs CPU a frame  p99 0.52 ms  71 KiB a call
round 1/5  picows      25731 frames/s  32.0 µs CPU a frame  p99 0.44 ms  38 KiB a call
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import report
from benchmarks.figures import QUIET_CORES, Figures, measure
from benchmarks.load import LoadError
from benchmarks.server import SERVERS, ServerError, install_node_peer, running, versions

HERE = Path(__file__).parent
RAW = HERE / ".raw"
DOCUMENT = HERE.parent / "docs" / "performance.md"


def main() -> int:
    """Exit code 0: the table is made; 1: it is not, with the reason on stderr."""
    options = _options()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("benchmarks: two cores are needed, one for the server and one for the load", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, {cores[1]})
    for ending in (signal.SIGINT, signal.SIGTERM):  # by way of `finally`, so that the server under test ends too
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        install_node_peer()
        rounds = [_round(number, options.rounds, cores[0]) for number in range(options.rounds)]
    except (LoadError, ServerError, subprocess.SubprocessError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    text = f"{report.table(rounds)}\n\n{_conditions(options.rounds)}"
    print(f"\n{text}\n\nraw figures: {_keep(rounds)}")
    if not options.dry_run:
        report.write(DOCUMENT, text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 21), metavar="1-20", help="default: 5")
    parser.add_argument("--dry-run", action="store_true", help=f"leave docs/{DOCUMENT.name} as it is")
    return parser.parse_args()


def _round(number: int, of: int, core: int) -> report.Round:
    """Measure every server once; who comes first changes from round to round, so that no one gains by its place."""
    first = number % len(SERVERS)
    figures = {}
    for name in SERVERS[first:] + SERVERS[:first]:
        figures[name] = _measured(name, core)
        print(f"round {number + 1}/{of}  {name:<10}  {_line(figures[name])}", flush=True)
    return figures


def _measured(name: str, core: int) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch,
        running(name, core, free_port(), Path(scratch)) as server,
    ):
        return asyncio.run(measure(server))


def free_port() -> int:
    """A TCP port of loopback that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _line(figures: Figures) -> str:
    doubts = []
    if figures.server_busy < 0.9:
        doubts.append("the server's core was not full: frames/s is too low")
    if figures.others_busy > QUIET_CORES:
        doubts.append(f"other processes used {figures.others_busy:.2f} cores: repeat this when the machine is quiet")
    return (
        f"{figures.frames_per_s:6.0f} frames/s  {figures.cpu_us_per_frame:5.1f} µs CPU a frame  "
        f"p99 {figures.p99_us / 1000:.2f} ms  {figures.kib_per_call:.0f} KiB a call" + "".join(f"\n  ⚠️ {d}" for d in doubts)
    )


def _conditions(rounds: int) -> str:
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"Median of {rounds} round{'s' * (rounds > 1)} (lowest–highest). {used}."


def _keep(rounds: list[report.Round]) -> Path:
    RAW.mkdir(exist_ok=True)
    path = RAW / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps([{name: asdict(f) for name, f in figures.items()} for figures in rounds], indent=1))
    return path


if __name__ == "__main__":
    sys.exit(main())
