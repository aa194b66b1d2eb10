"""Calls over wss beside attacks on the edge, and what the edge costs: tables for docs/performance.md.

$ sudo python -m benchmarks.edge
hellos         3.0  p50 0.41 → 0.45 ms, p99 1.1 → 2.3 ms, 0 of 150000 frames lost, known 20, unknown 20, challenges 20, …

HAProxy and the voice server on one core, the calls and the attackers on the other, in network namespaces of this machine; HAProxy
of Debian 12 and 13 by turns, twenty minutes. Exit code 1: a goal is missed, which is named.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import report as documents
from benchmarks.__main__ import DOCUMENT, RAW
from benchmarks.edge import paced, scene
from benchmarks.edge.haproxy import SUITES, SetupError, install
from benchmarks.edge.host import ADDRESS, PLAIN_WS, WSS, edge, plain
from benchmarks.edge.network import CALLERS, NetworkError, network
from benchmarks.edge.rendered import Files, render
from benchmarks.edge.report import PLAIN, Seen, attacks_table, costs_table
from benchmarks.figures import QUIET_CORES
from benchmarks.load import LoadError
from benchmarks.server import ServerError

SECTION: Final = "benchmarks.edge"
SECONDS: Final = 10
ROUNDS: Final = 5
PACED_S: Final = 60.0
Costs = dict[str, list[paced.Report]]


class Began(NamedTuple):
    """Time at which the benchmark began, and the load average of the machine at it."""

    at: str
    load: float


def main() -> int:
    """Return 0 if all goals are reached; 1 if one is not, or the tables could not be made."""
    options = _options()
    began = Began(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", os.getloadavg()[0])
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        print("benchmarks: two cores are needed, one for the edge and one for calls and attackers", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, {cores[1]})
    for ending in (signal.SIGINT, signal.SIGTERM):  # by way of `finally`, so that processes and network go too
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        with tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch, network():
            hellos = _compiled(Path(scratch))
            edges = [render(install(suite, Path(scratch)), ADDRESS) for suite in options.suite]
            seen = [
                _played(attack, number, hellos, files, cores) for number, attack in enumerate(options.attack) for files in edges
            ]
            costs = _costs(options.rounds, edges, cores)
    except (LoadError, NetworkError, SetupError, ServerError, subprocess.SubprocessError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    text = _text(began, seen, costs, [files.haproxy.version for files in edges])
    print(f"\n{text}\n\nraw figures: {_keep(seen, costs)}")
    if not options.dry_run:
        documents.write(DOCUMENT, text, SECTION)
    missed = [f"{one.attack}, HAProxy {one.series}: {goal}" for one in seen for goal in one.missed()]
    print("\n".join(f"missed: {goal}" for goal in missed), file=sys.stderr)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--attack", action="append", choices=scene.NAMES, help="only this one; may be given several times")
    parser.add_argument("--suite", action="append", choices=SUITES, help="only HAProxy of this one; may be given several times")
    parser.add_argument("--rounds", type=int, default=ROUNDS, choices=range(21), metavar="0-20", help="of the costs; default: 5")
    parser.add_argument("--dry-run", action="store_true", help=f"leave docs/{DOCUMENT.name} as it is")
    options = parser.parse_args()
    options.dry_run = options.dry_run or bool(options.attack) or bool(options.suite) or not options.rounds
    options.attack = options.attack or scene.NAMES
    options.suite = options.suite or SUITES
    return options


def _compiled(into: Path) -> Path:
    """Compile the flood. Raises ServerError without a compiler, CalledProcessError."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ServerError("there is no C compiler (apt install gcc libc6-dev)")
    source, program = Path(__file__).with_name("hellos.c"), into / "hellos"
    subprocess.run([compiler, "-O2", "-Wall", "-o", str(program), str(source)], check=True, timeout=PACED_S)
    return program


def _played(attack: str, number: int, hellos: Path, files: Files, cores: list[int]) -> Seen:
    seen = scene.play(attack, number, hellos, files, cores, SECONDS)
    felt = seen.calls
    print(
        f"{attack:<14} {seen.series}  p50 {felt.quiet_p50_ms:.2f} → {felt.p50_ms:.2f} ms, p99 {felt.quiet_p99_ms:.2f} → "
        f"{felt.p99_ms:.2f} ms, {felt.lost} of {felt.frames} frames lost, known {seen.known.admitted}, "
        f"unknown {seen.unknown.admitted}, challenges {seen.challenges.admitted}, attacker {dict(seen.attacker)}",
        flush=True,
    )
    return seen


def _costs(rounds: int, edges: list[Files], cores: list[int]) -> Costs:
    """Measure each way in each round; the one that is first changes. Raises ServerError, LoadError."""
    ways: dict[str, Callable[[], paced.Report]] = {PLAIN: lambda: _paced_plainly(edges[0], cores)}
    ways.update({files.haproxy.series: partial(_paced_over_edge, files, cores) for files in edges})
    found: Costs = {way: [] for way in ways}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for way in names[first:] + names[:first]:
            found[way].append(one := ways[way]())
            doubt = f"  ⚠️ others used {one.others_busy:.2f} cores" if one.others_busy > QUIET_CORES else ""
            used = " + ".join(f"{each:.1f}" for each in one.cpu_us_per_frame)
            print(f"round {number + 1}/{rounds}  {way:<5} {used} µs CPU a frame{doubt}", flush=True)
    return found


def _paced_plainly(files: Files, cores: list[int]) -> paced.Report:
    with plain(files, cores[0]) as server:
        return _paced(PLAIN_WS, server.pids(), files, cores[1])


def _paced_over_edge(files: Files, cores: list[int]) -> paced.Report:
    with edge(files, cores[0]) as host:
        scene.introduce(scene.CALLERS_ADDRESS, files, cores[1])
        return _paced(WSS, [*host.server.pids(), *host.haproxy.pids()], files, cores[1])


def _paced(url: str, pids: list[int], files: Files, core: int) -> paced.Report:
    words = [word for pid in pids for word in ("--pid", str(pid))]
    command = [sys.executable, "-m", "benchmarks.edge.paced", url, "--credential-file", str(files.credential), *words]
    child = scene.Child(CALLERS, core, files, *command)
    try:
        return paced.Report(**child.report(PACED_S))
    finally:
        child.end()


def _text(began: Began, seen: list[Seen], costs: Costs, versions: list[str]) -> str:
    parts = [attacks_table(seen), costs_table(costs) if costs[PLAIN] else ""]
    busy = max((one.others_busy for way in costs.values() for one in way), default=0.0)
    doubt = f" Other processes used up to {busy:.1f} cores meanwhile." if busy > QUIET_CORES else ""
    parts.append(
        f"Begun {began.at} at a load average of {began.load:.2f}; Debian's HAProxy {' and '.join(versions)}, "
        f"Python {platform.python_version()}, picows {metadata.version('picows')}.{doubt}"
    )
    return "\n\n".join(part for part in parts if part)


def _keep(seen: list[Seen], costs: Costs) -> Path:
    RAW.mkdir(exist_ok=True)
    path = RAW / f"edge-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    raw = {
        "attacks": [asdict(one) for one in seen],
        "costs": {way: [asdict(one) for one in figures] for way, figures in costs.items()},
    }
    path.write_text(json.dumps(raw, indent=1), "utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
