"""Serve HTTP on the instance's own UNIX socket: identity, state and taps of this one worker.

Not served by the WebSocket engine: picows sets TCP options on every connection and ends the process on a UNIX socket.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

_REQUEST_TIMEOUT_S: Final = 5.0

Routes = dict[str, Callable[[], dict[str, object]]]
Feed = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""A handler that answers for as long as it likes: takes the query, and writes the whole answer with its head."""
Feeds = dict[str, Feed]


class BadRequest(Exception):
    """The query makes no sense, or can't be answered now; the text says why. Raised before anything is written."""


async def serve_admin(listener: socket.socket, routes: Routes, feeds: Feeds) -> asyncio.Server:
    """Answer ``GET <path>`` with the JSON object of its route, or hand it to its feed; one request a connection."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target = [*head.split(" ", 2), "", ""][:2]
            path, _, query = target.partition("?")
            if method == "GET" and path in feeds:
                await _feed(feeds[path], query, reader, writer)
                return
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                writer.write(_answer(method, path, routes, feeds))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client did not finish its request in time
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, sock=listener, limit=8192)


async def _feed(
    feed: Feed,
    query: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    try:
        await feed(query, reader, writer)
    except BadRequest as fault:
        writer.write(_http(HTTPStatus.BAD_REQUEST, {"error": str(fault)}))


def _answer(method: str, path: str, routes: Routes, feeds: Feeds) -> bytes:
    if method != "GET":
        return _http(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "GET only"})
    if path not in routes:
        return _http(HTTPStatus.NOT_FOUND, {"error": f"there are {', '.join([*routes, *feeds])}"})
    return _http(HTTPStatus.OK, routes[path]())


def _http(status: HTTPStatus, body: dict[str, object]) -> bytes:
    data = json.dumps(body, separators=(",", ":")).encode()
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    ).encode() + data
