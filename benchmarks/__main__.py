"""Run the benchmarks: every server in every round, side by side, then the table of ratios to Node `ws` and to the floor.

$ python -m benchmarks
round 1/5  node        flat out  17.1 µs CPU a frame, 57019 frames/s
round 1/5  node        paced  45.1 µs CPU a frame  p99 0.52 ms  71 KiB a call
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

from benchmarks import flat_out, report
from benchmarks.figures import QUIET_CORES, Figures, measure
from benchmarks.flat_out import FlatOut, NoCompilerError, Programs
from benchmarks.load import LoadError
from benchmarks.server import SERVERS, ServerError, install_node_peer, launched, running, versions

HERE = Path(__file__).parent
RAW = HERE / ".raw"
DOCUMENT = HERE.parent / "docs" / "performance.md"


def main() -> int:
    """Return 0 if the table is made, 1 if it is not, with the reason on stderr."""
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
        with tempfile.TemporaryDirectory(prefix="exotel-bench-") as built:
            programs = _programs(Path(built))
            rounds = [_round(number, options.rounds, cores[0], programs) for number in range(options.rounds)]
    except (LoadError, ServerError, subprocess.SubprocessError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    text = f"{report.table(rounds)}\n\n{_conditions(options.rounds, flat_out=programs is not None)}"
    print(f"\n{text}\n\nraw figures: {_keep(rounds)}")
    if not options.dry_run:
        report.write(DOCUMENT, text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 21), metavar="1-20", help="default: 5")
    parser.add_argument("--dry-run", action="store_true", help=f"leave docs/{DOCUMENT.name} as it is")
    return parser.parse_args()


def _programs(into: Path) -> Programs | None:
    """Compile the load generator and the floor; return None without a compiler, after a warning."""
    try:
        return flat_out.build(into)
    except NoCompilerError as error:
        print(f"benchmarks: nothing is measured flat out: {error}", file=sys.stderr)
        return None


def _round(number: int, of: int, core: int, programs: Programs | None) -> report.Round:
    """Measure every server once; the first one changes from round to round, so that none gains by its place."""
    figures = report.Round({}, {})
    names = [*SERVERS, report.FLOOR] if programs else SERVERS
    first = number % len(names)
    for name in names[first:] + names[:first]:
        if programs:
            figures.flat_out[name] = _measured_flat_out(name, core, programs)
            print(f"round {number + 1}/{of}  {name:<10}  {_flat_out_line(figures.flat_out[name])}", flush=True)
        if name in SERVERS:
            figures.paced[name] = _measured(name, core)
            print(f"round {number + 1}/{of}  {name:<10}  {_line(figures.paced[name])}", flush=True)
    return figures


def _measured(name: str, core: int) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch,
        running(name, core, free_port(), Path(scratch)) as server,
    ):
        return asyncio.run(measure(server))


def _measured_flat_out(name: str, core: int, programs: Programs) -> FlatOut:
    port = free_port()
    floor = [str(programs.echo), "--port", str(port)]
    with (
        tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch,
        launched(name, floor, [core], port, Path(scratch))
        if name == report.FLOOR
        else running(name, core, port, Path(scratch)) as server,
    ):
        return flat_out.measure(server, programs.load)


def free_port() -> int:
    """Return a TCP port of loopback on which nobody listens just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _line(figures: Figures) -> str:
    return (
        f"paced  {figures.cpu_us_per_frame:.1f} µs CPU a frame  p99 {figures.p99_us / 1000:.2f} ms  "
        f"{figures.kib_per_call:.0f} KiB a call" + _doubt(figures.others_busy)
    )


def _flat_out_line(figures: FlatOut) -> str:
    return (
        f"flat out  {figures.cpu_us_per_frame:.1f} µs CPU a frame, {figures.frames_per_s:.0f} frames/s, "
        f"{figures.server_busy:.0%} of its core" + _doubt(figures.others_busy)
    )


def _doubt(others_busy: float) -> str:
    if others_busy <= QUIET_CORES:
        return ""
    return f"\n  ⚠️ other processes used {others_busy:.2f} cores: repeat this when the machine is quiet"


def _conditions(rounds: int, *, flat_out: bool) -> str:
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    left_out = "" if flat_out else " Nothing was measured flat out, for want of a C compiler."
    return f"Median of {rounds} round{'s' * (rounds > 1)} (lowest–highest).{left_out} {used}."


def _keep(rounds: list[report.Round]) -> Path:
    RAW.mkdir(exist_ok=True)
    path = RAW / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps([asdict(figures) for figures in rounds], indent=1))
    return path


if __name__ == "__main__":
    sys.exit(main())
