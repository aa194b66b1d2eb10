"""Exotel's side: a caller (asyncio, the reference library) and a raw socket for bytes that no library sends."""

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from . import wire

WAIT_S = 30.0
"""Longest wait for an answer; a test that waits for this long has failed."""


class Phone:
    """Caller of one stream. It parses all messages; every wait is bounded."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self._connecting = connect(
            url,
            compression=None,
            user_agent_header="Go-http-client/1.1",
            max_size=None,
            max_queue=None,
            proxy=None,
            open_timeout=WAIT_S,
            **options,
        )
        self.socket: ClientConnection

    async def __aenter__(self) -> Self:
        self.socket = await self._connecting
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.drop()

    async def send(self, *messages: str) -> None:
        for message in messages:
            await self.socket.send(message)

    async def open(self, sid: str = wire.STREAM, **start: Any) -> None:
        """Send ``connected`` and ``start``."""
        await self.send(wire.connected(), wire.start(sid, **start))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            raw = await self.socket.recv()
        assert isinstance(raw, str), "the server sends text frames only"
        answer: dict[str, Any] = json.loads(raw)
        return answer

    async def echo_of(self, pcm: bytes, sid: str = wire.STREAM, chunk: int = 1) -> bytes:
        """Send a frame and return the audio that comes back."""
        await self.send(wire.media(pcm, sid, chunk=chunk))
        return payload(await self.receive())

    async def converse(self, frames: Iterable[bytes], sid: str = wire.STREAM, pause_s: float = 0.0) -> list[bytes]:
        """Send every frame, read at the same time, and return the echoes in their order."""
        sent = list(frames)

        async def read() -> list[bytes]:
            return [payload(await self.receive()) for _ in sent]

        reading = asyncio.create_task(read())
        for count, frame in enumerate(sent, 1):
            await self.send(wire.media(frame, sid, chunk=count))
            await asyncio.sleep(pause_s)
        return await reading

    async def silence(self, seconds: float = 0.2) -> list[dict[str, Any]]:
        """Return the messages that come within a while; a test expects none."""
        heard = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    heard.append(json.loads(await self.socket.recv()))
        except TimeoutError:
            return heard

    async def in_order(self) -> None:
        """Return once the server has taken everything sent so far: a mark comes back, and nothing before it."""
        name = f"sync-{os.urandom(4).hex()}"
        await self.send(wire.mark(name))
        answer = await self.receive()
        assert answer["event"] == "mark", f"not answered: {answer}"
        assert answer["mark"] == {"name": name}

    async def closed(self) -> tuple[int, str]:
        """Wait for the server to close; return its close code and reason (1006: none)."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    await self.socket.recv()
        except ConnectionClosed as error:
            return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")

    def drop(self) -> None:
        """End the TCP connection without a close frame, as Exotel does after stop."""
        self.socket.transport.abort()


def payload(answer: dict[str, Any]) -> bytes:
    """Return the audio of a media message from the server."""
    assert answer["event"] == "media", answer
    return base64.b64decode(answer["media"]["payload"], validate=True)


class RawClient:
    """Blocking TCP connection for requests and frames that a well-behaved library refuses to send."""

    def __init__(self, port: int, *, receive_buffer: int | None = None, source: str = "") -> None:
        """``source`` is the address to come from, e.g. 127.0.0.2: all of 127.0.0.0/8 is this machine."""
        self.socket = socket.socket()
        if source:
            self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def request(self, target: str = "/", *headers: str, upgrade: bool = True) -> None:
        """Send an HTTP request, with ``upgrade`` as a WebSocket handshake of Go's client."""
        self.socket.sendall(upgrade_request(target, *headers) if upgrade else _get(target, *headers))

    def handshake(self, target: str = "/", *headers: str) -> int:
        """Ask for an upgrade and return the HTTP status of the answer."""
        self.request(target, *headers)
        return self.head()[0]

    def head(self) -> tuple[int, dict[str, str]]:
        """Read an HTTP answer's head and return its status and its headers, with lower-case names."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                raise EOFError(f"closed after {head!r}")
            head += byte
        first, *lines = head.decode().rstrip().split("\r\n")
        return int(first.split()[1]), {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def fetch(self, target: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a GET and return status, headers and body."""
        self.request(target, *headers, upgrade=False)
        status, fields = self.head()
        return status, fields, self.rest()

    def rest(self) -> bytes:
        """Return all bytes until the server closes the connection."""
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        return data

    def frame(self, data: bytes | str, opcode: int = 1, *, fin: bool = True) -> None:
        self.socket.sendall(frame(data, opcode, fin=fin))

    def close_code(self) -> int:
        """Skip to the close frame and return its code; 1005 for an empty one, 1006 if the connection ends without one."""
        try:
            while True:
                opcode, data = self.read_frame()
                if opcode == 8:
                    return int.from_bytes(data[:2], "big") if data else 1005
        except (EOFError, ConnectionResetError):
            return 1006

    def read_frame(self) -> tuple[int, bytes]:
        first, size = self._exactly(2)
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
        return first & 15, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


def upgrade_request(target: str = "/", *headers: str) -> bytes:
    """Return the bytes of a WebSocket handshake."""
    lines = [
        f"GET {target} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: Go-http-client/1.1",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Upgrade: websocket",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _get(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode("latin-1")


def frame(data: bytes | str, opcode: int = 1, *, fin: bool = True) -> bytes:
    """Return a masked WebSocket frame; the mask is zero, so the bytes are as given."""
    data = data.encode() if isinstance(data, str) else data
    return frame_head(len(data), opcode, fin=fin) + data


def frame_head(size: int, opcode: int = 1, *, fin: bool = True) -> bytes:
    """Return the head of a masked frame that announces ``size`` bytes."""
    first = (0x80 if fin else 0) | opcode
    if size < 126:
        head = struct.pack(">BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack(">BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", first, 0x80 | 127, size)
    return head + bytes(4)
