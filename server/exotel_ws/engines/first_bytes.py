"""The first bytes of a connection: HTTP, or somebody at the wrong door.

A TLS ClientHello on this port means that an applet says ``wss://`` where no TLS is; the operator who is not told of it sees
nothing at all. It is recognised by its record header (RFC 8446, 5.1): type 22, major version 3.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Literal, cast

Stranger = Literal["tls", "not_http"]
Greet = Callable[[Stranger, str], None]
"""Told of a client that speaks no HTTP: what it speaks instead, and its address."""

_MOST_HEAD: Final = 16 * 1024
_READ_BUFFER: Final = 2048
"""Bytes; a phone's request has 300."""


def judge(first: bytes) -> Stranger | None:
    """What the first bytes, one at least, are instead of HTTP; None for HTTP, whose methods are upper-case."""
    if first[0] == 0x16 and first[1:2] in (b"", b"\x03"):
        return "tls"
    return None if first[:1].isupper() else "not_http"


def host_of(transport: asyncio.BaseTransport) -> str:
    """The address of the other side; ``local`` where there is none."""
    address = transport.get_extra_info("peername")
    return str(address[0]) if isinstance(address, tuple) and address else "local"


class FirstBytes(asyncio.BufferedProtocol):
    """Holds a connection until its HTTP head has come, then hands it to the engine's protocol and is no part of it any more.

    ``engine_protocol`` is told the client's address. A head that does not come within ``timeout_s`` ends the connection;
    one without end, above 16 KiB, is the engine's to refuse.
    """

    def __init__(self, engine_protocol: Callable[[str], asyncio.BufferedProtocol], greet: Greet, timeout_s: float) -> None:
        self._engine_protocol = engine_protocol
        self._greet = greet
        self._timeout_s = timeout_s
        self._buffer = bytearray(_READ_BUFFER)
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # aiofastnet's is one by its methods only
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._buffer[:nbytes])
        stranger = None if self._head else judge(data)
        if stranger:
            self._greet(stranger, host_of(self._transport))
        if stranger == "tls":
            self._transport.abort()
            return
        self._head += data
        if stranger or b"\r\n\r\n" in self._head or len(self._head) >= _MOST_HEAD:
            self._hand_over()

    def _hand_over(self) -> None:
        self._timer.cancel()
        protocol = self._engine_protocol(host_of(self._transport))
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        rest = memoryview(self._head)
        while rest and not self._transport.is_closing():
            buffer = memoryview(protocol.get_buffer(len(rest)))
            size = min(len(buffer), len(rest))
            buffer[:size] = rest[:size]
            protocol.buffer_updated(size)
            rest = rest[size:]
