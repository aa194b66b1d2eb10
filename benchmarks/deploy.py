"""Measure how long `deploy.yml` takes, to a bare host and again with nothing to change: a table for docs/performance.md.

$ sudo python -m benchmarks.deploy
Debian 12 and 13, without an edge, with one and a self-signed certificate, and with one of an ACME authority (Debian's `pebble`,
on the host). Each on a fresh lab host, removed afterwards; a quarter of an hour of a machine that does nothing else.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.figures import QUIET_CORES, machine_s
from tests.lab.labhost import REPO, HostSpec, Play, bring_up, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.test_certificates import Lab

DOCUMENT: Final = REPO / "docs/performance.md"
SECTION: Final = "benchmarks.deploy"
SPECS: Final = {
    "12": HostSpec("exo-b12", "bookworm", "198.18.65.212"),
    "13": HostSpec("exo-b13", "trixie", "198.18.65.213"),
}


@dataclass(frozen=True)
class Way:
    """Way to deploy: its title, variables, and the goals in seconds of the first deploy and of those after it."""

    title: str
    variables: Mapping[str, object]
    first_s: float
    again_s: float


WAYS: Final = {
    "plain": Way("no edge", {"exotel_ws_edge": False}, 60, 15),
    "self_signed": Way("edge, self-signed", {"edge_certificate": "self_signed"}, 90, 20),
    "acme": Way("edge, ACME", {"edge_certificate": "acme"}, 90, 20),
}


@dataclass(frozen=True)
class Deploy:
    """Figures of one deploy; `tasks` are those that were not skipped, `changed` those that changed something."""

    seconds: float
    controller_s: float
    """CPU time of ansible-playbook and all that it started on the controller."""
    host_s: float
    """CPU time of the host."""
    others_busy: float
    """Cores that other processes used meanwhile."""
    tasks: int
    changed: int


@dataclass(frozen=True)
class Seen:
    """Figures of the first deploy to a host, and of those after it."""

    debian: str
    way: Way
    first: Deploy
    again: Sequence[Deploy]

    @property
    def again_s(self) -> float:
        """Return the median time of the deploys after the first."""
        return statistics.median(one.seconds for one in self.again)

    def missed(self) -> list[str]:
        """Return the goals that are not reached."""
        times = {"first": (self.first.seconds, self.way.first_s), "again": (self.again_s, self.way.again_s)}
        what = f"Debian {self.debian}, {self.way.title}"
        return [f"{what}, {which} {took:.1f} s of {goal:g} s" for which, (took, goal) in times.items() if took > goal]


def main() -> int:
    """Measure, and return 0 if all goals are reached, 1 if not or if a deploy failed."""
    options = _options()
    seen: list[Seen] = []
    try:
        for debian in options.debian or SPECS:
            for way in options.way or WAYS:
                seen.append(measure(debian, WAYS[way], options.again))
                print(row(seen[-1]), flush=True)
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    text = f"{table(seen)}\n\n{time.strftime('%Y-%m-%d')}; {len(seen[0].again)} deploys after the first, Python "
    text += f"{platform.python_version()} on the controller."
    print(f"\n{text}")
    if not (options.dry_run or options.debian or options.way):
        report.write(DOCUMENT, text, SECTION)
    missed = [goal for one in seen for goal in one.missed()]
    print("\n".join(f"missed: {goal}" for goal in missed), file=sys.stderr)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deploy", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--again", type=int, default=5, choices=range(1, 21), metavar="1-20", help="after the first; default: 5")
    parser.add_argument("--debian", choices=SPECS, action="append", help="only this one; may be given several times")
    parser.add_argument("--way", choices=WAYS, action="append", help="only this one; may be given several times")
    parser.add_argument("--dry-run", action="store_true", help=f"leave docs/{DOCUMENT.name} as it is")
    return parser.parse_args()


def measure(debian: str, way: Way, again: int) -> Seen:
    """Deploy to a bare host, and `again` times more. Raises AssertionError if one fails, or a later one changes something."""
    spec = SPECS[debian]
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as scratch:
        inventory = Path(scratch) / "hosts.yml"
        [host] = bring_up([spec], inventory)
        try:
            lab = Lab(host, copy_of_tree(Path(scratch) / "tree"), Path(scratch))
            if way.variables.get("edge_certificate") == "acme":
                lab.acme.start()
            first = timed(spec, lambda: lab.deploy(**way.variables))
            rest = [timed(spec, lambda: lab.deploy(**way.variables)) for _ in range(again)]
            assert not any(one.changed for one in rest), "a deploy after the first changed something"
        finally:
            host.disconnect()
            take_down([spec], inventory)
    return Seen(debian, way, first, rest)


def timed(spec: HostSpec, deploy: Callable[[], Play]) -> Deploy:
    """Return the figures of a deploy. Raises AssertionError if it fails."""
    before = time.monotonic(), machine_s(), _controller_s(), _host_s(spec)
    done = deploy()
    after = time.monotonic(), machine_s(), _controller_s(), _host_s(spec)
    assert done.rc == 0, done.stdout
    seconds, machine, controller, host = (now - then for now, then in zip(after, before, strict=True))
    return Deploy(seconds, controller, host, max(0.0, machine - controller - host) / seconds, done.ok, done.changed)


def table(seen: Sequence[Seen]) -> str:
    """Return the figures as a Markdown table; of the deploys after the first their medians (lowest–highest)."""
    head = ["Debian", "", "first", "goal", "again", "goal", "tasks", "CPU s: controller", "host", "others' cores"]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *map(row, seen)])


def row(seen: Seen) -> str:
    """Return a line of the table."""
    times = [one.seconds for one in seen.again]
    busiest = max(one.others_busy for one in (seen.first, *seen.again))
    cells = [
        *(seen.debian, seen.way.title),
        *(f"{seen.first.seconds:.1f} s", f"≤ {seen.way.first_s:g} s"),
        *(f"{seen.again_s:.1f} s ({min(times):.1f}–{max(times):.1f})", f"≤ {seen.way.again_s:g} s"),
        f"{seen.again[0].tasks}",
        f"{statistics.median(one.controller_s for one in seen.again):.1f}",
        f"{statistics.median(one.host_s for one in seen.again):.1f}",
        f"{busiest:.2f}{' ⚠️' * (busiest > QUIET_CORES)}",
    ]
    return f"| {' | '.join(cells)} |"


def _controller_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _host_s(spec: HostSpec) -> float:
    [stat] = Path("/sys/fs/cgroup").glob(f"**/exotel-lab/{spec.name}/cpu.stat")
    return int(stat.read_text().split()[1]) / 1e6


if __name__ == "__main__":
    sys.exit(main())
