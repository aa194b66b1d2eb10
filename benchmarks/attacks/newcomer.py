"""Short calls from one more source, one after the other: `python -m benchmarks.attacks.newcomer --port PORT --source 127.0.0.9`.

Each connects, starts, and sends three frames that must come back as they are. Prints a `Report` as JSON.
"""

import argparse
import asyncio
import base64
import json
import secrets
import sys
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

BOUND_S: Final = 30.0
PAUSE_S: Final = 0.3
FRAMES: Final = 3


@dataclass
class Report:
    """``admitted`` of ``tried`` calls got all their audio back; the slowest of them took ``slowest_s``."""

    tried: int = 0
    admitted: int = 0
    slowest_s: float = 0.0
    why: list[str] = field(default_factory=list)


async def call(url: str, source: str) -> None:
    """Make one call. Raises OSError, TimeoutError, WebSocketException, ValueError if the echo differs from the frame."""
    sid = secrets.token_hex(16)
    async with connect(url, compression=None, proxy=None, local_addr=(source, 0), open_timeout=BOUND_S) as socket:
        start = {"stream_sid": sid, "call_sid": sid, "media_format": {"sample_rate": "8000"}}
        await socket.send(json.dumps({"event": "start", "stream_sid": sid, "start": start}))
        for chunk in range(FRAMES):
            payload = base64.b64encode(secrets.token_bytes(320)).decode()
            await socket.send(
                json.dumps({"event": "media", "stream_sid": sid, "media": {"chunk": chunk + 1, "payload": payload}})
            )
            if json.loads(await socket.recv())["media"]["payload"] != payload:
                raise ValueError("another payload came back")


async def run(url: str, source: str, seconds: float) -> Report:
    """Make calls for ``seconds``; let the last one finish."""
    report = Report()
    end = monotonic() + seconds
    while monotonic() < end:
        report.tried += 1
        began = monotonic()
        try:
            async with asyncio.timeout(BOUND_S):
                await call(url, source)
            report.admitted += 1
            report.slowest_s = max(report.slowest_s, monotonic() - began)
        except (OSError, WebSocketException, ValueError) as error:
            report.why = [*report.why, repr(error)][:5]
        await asyncio.sleep(PAUSE_S)
    return report


def main() -> int:
    """Return 0 once the report is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks.newcomer", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--source", default="127.0.0.9")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    print(json.dumps(asdict(asyncio.run(run(f"ws://{options.host}:{options.port}/", options.source, options.seconds)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
