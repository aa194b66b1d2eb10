"""Measure AI mode: spoken calls to our server and to pipecat's own Exotel path, and the cost to echo mode; then print the tables.

What calls by remote services cost is measured with fakes of them: `benchmarks.ai.remote`.
How well callers are heard is measured with voices and sentences of its own: `benchmarks.ai.listening`.

$ python -m benchmarks.ai
round 1/3  ours      1 call: p50 512 ms, p95 604 ms  10 calls in step: p95 1310 ms  50 of 50 right
round 1/3  pipecat   1 call: p50 640 ms, p95 811 ms  10 calls in step: p95 1920 ms  50 of 50 right
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from itertools import chain
from pathlib import Path

from benchmarks.__main__ import DOCUMENT, RAW, free_port
from benchmarks.ai import echo, loads, report, server, speech
from benchmarks.ai.figures import Figures, figures
from benchmarks.ai.listening import run, table
from benchmarks.ai.listening.voices import VoicesError
from benchmarks.ai.remote import run as remote
from benchmarks.ai.server import OURS, PEER
from benchmarks.figures import QUIET_CORES
from benchmarks.load import LoadError
from benchmarks.report import write
from benchmarks.server import ServerError
from benchmarks.trees import server_at

SECTION = "benchmarks.ai"
CALLS, LISTENING, REMOTE = "calls", "listening", "remote"
ROUNDS = 3
ECHO_S = 1.5
STARTS = 3
PACKAGES = ("pipecat-ai", "moonshine-voice", "hibari-tts", "onnxruntime", "picows", "fastapi", "uvicorn")
LATE_MS = 40.0
"""Lateness in ms, two frames, from which callers distort their latencies."""


def main() -> int:
    """Return 0 if the tables are made, 1 if they are not, with the reason on stderr."""
    options = _options()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        print("benchmarks.ai: two cores are needed", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, cores)
    for ending in (signal.SIGINT, signal.SIGTERM):  # by way of `finally`, so that the server under test ends too
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    rounds = 1 if options.quick else ROUNDS
    try:
        speech.install_voices()
        if options.only in (None, CALLS):
            _calls(rounds, cores, options.quick)
        if options.only in (None, REMOTE):
            _remote(rounds, cores, options.quick)
        if options.only not in (CALLS, REMOTE):
            _listening(rounds, cores, [options.only] if options.only in run.PARTS else run.PARTS, write_it=not options.quick)
    except (LoadError, ServerError, VoicesError, subprocess.SubprocessError, OSError) as error:
        print(f"benchmarks.ai: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ai", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"one round, to try it; docs/{DOCUMENT.name} stays as it is")
    parser.add_argument(
        "--only",
        choices=(CALLS, REMOTE, LISTENING, *run.PARTS),
        help=f"{CALLS}: speed and cost; {REMOTE}: cost by remote services; {LISTENING}: how well callers are heard, of which "
        f"{run.COUNTS} needs no quiet machine, {run.TIMES} one; these two alone write nothing into docs/{DOCUMENT.name}",
    )
    return parser.parse_args()


def _calls(rounds: int, cores: list[int], quick: bool) -> None:
    measured = [_round(number, rounds, cores, loads.QUICK if quick else loads.FULL) for number in range(rounds)]
    echoed = _echo(rounds, cores, ECHO_S / 3 if quick else ECHO_S, 1 if quick else STARTS)
    text = _text(measured, echoed)
    print(f"\n{text}\n\nraw figures: {_keep(measured, echoed)}")
    _tell(report.missed([one[OURS] for one in measured]))
    if not quick:
        write(DOCUMENT, text, SECTION)


def _remote(rounds: int, cores: list[int], quick: bool) -> None:
    found = remote.measured(cores, rounds)
    text = remote.text(found)
    path = RAW / f"remote-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    RAW.mkdir(exist_ok=True)
    path.write_text(json.dumps(remote.kept(found)))
    print(f"\n{text}\n\nraw figures: {path}")
    _tell(remote.missed(found))
    if not quick:
        write(DOCUMENT, text, f"{SECTION}.{REMOTE}")


def _listening(rounds: int, cores: list[int], parts: Sequence[str], *, write_it: bool) -> None:
    run.prepare()
    found = run.measure(cores, rounds, parts)
    text = run.text(found)
    print(f"\n{text}\n\nraw figures: {run.keep(found)}")
    _tell(table.missed(found[OURS]))
    if write_it and set(parts) == set(run.PARTS):
        write(DOCUMENT, text, f"{SECTION}.{LISTENING}")


def _tell(missed: Sequence[str]) -> None:
    for goal in missed:
        print(f"⚠️ goal missed: {goal}")


def _round(number: int, of: int, cores: list[int], size: loads.Size) -> dict[str, Figures]:
    """Measure both servers, one after the other; the first one changes from round to round."""
    found = {}
    for name in (OURS, PEER) if number % 2 == 0 else (PEER, OURS):
        with (
            tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch,
            server.running(name, cores, free_port(), Path(scratch)) as bot,
        ):
            carried_out = asyncio.run(loads.carry_out(bot, size))
        found[name] = figures(carried_out)
        print(f"round {number + 1}/{of}  {name:<8}  {_line(found[name])}", flush=True)
    return found


def _echo(rounds: int, cores: list[int], seconds: float, starts: int) -> dict[str, list[echo.Echo]]:
    """Measure echo mode before and with AI mode, by turns; return nothing if this clone lacks the earlier tree."""
    found: dict[str, list[echo.Echo]] = {"before": [], "now": []}
    with server_at(echo.BEFORE) as old:
        if old is None:
            return {}
        os.sched_setaffinity(0, cores[1:])
        for _ in range(rounds):
            for name, measured in echo.measure({"before": old, "now": echo.ROOT}, cores, seconds, starts).items():
                found[name].append(measured)
        os.sched_setaffinity(0, cores)
    return found


def _line(found: Figures) -> str:
    parts = found.parts.values()
    doubts = [f"  wrong, {name}: {what}" for name, part in found.parts.items() for what in part.wrong]
    doubts += [f"  garbage, {name}: {what}" for name, part in found.parts.items() for what in part.garbage]
    if (busy := max(part.others_busy for part in parts)) > QUIET_CORES:
        doubts.append(f"  ⚠️ other processes used {busy:.2f} cores: repeat this when the machine is quiet")
    if (late := max(part.late_ms for part in parts)) > LATE_MS:
        doubts.append(f"  ⚠️ the callers were up to {late:.0f} ms late themselves")
    right, asked = sum(part.right for part in parts), sum(part.asked for part in parts)
    p50, p95, in_step = (row.shown([found]) for row in (report.ALONE_P50, report.ALONE_P95, report.IN_STEP_P95))
    line = f"1 call: p50 {p50}, p95 {p95}  {loads.MANY} calls in step: p95 {in_step}  {right} of {asked} right"
    return "\n".join([line, *doubts])


def _text(measured: Sequence[dict[str, Figures]], echoed: dict[str, list[echo.Echo]]) -> str:
    ours, theirs = ([one[name] for one in measured] for name in (OURS, PEER))
    tables = [report.comparison(ours, theirs), report.stages(ours)]
    if echoed:
        tables.append(report.echo(echoed["before"], echoed["now"]))
    return "\n\n".join([*tables, _conditions(measured)])


def _conditions(measured: Sequence[dict[str, Figures]]) -> str:
    parts = list(chain.from_iterable(found.parts.values() for one in measured for found in one.values()))
    late_ms, callers, others = (
        max(getattr(part, name) for part in parts) for name in ("late_ms", "callers_cores", "others_busy")
    )
    used = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return (
        f"{len(measured)} round{'s' * (len(measured) > 1)}, {datetime.now(UTC):%Y-%m-%d}: latencies are of all of them together, "
        f"ratios the median of the rounds (lowest–highest). The callers were at most {late_ms:.0f} ms behind their own pace and "
        f"used up to {callers:.2f} cores, other processes {others:.2f}. Python {platform.python_version()}, {used}. "
        "Again: `python -m benchmarks.ai`, a quarter of an hour."
    )


def _keep(measured: Sequence[dict[str, Figures]], echoed: dict[str, list[echo.Echo]]) -> Path:
    RAW.mkdir(exist_ok=True)
    path = RAW / f"ai-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    rounds = [{name: asdict(found) for name, found in one.items()} for one in measured]
    path.write_text(
        json.dumps({"rounds": rounds, "echo": {name: [asdict(one) for one in each] for name, each in echoed.items()}})
    )
    return path


if __name__ == "__main__":
    sys.exit(main())
