"""Ten thousand idle connections are no trouble."""

import asyncio
import resource

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, RawClient
from .process import eventually

pytestmark = pytest.mark.alone


@pytest.mark.timeout(400)
def test_ten_thousand_idle_connections(start_server: StartServer) -> None:
    """A call does not notice 10,000 connections, half silent, half opened and idle, where files were limited as usual."""
    count = min(10_000, _files() - 1000)
    limits = {
        "media_timeout_s": 600,
        "max_connections": 20_000,
        "unproven_total": 20_000,
        "unproven_per_source": 20_000,
        "handshakes_burst": 20_000,
        "handshake_timeout_s": 600,
        "start_timeout_s": 600,
    }
    server = start_server({"limits": limits, "log": {"level": "warning"}}, most_files=1024)
    before = server.memory()
    idle: list[RawClient] = []

    def connect() -> None:
        for number in range(count):
            client = server.raw()
            idle.append(client)
            if number % 2:
                client.request()

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("undisturbed")
            connecting = asyncio.create_task(asyncio.to_thread(connect))
            frames = wire.audio(100)
            assert await phone.converse(frames, "undisturbed", pause_s=0.02) == frames
            await connecting
            opened = 1 + count // 2
            eventually(lambda: server.metric("connections_live") == opened, f"{opened} connections", 120)
            assert await phone.converse(frames, "undisturbed", pause_s=0.01) == frames
            assert server.fetch("/health")[0] == 200
            assert server.memory() - before < count * 60 * 1024

    asyncio.run(call())
    for client in idle:
        client.socket.close()
    eventually(lambda: server.metric("connections_live") == 0, "all of them gone", 120)
    assert "Traceback" not in server.log()


def _files() -> int:
    """Raise this process's limit of open files as far as it goes, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
