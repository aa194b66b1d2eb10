"""The instance's own HTTP endpoint on a UNIX socket: what this one worker is, has and does.

Not served by the WebSocket engine: picows sets TCP options on every connection and ends the process on a UNIX socket.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

_REQUEST_TIMEOUT_S: Final = 5.0

Routes = dict[str, Callable[[], dict[str, object]]]


async def serve_admin(listener: socket.socket, routes: Routes) -> asyncio.Server:
    """Answer ``GET <path>`` with the JSON object of its route; one request a connection."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(head.decode("latin-1"), routes))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # A client that does not finish its request is not waited for.
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, sock=listener, limit=8192)


def _answer(head: str, routes: Routes) -> bytes:
    method, _, rest = head.partition(" ")
    route = routes.get(rest.partition(" ")[0].partition("?")[0])
    status: HTTPStatus
    body: dict[str, object]
    if method != "GET":
        status, body = HTTPStatus.METHOD_NOT_ALLOWED, {"error": "GET only"}
    elif route is None:
        status, body = HTTPStatus.NOT_FOUND, {"error": f"there are {', '.join(routes)}"}
    else:
        status, body = HTTPStatus.OK, route()
    data = json.dumps(body, separators=(",", ":")).encode()
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    ).encode() + data
