"""Traffic for the lab: paced calls that are held open, and short ones that keep arriving; every frame is checked.

$ python tests/lab/traffic.py ws://198.18.65.112:8765 --held 200 --arrivals 10 --most 120
$ python tests/lab/traffic.py wss://KEY:TOKEN@198.18.65.112 --ca-file edge.pem
Runs until standard input is closed (or ``--most`` seconds), lets every call finish, then prints its `Report` as JSON.
"""

import argparse
import asyncio
import base64
import json
import os
import ssl
import sys
from collections import deque
from dataclasses import asdict, dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from exotel_phone.wire import FRAME_MS, Ids, Stream, frame_bytes
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

RATE = 8000
CONNECT_TIMEOUT_S = 10.0  # Exotel's own
LAST_ECHO_S = 5.0
HEADERS = {"User-Agent": "Go-http-client/1.1"}


@dataclass
class Report:
    """Report of the callers: ``refused`` got no WebSocket, ``dropped`` lost it, ``wrong`` frames were changed or unasked for.

    ``certificates`` counts the calls that each certificate was shown to, by its serial number.
    """

    calls: int = 0
    refused: int = 0
    dropped: int = 0
    frames_sent: int = 0
    frames_echoed: int = 0
    wrong: int = 0
    slowest_echo_ms: float = 0.0
    slowest_connect_ms: float = 0.0
    certificates: dict[str, int] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)

    def note(self, why: str) -> None:
        """Keep the first few reasons."""
        if len(self.why) < 10:
            self.why.append(why)


class Caller(WSListener):
    """Caller in one call."""

    transport: WSTransport

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stream = Stream(Ids.new(), RATE)
        self._in_flight: deque[tuple[float, bytes]] = deque()
        self._begun = 0.0
        self._sent = 0
        self.over = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if shown := transport.underlying_transport.get_extra_info("peercert"):
            count = self._report.certificates
            count[shown["serialNumber"]] = count.get(shown["serialNumber"], 0) + 1
        transport.send(WSMsgType.TEXT, self._stream.connected().encode())
        transport.send(WSMsgType.TEXT, self._stream.start().encode())
        self._begun = monotonic()

    def send_due(self, now: float) -> None:
        """Send the frames that are due by now, 20 ms apart."""
        while not self.over and now >= self._begun + self._sent * FRAME_MS / 1000:
            pcm = os.urandom(frame_bytes(RATE))
            message = self._stream.media(pcm)
            payload = message.partition('"payload":"')[2].partition('"')[0].encode()
            self._in_flight.append((monotonic(), payload))
            self.transport.send(WSMsgType.TEXT, message.encode())
            self._sent += 1
            self._report.frames_sent += 1

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        report = self._report
        message = frame.get_payload_as_bytes()
        if frame.msg_type != WSMsgType.TEXT:
            return
        sent_at, payload = self._in_flight.popleft() if self._in_flight else (0.0, b"nothing")
        if payload in message:
            report.frames_echoed += 1
            report.slowest_echo_ms = max(report.slowest_echo_ms, (monotonic() - sent_at) * 1000)
        else:
            report.wrong += 1
            report.note(f"unexpected: {message[:120]!r}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.over:
            self.over = True
            self._report.dropped += 1
            self._report.note(f"dropped after {monotonic() - self._begun:.1f} s: {transport.close_handshake}")

    async def hang_up(self) -> None:
        """Wait for the last echoes, then end as Exotel does: stop, and a TCP drop without a close frame."""
        deadline = monotonic() + LAST_ECHO_S
        while self._in_flight and not self.over and monotonic() < deadline:
            await asyncio.sleep(0.01)
        if not self.over:
            self.over = True
            self.transport.send(WSMsgType.TEXT, self._stream.stop().encode())
            self.transport.disconnect()


class Traffic:
    """All callers of one run."""

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        self.report = Report()
        credential, at, host = urlsplit(url).netloc.rpartition("@")
        self._url = urlsplit(url)._replace(netloc=host).geturl()
        shown = {"Authorization": f"Basic {base64.b64encode(credential.encode()).decode()}"} if at else {}
        self._headers = {**HEADERS, **shown}
        self._tls = ssl.create_default_context(cafile=ca_file) if url.startswith("wss:") else None
        self._sending: set[Caller] = set()

    async def call(self) -> Caller | None:
        """Place a call; None where it was refused."""
        self.report.calls += 1
        begin = monotonic()
        caller = Caller(self.report)
        try:
            await ws_connect(
                lambda: caller,
                self._url,
                ssl_context=self._tls,
                extra_headers=self._headers,
                websocket_handshake_timeout=CONNECT_TIMEOUT_S,
            )
        except (OSError, WSError, TimeoutError) as error:
            self.report.refused += 1
            self.report.note(f"refused: {error!r}")
            return None
        self.report.slowest_connect_ms = max(self.report.slowest_connect_ms, (monotonic() - begin) * 1000)
        self._sending.add(caller)
        return caller

    async def end(self, caller: Caller) -> None:
        """End a call; no frame is sent any more."""
        self._sending.discard(caller)
        await caller.hang_up()

    async def short_call(self, seconds: float) -> None:
        """Place a call and hang up."""
        caller = await self.call()
        if caller:
            await asyncio.sleep(seconds)
            await self.end(caller)

    async def pace(self) -> None:
        """Send what is due on every call; runs until cancelled."""
        while True:
            now = monotonic()
            for caller in tuple(self._sending):
                caller.send_due(now)
            await asyncio.sleep(0.004)

    async def run(self, *, held: int, arrivals_per_s: float, most_s: float) -> Report:
        """Hold ``held`` calls and let new ones of 2 s arrive, until standard input ends or ``most_s`` has passed."""
        pacing = asyncio.create_task(self.pace())
        holding = [caller for _ in range(held) if (caller := await self.call())]
        print("holding", flush=True)
        over = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        arriving: set[asyncio.Task[None]] = set()
        deadline = monotonic() + most_s
        while not over.done() and monotonic() < deadline:
            if arrivals_per_s:
                arriving.add(asyncio.create_task(self.short_call(2.0)))
            await asyncio.sleep(1 / arrivals_per_s if arrivals_per_s else 0.1)
        await asyncio.gather(*arriving)
        await asyncio.gather(*map(self.end, holding))
        pacing.cancel()
        return self.report


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--held", type=int, default=200)
    parser.add_argument("--arrivals", type=float, default=10.0, help="new calls a second")
    parser.add_argument("--most", type=float, default=120.0, help="seconds")
    parser.add_argument("--ca-file", help="CA, or self-signed certificate, that wss is checked by")
    options = parser.parse_args()
    traffic = Traffic(options.url, options.ca_file)
    report = asyncio.run(traffic.run(held=options.held, arrivals_per_s=options.arrivals, most_s=options.most))
    print(json.dumps(asdict(report)), flush=True)
    os._exit(0)  # The thread that reads standard input may still wait there.


if __name__ == "__main__":
    main()
