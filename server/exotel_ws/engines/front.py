"""First protocol of each connection: read the request, answer plain HTTP, pass WebSockets on to the engine."""

import asyncio
import logging
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Final, Protocol, cast

from exotel_ws.admission.bounds import Ticket
from exotel_ws.engines.head import BadHead, Head, HeadReader
from exotel_ws.engines.proxy_protocol import ProxyReader
from exotel_ws.engines.request import Answer, Reply, Request

SERVER_HEADER: Final = "exotel-voicebot"
_READ_BUFFER: Final = 2048
"""Bytes read at once; a phone's request has 300."""
_SEND_S: Final = 10.0
"""Seconds for a client to read an answer; a client that does not read would hold its connection for ever."""
_LINGER_S: Final = 1.0
_LINGER_BYTES: Final = 64 * 1024
"""Bytes read and dropped after a refusal, so that the client sees the answer before its sending fails."""

log = logging.getLogger("exotel_ws.server")


class Desk(Protocol):
    """Decide on requests for the fronts; implemented by the server."""

    def move(self, ticket: Ticket, host: str) -> Answer | None:
        """Judge the connection as that of ``host``, whom its proxy has named, from now on; return a refusal if it is kept out."""

    def reply(self, head: Head, ticket: Ticket) -> Reply:
        """Return an answer, now or later, or a `Request` to open a WebSocket."""

    def refused(self, fault: BadHead, ticket: Ticket) -> None:
        """Note a request that the front refused by itself."""


class Front(asyncio.BufferedProtocol):
    """Protocol of a connection until its HTTP head is complete; an engine's protocol replaces it for a WebSocket.

    ``upgrade`` is given the transport, the request and what came behind its head. A head that is not whole within
    ``timeout_s`` ends the connection, even if its bytes trickle in. With ``proxy_protocol`` the connection of a proxy has to
    begin with that protocol.
    """

    def __init__(
        self,
        ticket: Ticket,
        desk: Desk,
        upgrade: Callable[[asyncio.Transport, Request, bytes], None],
        timeout_s: float,
        *,
        proxy_protocol: bool = False,
    ) -> None:
        self._ticket = ticket
        self._desk = desk
        self._upgrade = upgrade
        self._timeout_s = timeout_s
        self._buffer = bytearray(_READ_BUFFER)
        self._proxy = ProxyReader() if proxy_protocol and ticket.source.proxy else None
        self._reader: HeadReader | None = HeadReader()
        self._upgraded = False
        self._body = True
        self._thrown_away = 0
        self._pending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # aiofastnet's is one by its methods only
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._too_late)
        self._ticket.drop = self._ticket.abort = self._transport.abort
        if self._ticket.closed:
            # Abort later: aiofastnet starts to read right after this method, even from an aborted transport, and the reader left
            # on the loop would keep the next connection with this file number from being read.
            asyncio.get_running_loop().call_soon(self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._pending:
            self._pending.cancel()
        self._ticket.close()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._reader is None:
            self._throw_away(nbytes)
            return
        try:
            data = memoryview(self._buffer)[:nbytes]
            if self._proxy is None:
                self._read_head(data, self._reader)
            elif self._proxy.feed(data):
                self._take_client(self._proxy, self._reader)
        except BadHead as fault:
            self._reader = None
            self._desk.refused(fault, self._ticket)
            if fault.status:
                self._answer(Answer(fault.status, "text/plain; charset=utf-8", fault.text + "\n"), linger=True)
            else:
                self._transport.abort()

    def _take_client(self, proxy: ProxyReader, reader: HeadReader) -> None:
        """Go on as the connection of the client that ``proxy`` names."""
        self._proxy = None
        refusal = self._desk.move(self._ticket, proxy.host) if proxy.host is not None else None
        if refusal is not None:
            self._reader = None
            self._answer(refusal, linger=True)
        elif proxy.data:
            self._read_head(proxy.data, reader)

    def _read_head(self, data: bytearray | memoryview, reader: HeadReader) -> None:
        head = reader.feed(data)
        if head is not None:
            self._take(head, reader)

    def _take(self, head: Head, reader: HeadReader) -> None:
        self._stop_waiting()
        self._reader = None
        self._body = head.method != "HEAD"
        reply = self._desk.reply(head, self._ticket)
        if isinstance(reply, Request):
            self._upgrade(self._transport, reply, bytes(reader.data))
        elif isinstance(reply, Answer):
            self._answer(reply, linger=head.method not in ("GET", "HEAD") or "Content-Length" in head.headers)
        else:
            self._pending = asyncio.get_running_loop().create_task(self._answer_later(reply))

    async def _answer_later(self, reply: "asyncio.Future[Answer]") -> None:
        try:
            self._answer(await reply, linger=False)
        except Exception:
            log.exception("💥 A request could not be answered")
            self._transport.abort()

    def _answer(self, answer: Answer, *, linger: bool) -> None:
        if self._transport.is_closing():
            return
        self._stop_waiting()
        self._transport.write(response(answer, body=self._body))
        if linger:
            self._transport.write_eof()
        else:
            self._transport.close()
        self._timer = asyncio.get_running_loop().call_later(_LINGER_S if linger else _SEND_S, self._transport.abort)

    def _throw_away(self, nbytes: int) -> None:
        self._thrown_away += nbytes
        if self._thrown_away > _LINGER_BYTES:
            self._transport.abort()

    def _too_late(self) -> None:
        fault = BadHead(0, "head_timeout", f"no whole request within limits.handshake_timeout_s = {self._timeout_s:g} s")
        self._desk.refused(fault, self._ticket)
        self._transport.abort()

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()


def response(answer: Answer, *, body: bool) -> bytes:
    """Return an HTTP answer's bytes; without ``body`` (HEAD) its head alone, with the length that the body would have."""
    data = answer.body.encode()
    head = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Date: {formatdate(time(), usegmt=True)}",
        f"Server: {SERVER_HEADER}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(data)}",
        *(f"{name}: {value}" for name, value in answer.headers),
        "Connection: close",
        "\r\n",
    ]
    return "\r\n".join(head).encode("latin-1") + (data if body else b"")
