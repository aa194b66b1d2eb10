"""Describe the mode `echo` to the server, and test it."""

import base64
import json
import os
from typing import Any, Final

from exotel_ws.echo.mode import EchoMode
from exotel_ws.modespec import ModeSpec, SelfTest, SelfTestError
from exotel_ws.settings import Settings

_FRAMES: Final = 10
_FRAME_BYTES: Final = 320


async def _call(port: int) -> None:
    """Send frames of random audio; each has to come back unchanged."""
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
            payload = base64.b64encode(os.urandom(_FRAME_BYTES)).decode()
            await send(event="media", stream_sid=sid, media={"chunk": str(count), "timestamp": "0", "payload": payload})
            answer = json.loads(await client.recv())
            if answer.get("stream_sid") != sid or answer.get("media", {}).get("payload") != payload:
                raise SelfTestError(f"frame {count} came back changed: {str(answer)[:200]}")
        await send(event="stop", stream_sid=sid, stop={"call_sid": sid, "reason": "callended"})


def _self_test(settings: Settings) -> SelfTest:
    return SelfTest(settings, _call, timeout_s=10.0, shown="health answered, a call was echoed bit for bit")


SPEC: Final = ModeSpec(
    service="exotel-passthrough",
    title="Passthrough Echo Server",
    make=lambda _settings: EchoMode(),
    check=lambda _settings: [],
    self_test=_self_test,
)
