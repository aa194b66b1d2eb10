"""Attacks on the edge that take a TLS client: `python -m benchmarks.edge.attacker ATTACK --seconds 10`, among the strangers.

Each begins so many connections a second, from one address after the other, below the bound for all strangers, so that most of
them get in; it ends by itself. Prints a `Report` as JSON. What only opens TCP connections, by the thousand, is `hellos.c`.
"""

import argparse
import asyncio
import base64
import contextlib
import ipaddress
import itertools
import json
import resource
import secrets
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from benchmarks.edge.network import ADDRESSES, EDGE, FIRST_SOURCE, SOURCE_COUNT

MOST_S: Final = 60.0
BIG: Final = 1_000_000
BIG_BLOCK: Final = 16_384
DRIP_S: Final = 0.5
LINES: Final = (b"GET / HTTP/1.1", b"Host: a", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip


class Strangers:
    """Connections to the edge until ``until`` (`monotonic`), and ``counts`` of what became of them."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.counts: Counter[str] = Counter()
        self._open = 0
        first = int(ipaddress.ip_address(FIRST_SOURCE))
        self._sources = itertools.cycle(range(first + 1, first + SOURCE_COUNT))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    def source(self) -> str:
        """Return the address of the next stranger."""
        return str(ipaddress.ip_address(next(self._sources)))

    async def connect(self, source: str) -> "Connection":
        """Open a TLS connection. Raises OSError, which is counted as ``refused``."""
        self.counts["tried"] += 1
        try:
            reader, writer = await asyncio.open_connection(ADDRESSES[EDGE], 443, ssl=self._tls, local_addr=(source, 0))
        except OSError:
            self.counts["refused"] += 1
            raise
        self.counts["opened"] += 1
        self._open += 1
        self.counts["most_open"] = max(self.counts["most_open"], self._open)
        return Connection(self, reader, writer)

    def closed(self) -> None:
        """Count one connection fewer."""
        self._open -= 1


@dataclass(frozen=True)
class Connection:
    """Open TLS connection of a stranger; as a context it is aborted at the end."""

    strangers: Strangers
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.transport.abort()
        self.strangers.closed()

    async def send(self, data: bytes) -> None:
        """Write and wait until most of it is on its way. Raises OSError."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> str:
        """Return the status of the answer; ``no answer`` if the edge closes the connection instead."""
        with contextlib.suppress(OSError):
            head = await self.reader.read(4096)
            if head.startswith(b"HTTP/1.1 "):
                return head[9:12].decode("ascii", "replace")
        return "no answer"


async def _slowloris(strangers: Strangers) -> None:
    with await strangers.connect(strangers.source()) as connection:
        answer = asyncio.create_task(connection.answer())
        await connection.send(b"\r\n".join(LINES) + b"\r\nX-A: ")
        while not answer.done():
            await connection.send(b"a")
            await asyncio.wait([answer], timeout=DRIP_S)
        strangers.counts[f"ended by {await answer}"] += 1


async def _half_request(strangers: Strangers) -> None:
    with await strangers.connect(strangers.source()) as connection:
        await connection.send(b"\r\n".join(LINES))
        strangers.counts[f"ended by {await connection.answer()}"] += 1


async def _silent(strangers: Strangers) -> None:
    with await strangers.connect(strangers.source()) as connection:
        strangers.counts[f"ended by {await connection.answer()}"] += 1


async def _big_header(strangers: Strangers) -> None:
    with await strangers.connect(strangers.source()) as connection:
        answer = asyncio.create_task(connection.answer())
        with contextlib.suppress(OSError):
            await connection.send(b"\r\n".join(LINES) + b"\r\nX-A: ")
            for _ in range(0, BIG, BIG_BLOCK):
                if answer.done():
                    break
                await connection.send(b"a" * BIG_BLOCK)
                await asyncio.sleep(0)
        strangers.counts[f"ended by {await answer}"] += 1


async def _bad_keys(strangers: Strangers, source: str = str(ipaddress.ip_address(FIRST_SOURCE) + 77)) -> None:
    with await strangers.connect(source) as connection:
        wrong = base64.b64encode(b"exotel:" + secrets.token_urlsafe(32).encode())
        await connection.send(b"\r\n".join((*LINES, b"Authorization: Basic " + wrong, b"", b"")))
        strangers.counts[f"ended by {await connection.answer()}"] += 1


async def _renegotiate(strangers: Strangers) -> None:
    """Ask for another handshake on an open connection, as `openssl s_client` does for a line with an R."""
    strangers.counts["tried"] += 1
    client = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-tls1_2", "-connect", f"{ADDRESSES[EDGE]}:443", "-bind", f"{strangers.source()}:0"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert client.stdin
        assert client.stdout
        with contextlib.suppress(asyncio.IncompleteReadError):
            await client.stdout.readuntil(b"---\nCertificate")
            strangers.counts["opened"] += 1
            await client.stdout.readuntil(b"Extended master secret")
        client.stdin.write(b"R\n")
        rest = await client.stdout.read()
        strangers.counts["ended by no renegotiation" if b"no renegotiation" in rest else "ended by no answer"] += 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            client.kill()
        await client.wait()


ATTACKS: Final[dict[str, tuple[float, Callable[[Strangers], Awaitable[None]]]]] = {
    "slowloris": (150, _slowloris),
    "half-requests": (150, _half_request),
    "silent-tls": (150, _silent),
    "big-headers": (50, _big_header),
    "bad-keys": (10, _bad_keys),
    "renegotiation": (10, _renegotiate),
}
"""Attacks by name: connections a second, and the behaviour of each."""


async def run(strangers: Strangers, rate: float, body: Callable[[Strangers], Awaitable[None]]) -> None:
    """Begin ``rate`` connections a second until the time is over, then end those that are still open."""
    began, begun = monotonic(), 0
    tasks: set[asyncio.Task[None]] = set()
    while (now := monotonic()) < strangers.until:
        while begun < (now - began) * rate:
            task = asyncio.create_task(_one(strangers, body))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            begun += 1
        await asyncio.sleep(0.005)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _one(strangers: Strangers, body: Callable[[Strangers], Awaitable[None]]) -> None:
    with contextlib.suppress(OSError, EOFError):
        await body(strangers)


def main() -> int:
    """Return 0 once the attack has ended and its report is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge.attacker", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("attack", choices=list(ATTACKS))
    parser.add_argument("--at", type=float, default=0.0, help="begin at this time of the monotonic clock")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sleep(max(0.0, options.at - monotonic()))
    strangers = Strangers(monotonic() + min(options.seconds, MOST_S))
    asyncio.run(run(strangers, *ATTACKS[options.attack]))
    print(json.dumps(strangers.counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
