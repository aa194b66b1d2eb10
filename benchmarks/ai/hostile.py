"""Hostile caller: ten keys a second in one call, and each second another call that starts 51 times at once."""

import asyncio
import base64
import contextlib
import json
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_FRAME_S: Final = 0.02
_KEYS_EVERY: Final = 5
"""Frames between two keys."""
_STARTS: Final = 51
_SILENCE: Final = base64.b64encode(bytes(320)).decode()


async def caller(url: str) -> None:
    """Press keys in one call and start further calls, until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_again(url, _keys))
        group.create_task(_again(url, _starts))


async def _again(url: str, call: Any) -> None:
    while True:
        with contextlib.suppress(ConnectionClosed, OSError):
            async with connect(url, compression=None, max_size=None) as client:
                reading = asyncio.create_task(_read(client))
                try:
                    await call(client)
                finally:
                    reading.cancel()
        await asyncio.sleep(1)


async def _read(client: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in client:
            pass


async def _keys(client: ClientConnection) -> None:
    await client.send(_start())
    for number in range(1_000_000):
        await client.send(json.dumps({"event": "media", "stream_sid": "hostile", "media": {"payload": _SILENCE}}))
        if number % _KEYS_EVERY == 0:
            await client.send(json.dumps({"event": "dtmf", "stream_sid": "hostile", "dtmf": {"digit": "#"}}))
        await asyncio.sleep(_FRAME_S)


async def _starts(client: ClientConnection) -> None:
    for _ in range(_STARTS):
        await client.send(_start())
    await asyncio.sleep(1)


def _start() -> str:
    start = {"stream_sid": "hostile", "call_sid": "hostile", "media_format": {"sample_rate": "8000"}}
    return json.dumps({"event": "start", "stream_sid": "hostile", "start": start})
