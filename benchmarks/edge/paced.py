"""Calls at their pace to a server that is up, and the CPU time that its processes took for a frame.

`python -m benchmarks.edge.paced URL --credential-file FILE --pid SERVER --pid HAPROXY`: prints a `Report` as JSON.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import machine_s
from benchmarks.load import Calls, percentile
from benchmarks.server import Server
from benchmarks.wire import HEADERS

CALLS: Final = 100
WARM_S: Final = 1.0
SECONDS: Final = 5.0


@dataclass(frozen=True)
class Report:
    """Figures of `CALLS` paced calls: CPU time of each process for one frame in and one out, in the order of ``--pid``."""

    cpu_us_per_frame: list[float]
    p50_us: float
    p99_us: float
    others_busy: float
    """Cores that other processes used meanwhile."""


async def measure(url: str, headers: Mapping[str, str], pids: list[int]) -> Report:
    """Place the calls. Raises LoadError if one breaks."""
    servers = [Server(str(pid), 0, pid) for pid in pids]
    async with Calls(url, CALLS, headers) as calls:
        await calls.paced(WARM_S)
        machine, own, before = machine_s(), time.process_time(), [server.cpu_s() for server in servers]
        window = await calls.paced(SECONDS)
        used = [server.cpu_s() - begun for server, begun in zip(servers, before, strict=True)]
        others = machine_s() - machine - (time.process_time() - own) - sum(used)
        await calls.settle()
    return Report(
        [one * 1e6 / window.frames for one in used],
        percentile(window.round_trip_us, 50),
        percentile(window.round_trip_us, 99),
        max(0.0, others) / window.seconds,
    )


def main() -> int:
    """Return 0 once the report is printed. Raises LoadError if a call breaks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge.paced", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--credential-file", type=Path, required=True)
    parser.add_argument("--pid", type=int, action="append", required=True)
    options = parser.parse_args()
    credential = base64.b64encode(options.credential_file.read_bytes().split()[0]).decode()
    headers = {**HEADERS, "Authorization": f"Basic {credential}"}
    print(json.dumps(asdict(asyncio.run(measure(options.url, headers, options.pid)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
