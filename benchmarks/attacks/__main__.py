"""One live call beside each attack, on each engine, before the bounds and with them: a table for docs/performance.md.

$ python -m benchmarks.attacks
picows      tiny-40     before: p95 1312.4 ms, +12 MB, 8 of 12 let in   now: p95 2.1 ms, +3 MB, 30 of 30 let in

Server on one core, the call and the attackers on the other; eight minutes. Exit code 1: a goal is missed, which is named.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.__main__ import DOCUMENT, RAW, free_port
from benchmarks.ai import echo
from benchmarks.attacks.attacker import ATTACKS
from benchmarks.attacks.processes import ROOT, Scene, attacked
from benchmarks.load import Calls, LoadError, percentile
from benchmarks.server import Server, ServerError, launched
from benchmarks.trees import server_at

BEFORE: Final = "e591967daa732a745a8c993cf9c1cb5ea9fa7cd4"
"""Last commit without bounds on each source."""
ENGINES: Final = ("picows", "websockets")
FILES: Final = 1024
WARM_S: Final = 1.0
GOAL_P95_MS: Final = 100.0
GOAL_MB: Final = 64.0
GOAL_ADMITTED_S: Final = 1.0
GOAL_CPU: Final = 1.03
MB: Final = 1024.0


@dataclass(frozen=True)
class Seen:
    """Result of one attack on one tree and engine. ``broken`` says why the live call broke; empty if it did not."""

    p95_ms: float
    memory_mb: float
    admitted: int
    tried: int
    admitted_s: float
    ended: int
    broken: str = ""

    def missed(self) -> list[str]:
        """Return the goals that are not reached."""
        goals = {
            "the call broke": not self.broken,
            "p95": self.p95_ms < GOAL_P95_MS,
            "memory": self.memory_mb < GOAL_MB,
            "others let in": self.admitted == self.tried,
            "others let in within a second": self.admitted_s < GOAL_ADMITTED_S,
        }
        return [name for name, reached in goals.items() if not reached]

    def __str__(self) -> str:
        if self.broken:
            return "the call is lost"
        slow = f", slowest {self.admitted_s:.1f} s" if self.admitted_s >= GOAL_ADMITTED_S else ""
        return f"{self.p95_ms:.1f} ms, {self.memory_mb:+.0f} MB, {self.admitted}/{self.tried} let in{slow}"


def main() -> int:
    """Return 0 if all goals are reached; 1 if one is not, or the table could not be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each attack lasts; default: 10")
    parser.add_argument("--attack", action="append", choices=list(ATTACKS), help="only this one; may be given several times")
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--dry-run", action="store_true", help=f"leave docs/{DOCUMENT.name} as it is")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("benchmarks: two cores are needed, one for the server and one for the load", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, {cores[1]})
    rows: dict[tuple[str, str], dict[str, Seen]] = {}
    try:
        with server_at(BEFORE) as old:
            trees = {"before": old, "now": ROOT} if old else {"now": ROOT}
            for engine in options.engine or ENGINES:
                for attack in options.attack or ATTACKS:
                    rows[attack, engine] = {name: measure(tree, engine, attack, options.seconds, cores[0])
                                            for name, tree in trees.items()}  # fmt: skip
                    print(
                        f"{engine:<11} {attack:<11} " + "   ".join(f"{k}: {v}" for k, v in rows[attack, engine].items()),
                        flush=True,
                    )
            cpu = cpu_ratio(trees, cores) if old and not options.attack else 0.0
    except (LoadError, ServerError, subprocess.SubprocessError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    text = table(rows, cpu)
    print(f"\n{text}\n\nraw figures: {_keep(rows)}")
    if not (options.dry_run or options.attack or options.engine):
        report.write(DOCUMENT, text, "benchmarks.attacks")
    missed = [f"{attack}, {engine}: {goal}" for (attack, engine), seen in rows.items() for goal in seen["now"].missed()]
    missed += [f"CPU per frame: {cpu:.3f}"] if cpu > GOAL_CPU else []
    print("\n".join(f"missed: {goal}" for goal in missed), file=sys.stderr)
    return 1 if missed else 0


def measure(tree: Path, engine: str, attack: str, seconds: float, core: int) -> Seen:
    """Run one attack on a fresh server of ``tree``, beside a live call. Raises ServerError."""
    port = free_port()
    serve = [sys.executable, "-m", "exotel_ws", "serve", "--mode", "echo", "--engine", engine, "--host", "127.0.0.1"]
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
        options = ["--port", str(port), "--log-format", "json", "--metrics-dir", str(Path(folder, "metrics"))]
        limited = ["prlimit", f"--nofile={FILES}:{FILES}", "--"] if attack == "files" else []
        command = [*limited, *serve, *options]
        environment = {"PYTHONPATH": str(tree / "server")}
        with launched(engine, command, [core], port, Path(folder), env=environment) as server:
            return asyncio.run(_beside(server, attack, seconds))


async def _beside(server: Server, attack: str, seconds: float) -> Seen:
    round_trip_us: list[float] = []
    broken, most_kib, before_kib = "", 0.0, server.memory_kib()
    with attacked(attack, server.port, seconds) as scene:
        try:
            async with Calls(server.url, 1) as calls:
                for _ in range(int(seconds)):
                    round_trip_us += (await calls.paced(WARM_S)).round_trip_us
                    most_kib = max(most_kib, server.memory_kib())
                await calls.settle()
        except Exception as error:
            broken = repr(error)
        attacked_by, came = await asyncio.to_thread(Scene.reports, scene)
    p95_ms = percentile(sorted(round_trip_us), 95) / 1000
    most_kib = max(most_kib, server.memory_kib())
    return Seen(p95_ms, (most_kib - before_kib) / MB, came.admitted, came.tried, came.slowest_s,
                attacked_by.ended + attacked_by.refused, broken)  # fmt: skip


def cpu_ratio(trees: dict[str, Path], cores: list[int]) -> float:
    """Return CPU time per frame now, divided by that before. Raises LoadError and ServerError."""
    measured = echo.measure(trees, cores, 4.0, 1)
    return measured["now"].cpu_us_per_frame / measured["before"].cpu_us_per_frame


def table(rows: dict[tuple[str, str], dict[str, Seen]], cpu: float) -> str:
    """Return the results as a Markdown table."""
    names = list(next(iter(rows.values())))
    lines = ["| for 10 s, beside one call | engine | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    lines += [f"| {attack} | {engine} | " + " | ".join(str(seen[name]) for name in names) + " |"
              for (attack, engine), seen in rows.items()]  # fmt: skip
    if cpu:
        lines += ["", f"CPU per frame, 100 paced calls, now ÷ before: {cpu:.2f} (goal: at most {GOAL_CPU})."]
    return "\n".join(lines)


def _keep(rows: dict[tuple[str, str], dict[str, Seen]]) -> Path:
    RAW.mkdir(exist_ok=True)
    path = RAW / f"attacks-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    raw = [{"attack": attack, "engine": engine, **{name: asdict(one) for name, one in seen.items()}}
           for (attack, engine), seen in rows.items()]  # fmt: skip
    path.write_text(json.dumps(raw, indent=1))
    return path


if __name__ == "__main__":
    sys.exit(main())
