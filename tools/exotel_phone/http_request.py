"""Make one bounded HTTP request, without connection pool and redirects."""

import asyncio
import dataclasses
import http.client
import io
import time
from collections.abc import Mapping

from exotel_phone.pinned import connected
from exotel_phone.reach import NotHttp, Unreachable, explain
from exotel_phone.target import Target
from exotel_phone.text import printable

_MAX_BYTES = 65_536


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: ``body`` as text, ``latency_ms`` from the first connect to the last byte, ``headers`` in lower case."""

    url: str
    status: int
    body: str
    latency_ms: float
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


class _Received(io.BytesIO):
    """Bytes already read, in the shape of a socket that `http.client` parses an answer from."""

    def makefile(self, _mode: str) -> "_Received":
        return self


async def get(target: Target, path: str, *, timeout_s: float = 5.0, headers: Mapping[str, str] | None = None) -> Answer:
    """GET ``path`` from the host and port of ``target``, at most ``timeout_s`` in all and 64 KiB. Raises Unreachable.

    A server that switches to another protocol, because ``headers`` ask for it, has answered with that.
    """
    return await request(target, "GET", path, timeout_s=timeout_s, headers=headers)


async def request(
    target: Target,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    timeout_s: float = 5.0,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send ``method`` and ``body``; see `get`. Raises Unreachable, also where the request may have arrived."""
    began = time.perf_counter()
    length = {"Content-Length": str(len(body))} if body else {}
    try:
        async with asyncio.timeout(timeout_s):
            raw = await _fetch(target, method, path, {"Connection": "close", **length, **(headers or {})}, body)
        response = http.client.HTTPResponse(_Received(raw))  # type: ignore[arg-type]
        response.begin()
        said = response.read().decode(errors="replace")
    except http.client.HTTPException as error:
        raise Unreachable(explain(NotHttp(printable(repr(error), 80)), target, timeout_s)) from None
    except (OSError, NotHttp, EOFError) as error:
        raise Unreachable(explain(error, target, timeout_s)) from None
    told = {name.lower(): value for name, value in response.getheaders()}
    return Answer(target.http(path), response.status, said, (time.perf_counter() - began) * 1000, told)


async def _fetch(target: Target, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return head and body, up to ``Content-Length`` if a server keeps the connection open."""
    tls, sock = target.tls(), await connected(target)
    if sock is None:
        reader, writer = await asyncio.open_connection(target.host, target.port, ssl=tls)
    else:
        reader, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=target.host if tls else None)
    raw, lines = b"", "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {target.netloc}\r\n{lines}\r\n".encode() + body)
        await writer.drain()
        while len(raw) <= _MAX_BYTES and not _complete(raw) and (chunk := await reader.read(_MAX_BYTES)):
            raw += chunk
            if not b"HTTP/".startswith(raw[:5]):
                raise NotHttp(f"it begins {printable(raw[:24].decode(errors='replace'))!r}")
    finally:
        writer.transport.abort()
    if not raw:
        raise EOFError
    return raw


def _complete(raw: bytes) -> bool:
    head, blank, body = raw.partition(b"\r\n\r\n")
    if not blank:
        return False
    if head.split(maxsplit=2)[1:2] == [b"101"]:
        return True
    headers = http.client.parse_headers(io.BytesIO(head.partition(b"\r\n")[2] + blank))
    length = headers.get("Content-Length", "")
    return length.isdecimal() and len(body) >= int(length)
