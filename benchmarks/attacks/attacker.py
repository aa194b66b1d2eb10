"""One attack on a server of our own: `python -m benchmarks.attacks.attacker ATTACK --port PORT --source 127.0.0.2`.

It ends by itself after --seconds (at most 300), never sends more than 1 GiB, and prints a `Report` as JSON.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import json
import resource
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from time import monotonic
from typing import Final

CONNECT_S: Final = 10.0
PAUSE_S: Final = 0.05
MOST_BYTES: Final = 1 << 30
MOST_S: Final = 300.0
_LOCAL: Final = [ipaddress.ip_network(text) for text in ("127.0.0.0/8", "198.18.0.0/15")]
"""Networks that may be attacked: loopback and the lab's."""


@dataclass
class Report:
    """Counts of one attacker. ``refused``: no answer, or not the one asked for; ``ended``: closed by the server afterwards."""

    tried: int = 0
    accepted: int = 0
    refused: int = 0
    ended: int = 0
    sent_bytes: int = 0


class Attacker:
    """Connections from ``source`` to ``host``:``port`` until ``until`` (`monotonic`)."""

    def __init__(self, host: str, port: int, source: str, until: float) -> None:
        self._host, self._port, self._source = host, port, source
        self._until = until
        self.report = Report()

    @property
    def over(self) -> bool:
        """Return whether the time or the bytes are used up."""
        return monotonic() >= self._until or self.report.sent_bytes >= MOST_BYTES

    async def keep_busy(self, count: int, body: Callable[["Attacker"], Awaitable[None]]) -> None:
        """Run ``body`` in ``count`` parallel tasks, over and over until the end."""
        await asyncio.gather(*(self._again(body) for _ in range(count)))

    async def _again(self, body: Callable[["Attacker"], Awaitable[None]]) -> None:
        while not self.over:
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                async with asyncio.timeout(self._until - monotonic() + 1):
                    await body(self)
            await asyncio.sleep(PAUSE_S)

    async def connect(self, request: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and send ``request``. Raises OSError."""
        self.report.tried += 1
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port, local_addr=(self._source, 0))
        except (OSError, TimeoutError):
            self.report.refused += 1
            raise
        await self.send(writer, request)
        return reader, writer

    async def upgraded(self, path: str = "/") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a WebSocket. Raises OSError and EOFError."""
        reader, writer = await self.connect(upgrade(path))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            head = b""
        if b" 101 " not in head[:16]:
            self.report.refused += 1
            writer.transport.abort()
            raise EOFError
        self.report.accepted += 1
        return reader, writer

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Write and wait until most of the buffer is sent. Raises OSError."""
        writer.write(data)
        self.report.sent_bytes += len(data)
        await writer.drain()

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep a connection open and silent until the server closes it, or the attack ends."""
        try:
            async with asyncio.timeout(max(0.0, self._until - monotonic())):
                while await reader.read(65536):
                    pass
            self.report.ended += 1
        except TimeoutError:
            pass
        except OSError:
            self.report.ended += 1
        writer.transport.abort()

    async def flood(self, begin: bytes, block: bytes) -> None:
        """Open a WebSocket, send ``begin``, then ``block`` over and over, reading all answers."""
        reader, writer = await self.upgraded()
        holding = asyncio.create_task(self.hold(reader, writer))
        try:
            await self.send(writer, begin)
            while not self.over and not holding.done():
                await self.send(writer, block)
                await asyncio.sleep(0)
        finally:
            await holding


def upgrade(path: str = "/") -> bytes:
    """Return the bytes of a WebSocket handshake as Exotel writes it."""
    lines = (f"GET {path} HTTP/1.1", "Host: a", "User-Agent: Go-http-client/1.1", "Connection: Upgrade", "Upgrade: websocket",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", "")  # fmt: skip
    return "\r\n".join(lines).encode()


def frame(text: bytes) -> bytes:
    """Return a masked text frame; the mask is zero."""
    size = len(text)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + bytes(4) + text
    if size < 65536:
        return b"\x81\xfe" + size.to_bytes(2, "big") + bytes(4) + text
    return b"\x81\xff" + size.to_bytes(8, "big") + bytes(4) + text


def _mark(size: int) -> bytes:
    return frame(json.dumps({"event": "mark", "stream_sid": "a" * 32, "mark": {"name": "m" * size}}).encode())


TINY: Final = frame(b"{}") * 512
START: Final = frame(json.dumps({"event": "start", "stream_sid": "a" * 32, "start": {"call_sid": "b" * 32}}).encode())
MARKS: Final = _mark(4000) * 8 + _mark(200_000)
LONG_PATH: Final = "/" + "x/" * 7990
METRICS: Final = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


async def _ask(attacker: Attacker, request: bytes) -> None:
    reader, writer = await attacker.connect(request)
    try:
        if (await reader.read(65536))[:12].endswith(b"200"):
            attacker.report.accepted += 1
        else:
            attacker.report.refused += 1
    finally:
        writer.transport.abort()


async def _come_and_go(attacker: Attacker) -> None:
    _, writer = await attacker.upgraded()
    writer.transport.abort()


async def _silent(attacker: Attacker) -> None:
    await attacker.hold(*await attacker.upgraded())


async def _half_a_head(attacker: Attacker) -> None:
    await attacker.hold(*await attacker.connect(b"GET / HT"))


ATTACKS: Final[dict[str, tuple[int, Callable[[Attacker], Awaitable[None]]]]] = {
    "tiny-10": (10, lambda attacker: attacker.flood(b"", TINY)),
    "tiny-40": (40, lambda attacker: attacker.flood(b"", TINY)),
    "metrics": (300, partial(_ask, request=METRICS)),
    "long-paths": (20, partial(_ask, request=upgrade(LONG_PATH))),
    "no-start": (2000, _silent),
    "marks": (4, lambda attacker: attacker.flood(START, MARKS)),
    "files": (3000, _half_a_head),
    "short": (50, _come_and_go),
}
"""Attacks by name: connections at a time, and the behaviour of each."""


def main() -> int:
    """Return 0 once the attack has ended and its report is printed; 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks.attacker", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("attack", choices=list(ATTACKS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--source", default="127.0.0.2")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    if not any(ipaddress.ip_address(options.host) in network for network in _LOCAL):
        parser.error(f"{options.host} is neither loopback nor a lab host")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count, body = ATTACKS[options.attack]
    attacker = Attacker(options.host, options.port, options.source, monotonic() + min(options.seconds, MOST_S))
    asyncio.run(attacker.keep_busy(count, body))
    print(json.dumps(asdict(attacker.report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
