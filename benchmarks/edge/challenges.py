"""Challenges of an ACME authority, at port 80 of the edge: answered in certbot's place, and asked for by an authority.

`python -m benchmarks.edge.challenges answer PORT` answers until it is ended. `… ask ADDRESS --source ADDRESS` asks for one after
the other, and prints a `newcomers.Report` as JSON: ``admitted`` were answered, ``refused`` were not.
"""

import argparse
import http.client
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic, sleep
from typing import Final

from benchmarks.edge.newcomers import Report

PATH: Final = "/.well-known/acme-challenge/token"
ANSWER: Final = b"token.thumbprint"
ANSWER_S: Final = 2.0


class _Certbot(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def ask(address: str, source: str) -> None:
    """Ask once. Raises OSError without an answer in time, ValueError if it is another one."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_S, source_address=(source, 0))
    try:
        connection.request("GET", PATH)
        if (answer := connection.getresponse().read()) != ANSWER:
            raise ValueError(f"another answer came: {answer[:100]!r}")
    except http.client.HTTPException as error:
        raise OSError(repr(error)) from None
    finally:
        connection.close()


def run(once: Callable[[], None], count: int, every: float, seconds: float) -> Report:
    """Ask ``count`` times or until the time is over, at least ``every`` seconds apart."""
    report, began = Report(), monotonic()
    while report.admitted + report.refused < count and monotonic() < began + seconds:
        asked = monotonic()
        try:
            once()
            report.admitted += 1
            report.last_s = monotonic() - began
            report.first_s = report.first_s or report.last_s
            report.slowest_s = max(report.slowest_s, monotonic() - asked)
        except (OSError, ValueError) as error:
            report.refused += 1
            report.why = [*report.why, repr(error)][:5]
        sleep(max(0.0, asked + every - monotonic()))
    return report


def main() -> int:
    """Return 0 once the report is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge.challenges", description=(__doc__ or "").partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    answers = verbs.add_parser("answer")
    answers.add_argument("port", type=int)
    asks = verbs.add_parser("ask")
    asks.add_argument("address")
    asks.add_argument("--source", required=True)
    asks.add_argument("--at", type=float, default=0.0, help="begin at this time of the monotonic clock")
    asks.add_argument("--count", type=int, default=20)
    asks.add_argument("--every", type=float, default=0.4)
    asks.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    if options.verb == "answer":
        HTTPServer(("127.0.0.1", options.port), _Certbot).serve_forever()
    sleep(max(0.0, options.at - monotonic()))
    asked = run(lambda: ask(options.address, options.source), options.count, options.every, options.seconds)
    print(json.dumps(asdict(asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
