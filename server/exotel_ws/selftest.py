"""A release tries itself: the real server on an ephemeral loopback port, its health, and a short call that must be answered."""

import asyncio
import base64
import json
import os
from typing import Any

import msgspec
from websockets.exceptions import WebSocketException

from exotel_ws import engines, modes, sockets
from exotel_ws.server import VoicebotServer
from exotel_ws.settings import Auth, Settings

_TIMEOUT_S = 10.0
_SPOKEN_TIMEOUT_S = 60.0
"""A spoken call takes its time, on a host that is busy with calls besides."""
_FRAMES = 10


class SelfTestError(Exception):
    """What did not work."""


def self_test(settings: Settings) -> str:
    """Returns what was shown. Raises `SelfTestError` where this release does not answer health or a call, `SettingsError`.

    Credentials are not asked for: they belong to the host, not to the release. Once started, echo mode takes 10 seconds at
    most, AI mode 60; there it is the embedded services that answer, whatever the settings choose.
    """
    modes.check(settings)
    alone = msgspec.structs.replace(settings, auth=Auth(), paths=[])
    if settings.mode == "echo":
        engines.run(settings.engine, _self_test(alone))
        return "health answered, a call was echoed bit for bit"
    from exotel_ws.ai import selftest

    try:
        selftest.check_models()
        engines.run(settings.engine, _self_test(msgspec.structs.replace(alone, ai=selftest.SETTINGS)))
    except selftest.Misheard as error:
        raise SelfTestError(str(error)) from None
    return "health answered, speech was made and understood, a question in a call got its answer"


async def _self_test(settings: Settings) -> None:
    server = VoicebotServer(settings, instance="self-test")
    listeners = sockets.bind("127.0.0.1", 0)
    port = listeners[0].getsockname()[1]
    await server.start(listeners)
    patience_s = _TIMEOUT_S if settings.mode == "echo" else _SPOKEN_TIMEOUT_S
    try:
        async with asyncio.timeout(patience_s):
            await _check_health(port, server.health())
            await _check_call(port, settings)
    except TimeoutError:
        raise SelfTestError(f"no answer within {patience_s:g} s") from None
    except (OSError, ValueError, WebSocketException) as error:
        raise SelfTestError(f"the call broke: {error}") from None
    finally:
        await server.close()


async def _check_health(port: int, expected: dict[str, str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    if b" 200 " not in head.split(b"\r\n")[0] or json.loads(body or b"{}") != expected:
        raise SelfTestError(f"/health answered {head.splitlines()[:1]} {body!r}")


async def _check_call(port: int, settings: Settings) -> None:
    if settings.mode == "echo":
        await _check_echo(port)
        return
    from exotel_ws.ai import selftest

    await selftest.check_call(port)


async def _check_echo(port: int) -> None:
    # The reference client of the protocol, whichever engine serves.
    from websockets.asyncio.client import connect

    sid = "selftest"
    async with connect(f"ws://127.0.0.1:{port}/?sample-rate=8000", compression=None) as client:

        async def send(**message: Any) -> None:
            await client.send(json.dumps(message) + "\n")

        await send(event="connected")
        start = {"stream_sid": sid, "call_sid": sid, "media_format": {"encoding": "base64", "sample_rate": "8000"}}
        await send(event="start", stream_sid=sid, start=start)
        for count in range(_FRAMES):
            frame = os.urandom(320)
            payload = base64.b64encode(frame).decode()
            await send(event="media", stream_sid=sid, media={"chunk": str(count), "timestamp": "0", "payload": payload})
            answer = json.loads(await client.recv())
            if answer.get("stream_sid") != sid or answer.get("media", {}).get("payload") != payload:
                raise SelfTestError(f"frame {count} came back changed: {str(answer)[:200]}")
        await send(event="stop", stream_sid=sid, stop={"call_sid": sid, "reason": "callended"})
