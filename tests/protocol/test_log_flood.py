"""A flood of short connections does not flood the log, and calls beside it are logged in full."""

import asyncio
from collections import Counter

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import eventually

pytestmark = pytest.mark.alone

FLOOD = 600
CALLS = 20
FRAMES = 130
"""Media messages of 20 ms in a call; the first two full seconds with media prove it."""


def test_calls_beside_a_flood_have_all_their_lines(start_server: StartServer) -> None:
    server = start_server({"log": {"stranger_lines_s": 1.0, "stranger_burst": 50}})

    async def flood() -> None:
        for number in range(FLOOD // 4):
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(knock())
            if number == 20:
                begun.set()
        begun.set()

    async def knock() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=("127.0.0.2", 0))
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        await reader.read(1024)
        writer.close()

    async def call(sid: str) -> None:
        async with Phone(server.url()) as phone:
            await phone.open(sid, call_sid=sid)
            await phone.converse(wire.audio(FRAMES), sid, pause_s=0.02)
            await phone.send(wire.stop(sid))

    async def run() -> None:
        flooding = asyncio.create_task(flood())
        await begun.wait()
        await asyncio.gather(*(call(f"call-{number}") for number in range(CALLS)))
        await flooding

    begun = asyncio.Event()
    asyncio.run(run())
    for number in range(CALLS):
        log = eventually(
            lambda sid=f"call-{number}": (log := server.call_log(sid))[-1] == "👋 Connection closed" and log, "the end of a call"
        )
        assert Counter(line.split(" - ")[0] for line in log) == Counter(
            [
                *("🔌 WebSocket connected", "Sample rate: 8000 Hz", "Remote IP: 127.0.0.1"),
                *("📨 Received: connected", "🎉 CONNECTED EVENT", "📨 Received: start", "🚀 START EVENT"),
                *(f"   Stream SID: call-{number}", f"   Call SID: call-{number}"),
                *(line for line in log if line.startswith(("   From:", "   Format:"))),
                *["📨 Received: media"] * 5,
                *(f"🎵 MEDIA #{frame}" for frame in range(1, 6)),
                *["🔊 ECHO sent"] * 5,
                *("📨 Received: stop", "🛑 STOP EVENT", f"📊 Total media packets: {FRAMES}", "👋 Connection closed"),
            ]
        )
    server.wait_for_log("lines about connections that proved to be no call were left out")
    # Four lines a connection, or one of a refusal, would be 600 at least.
    others = [line for line in server.log().splitlines() if "127.0.0.2" in line or "🔌" in line]
    assert len(others) < 150
    assert eventually(lambda: server.metric('bounds_total{bound="log_stranger"}') > 100, "the left-out lines are counted")
