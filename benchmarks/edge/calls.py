"""Calls of exotel_phone's load in the namespace of the callers, with what they saw before an attack and during it.

`python -m benchmarks.edge.calls URL --credential-file FILE --at TIME`: begins at TIME by the monotonic clock, and prints a
`Report` as JSON at its end. The attack is to begin `ATTACK_AT_S` later.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from exotel_phone.load.file_limit import raise_file_limit
from exotel_phone.load.fleet import Fleet, WorkerFailed
from exotel_phone.load.plan import plan
from exotel_phone.load.tally import Tally
from exotel_phone.options import LoadOptions
from exotel_phone.target import parse

RAMP_S: Final = 3
QUIET_AT_S: Final = 5
ATTACK_AT_S: Final = 13
AFTER_S: Final = 7


@dataclass(frozen=True)
class Report:
    """Figures of the calls: round trips in ms, and the lateness of this machine's own sending (p99) while attacked."""

    quiet_p50_ms: float
    quiet_p99_ms: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    late_p99_ms: float
    frames: int
    lost: int
    perfect: int
    placed: int
    notes: list[str]


def main() -> int:
    """Return 0 once the report is printed, 1 if the load could not be carried out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge.calls", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--credential-file", type=Path, required=True)
    parser.add_argument("--at", type=float, default=0.0)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--attack-seconds", type=int, default=10)
    options = parser.parse_args()
    seconds = ATTACK_AT_S + options.attack_seconds + AFTER_S
    load = LoadOptions(url=options.url, calls=options.calls, ramp=RAMP_S, seconds=seconds)
    raise_file_limit(options.calls)
    tallies: dict[int, Tally] = {}
    with Fleet(plan(parse(options.url, options.credential_file), load, 1)) as fleet:
        try:
            sleep(max(0.0, options.at - monotonic()))
            fleet.begin()
            for heard in fleet.news(1.0):
                for news in heard:
                    tallies.setdefault(news.second, Tally()).merge(news.tally)
        except WorkerFailed as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 1
    print(json.dumps(asdict(judged(tallies, options.attack_seconds))))
    return 0


def judged(tallies: dict[int, Tally], attack_s: int) -> Report:
    """Return what the calls saw, from their tallies by second of the load."""
    whole = _merged(tallies, 0, max(tallies) + 1)
    quiet = _merged(tallies, QUIET_AT_S, ATTACK_AT_S)
    attacked = _merged(tallies, ATTACK_AT_S, ATTACK_AT_S + attack_s)
    media = whole.of("media")
    return Report(
        quiet_p50_ms=quiet.round_trip.percentile(50) or 0.0,
        quiet_p99_ms=quiet.round_trip.percentile(99) or 0.0,
        p50_ms=attacked.round_trip.percentile(50) or 0.0,
        p99_ms=attacked.round_trip.percentile(99) or 0.0,
        most_ms=attacked.round_trip.most,
        late_p99_ms=attacked.late.percentile(99) or 0.0,
        frames=media.sent,
        lost=whole.lost + whole.unexpected,
        perfect=whole.perfect,
        placed=whole.placed,
        notes=whole.notes,
    )


def _merged(tallies: dict[int, Tally], begin: int, end: int) -> Tally:
    merged = Tally()
    for second, tally in tallies.items():
        if begin <= second < end:
            merged.merge(tally)
    return merged


if __name__ == "__main__":
    sys.exit(main())
