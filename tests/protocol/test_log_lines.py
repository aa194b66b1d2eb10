"""The guide's log lines: their text and their order."""

import asyncio

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess, eventually

OPENING = [
    "🔌 WebSocket connected",
    "Sample rate: 8000 Hz",
    "Remote IP: 127.0.0.1",
    "📨 Received: connected",
    "🎉 CONNECTED EVENT",
    "📨 Received: start",
    "🚀 START EVENT",
    "   Stream SID: stream_abc123xyz",
    "   Call SID: call_def456uvw",
    "   From: +1234567890 → To: +0987654321",
    "   Format: raw/slin @ 8000Hz",
]


def _media_lines(numbers: list[int]) -> list[str]:
    lines = []
    for number in numbers:
        lines += [
            "📨 Received: media",
            f"🎵 MEDIA #{number} - Chunk {number}, 320 bytes, ts={number * 20}",
            "🔊 ECHO sent - 320 bytes",
        ]
    return lines


def _guide_call(server: ServerProcess, frames: int) -> list[str]:
    """Place the call of the guide and return its log lines."""
    sid = "stream_abc123xyz"

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open(sid, call_sid="call_def456uvw", encoding="raw/slin", from_="+1234567890", to="+0987654321")
            await phone.converse(wire.audio(frames), sid)
            await phone.send(wire.stop(sid, reason="callended"))
            await phone.silence(0.1)

    asyncio.run(call())
    return eventually(lambda: (log := server.call_log(sid))[-1] == "👋 Connection closed" and log, "the end of the call")


def test_a_call(start_server: StartServer) -> None:
    """A call logs its first five frames and each 500th, so that an hour is not 200,000 lines."""
    assert _guide_call(start_server(), 1157) == [
        *OPENING,
        *_media_lines([1, 2, 3, 4, 5, 500, 1000]),
        "📨 Received: stop",
        "🛑 STOP EVENT - Reason: callended",
        "📊 Total media packets: 1157",
        "👋 Connection closed",
    ]


def test_sampling_is_a_setting(start_server: StartServer) -> None:
    server = start_server({"log": {"media_first": 1, "media_every": 0}})
    assert _guide_call(server, 20)[len(OPENING) : -4] == _media_lines([1])


def test_every_frame_if_asked(start_server: StartServer) -> None:
    server = start_server({"log": {"media_first": 0, "media_every": 1}})
    assert _guide_call(server, 7)[len(OPENING) : -4] == _media_lines([1, 2, 3, 4, 5, 6, 7])


def test_the_greeting(start_server: StartServer) -> None:
    server = start_server()
    assert server.log().splitlines() == [
        "✅ Exotel Passthrough Echo Server running!",
        f"   WebSocket URL: ws://127.0.0.1:{server.port}",
        f"   Health Check: http://127.0.0.1:{server.port}/health",
        "",
        "📝 Configure in Exotel VoiceBot applet:",
        f"   ws://127.0.0.1:{server.port}?sample-rate=8000",
        "",
        "🔍 Waiting for Exotel connections...",
    ]


def test_the_greeting_shows_the_public_url(start_server: StartServer) -> None:
    log = start_server({"public_url": "ws://203.0.113.10:8765"}).log()
    assert "   WebSocket URL: ws://203.0.113.10:8765\n" in log
    assert "   ws://203.0.113.10:8765?sample-rate=8000\n" in log


def test_connection_ids_are_unique(start_server: StartServer) -> None:
    """Connection ids are unique, unlike ids made of milliseconds, which collide when two calls come at once."""
    server = start_server()

    async def calls() -> None:
        async def call() -> None:
            async with Phone(server.url()):
                pass

        await asyncio.gather(*(call() for _ in range(200)))

    asyncio.run(calls())
    eventually(lambda: server.log().count("👋") == 200, "200 connections have come and gone")
    ids = [line.split()[0] for line in server.log().splitlines() if line.endswith("🔌 WebSocket connected")]
    assert len(ids) == len(set(ids)) == 200
    assert all(conn.startswith("[conn_") for conn in ids)
