"""Time to find the holder of a port: `exotelctl port-clean` beside `lsof -i :PORT` and `fuser PORT/tcp`, in one run.

$ sudo python -m benchmarks.port
On a lab host of its own with the server on it, among 5,000 processes and 20,000 TCP sockets: once with a stranger on the
port, once with our own units. About two minutes; the host is removed afterwards. Prints the table for docs/performance.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import port_host
from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down

SPEC = HostSpec("exo-b25", "bookworm", "198.18.65.125")
RELEASE_PYTHON = "/etc/exotel-ws/current/release/bin/python"
ON_HOST = "/tmp/port_host.py"
MOST_S = port_host.LIFE_S + 30
ROWS = {
    "`lsof -i :PORT`": "lsof",
    "`fuser PORT/tcp`": "fuser",
    "`port-clean --dry-run`, the whole command": "command",
    "its facts part": "facts",
    "`port-clean --thorough`, the whole command": "command, thorough",
    "its facts part, thorough": "facts, thorough",
}


def main() -> int:
    """Return 0 if the table is printed, 1 if the host could not be made ready, or a command failed on it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.port", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, choices=range(1, 51), metavar="1-50", help="default: 15")
    parser.add_argument("--processes", type=int, default=5000, choices=range(1, 5001), metavar="1-5000", help="default: 5000")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch:
        inventory = Path(scratch) / "hosts.yml"
        [host] = bring_up([SPEC], inventory)
        try:
            made_ready = play("deploy.yml", inventory=inventory)
            if made_ready.rc != 0:
                print(made_ready.stdout, file=sys.stderr)
                return 1
            print(table(measure(host, options.processes, options.rounds)))
        except AssertionError as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 1
        finally:
            host.disconnect()
            take_down([SPEC], inventory)
    return 0


def measure(host: LabHost, processes: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the times in ms by case. The crowd lives in a unit of its own, so that none of it can outlast the run."""
    host.run("sudo apt-get update -qq && sudo apt-get install -qq --no-install-recommends lsof psmisc", timeout=120)
    host.run(f"sudo tee {ON_HOST} >/dev/null <<'END'\n{Path(port_host.__file__).read_text()}END\n")
    bounds = f"--property=TasksMax=infinity --property=RuntimeMaxSec={port_host.LIFE_S}"
    done = host.run(
        f"sudo systemd-run --quiet --pipe --wait --collect {bounds} "
        f"--setenv=PATH=$PATH:/usr/sbin:/sbin {RELEASE_PYTHON} {ON_HOST} --processes {processes} --rounds {rounds}",
        timeout=MOST_S,
    )
    said: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    return said


def table(said: dict[str, dict[str, list[float]]]) -> str:
    """Return medians (lowest–highest) in ms, and the ratio of the medians to lsof's."""
    lines = ["| | a stranger holds it | ÷ `lsof` | our units hold it | ÷ `lsof` |", "|---|---|---|---|---|"]
    lines += [f"| {label} | {_cells(said['times_ms'], case)} |" for label, case in ROWS.items()]
    counted = said["crowd"]
    lines += ["", f"`exotelctl --help`: {_ms(said['times_ms']['help'])}. Median of {len(said['times_ms']['help'])} rounds "]
    lines[-1] += f"(lowest–highest); {counted['processes']} processes, {counted['sockets']} TCP sockets."
    return "\n".join(lines)


def _cells(times: dict[str, list[float]], case: str) -> str:
    cells: list[str] = []
    for holder in ("stranger", "unit"):
        taken = times.get(f"{holder} {case}")
        ratio = statistics.median(taken) / statistics.median(times[f"{holder} lsof"]) if taken else 0.0
        cells += [_ms(taken), f"{ratio:.2g}"] if taken else ["", ""]
    return " | ".join(cells)


def _ms(taken: list[float]) -> str:
    return f"{statistics.median(taken):.1f} ms ({min(taken):.1f}–{max(taken):.1f})"


if __name__ == "__main__":
    sys.exit(main())
