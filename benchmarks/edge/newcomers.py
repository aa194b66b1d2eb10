"""New calls, one after the other, from one address in the namespace of the callers.

`python -m benchmarks.edge.newcomers URL --credential-file FILE --source ADDRESS`: places calls at least `--every` seconds apart
until `--count` were let in or `--seconds` are over; one that is refused is tried again. Prints a `Report` as JSON.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, sleep

from websockets.exceptions import WebSocketException

from benchmarks.attacks import newcomer


@dataclass
class Report:
    """``admitted`` calls got all their audio back; ``refused`` tries did not. Seconds from the beginning to the first and the
    last that was let in, and the longest that one of them took."""

    admitted: int = 0
    refused: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    slowest_s: float = 0.0
    why: list[str] = field(default_factory=list)


async def run(url: str, source: str, count: int, every: float, seconds: float) -> Report:
    """Place the calls; end one that is under way when the time is over."""
    report = Report()
    began = monotonic()
    while report.admitted < count and (left := began + seconds - monotonic()) > 0:
        placed = monotonic()
        try:
            async with asyncio.timeout(left):
                await newcomer.call(url, source)
            report.admitted += 1
            report.last_s = monotonic() - began
            report.first_s = report.first_s or report.last_s
            report.slowest_s = max(report.slowest_s, monotonic() - placed)
        except (OSError, WebSocketException, ValueError, EOFError) as error:
            report.refused += 1
            report.why = [*report.why, repr(error)][:5]
        await asyncio.sleep(max(0.0, placed + every - monotonic()))
    return report


def with_credential(url: str, file: Path) -> str:
    """Return the URL with the first credential of the file, for a client that takes it from there."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{file.read_text('utf-8').split()[0]}@{rest}"


def main() -> int:
    """Return 0 once the report is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge.newcomers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--credential-file", type=Path, required=True)
    parser.add_argument("--at", type=float, default=0.0, help="begin at this time of the monotonic clock")
    parser.add_argument("--source", required=True)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--every", type=float, default=0.4)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    sleep(max(0.0, options.at - monotonic()))
    url = with_credential(options.url, options.credential_file)
    print(json.dumps(asdict(asyncio.run(run(url, options.source, options.count, options.every, options.seconds)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
