"""A deploy never cuts a call: SIGTERM drains, and only an impatient operator's second signal closes."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, upgrade_request
from .process import eventually, fetch_unix

QUICK = {"drain": {"grace_s": 0.3}}


def test_an_idle_server_ends_at_once(start_server: StartServer) -> None:
    server = start_server({"drain": {"timeout_s": 3600}} | QUICK)
    server.signal(signal.SIGTERM)
    assert server.ended() == 0
    assert server.log().endswith("⏳ Draining: 0 live call(s), no new ones\n🏁 Drained, every call ended by itself\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_live_calls_go_on_to_their_end(start_server: StartServer, tmp_path: Path, number: signal.Signals) -> None:
    admin = tmp_path / "a.sock"
    server = start_server(QUICK, "--admin-socket", str(admin))

    async def call() -> None:
        async with Phone(server.url()) as phone, Phone(server.url()) as opened:
            await phone.open("goes-on")
            frames = wire.audio(60)
            talking = asyncio.create_task(phone.converse(frames, "goes-on", pause_s=0.02))
            await asyncio.sleep(0.2)
            server.signal(number)
            server.wait_for_log("Draining: 1 live call")
            assert fetch_unix(admin, "/status")[1]["state"] == "draining"
            with pytest.raises(ConnectionError):
                server.raw()
            # A connection that was open before may still start its call.
            await opened.open("late")
            pcm = wire.audio(1)[0]
            assert await opened.echo_of(pcm, "late") == pcm
            assert await talking == frames
            await opened.send(wire.stop("late"))
            opened.drop()
            assert await phone.converse(frames, "goes-on") == frames
            assert server.process.poll() is None
            await phone.send(wire.stop("goes-on"))

    asyncio.run(call())
    assert server.ended() == 0
    assert "🏁 Drained, every call ended by itself" in server.log()
    assert not admin.exists()


def test_a_handshake_in_flight_is_served(start_server: StartServer) -> None:
    server = start_server({"drain": {"grace_s": 1.0}})
    request = upgrade_request()
    with server.raw() as client:
        client.socket.sendall(request[:50])
        time.sleep(0.1)
        server.signal(signal.SIGTERM)
        server.wait_for_log("Draining")
        time.sleep(0.2)
        client.socket.sendall(request[50:])
        assert client.head()[0] == 101
        time.sleep(1.2)
        client.frame(wire.start())
        client.frame(wire.media(b"ab"))
        assert client.read_frame()[0] == 1
        client.frame(wire.stop())
    assert server.ended() == 0


@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGQUIT], [signal.SIGTERM, signal.SIGINT]])
def test_in_a_hurry_calls_are_closed(start_server: StartServer, signals: list[signal.Signals]) -> None:
    server = start_server()

    async def call() -> None:
        async with Phone(server.url()) as phone, Phone(server.url()) as other:
            await phone.open()
            await phone.in_order()
            for number in signals:
                server.signal(number)
                await asyncio.sleep(0.1)
            assert await phone.closed() == (1001, "the server goes away")
            assert await other.closed() == (1001, "the server goes away")

    asyncio.run(call())
    assert server.ended() == 0
    assert "🏁 Drained, 2 connection(s) were closed" in server.log()


def test_a_drain_has_an_end(start_server: StartServer) -> None:
    server = start_server({"drain": {"grace_s": 0.1, "timeout_s": 0.5}})

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            await phone.in_order()
            server.signal(signal.SIGTERM)
            assert await phone.closed() == (1001, "the server goes away")

    asyncio.run(call())
    assert server.ended() == 0
    assert "drain.timeout_s = 0.5 is over: 1 left" in server.log()


def test_workers_share_a_socket_and_one_leaves(start_server: StartServer) -> None:
    """While one of two workers on a socket drains, no call that arrives is refused or cut, as under systemd."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        stays, leaves = start_server(QUICK, listener=listener), start_server(QUICK, listener=listener)

        async def call(number: int) -> None:
            frames = wire.audio(5, seed=number)
            async with Phone(stays.url()) as phone:
                await phone.open()
                assert await phone.converse(frames) == frames
                await phone.send(wire.stop())

        running: list[asyncio.Task[None]] = []

        async def arrive(most: int) -> None:
            while len(running) < most:
                running.append(asyncio.create_task(call(len(running))))
                await asyncio.sleep(0.005)

        async def story() -> None:
            async with Phone(stays.url()) as held:
                await held.open("held")
                await arrive(60)
                leaves.signal(signal.SIGTERM)
                while "Draining" not in leaves.log():
                    await arrive(len(running) + 1)
                await arrive(len(running) + 60)
                await asyncio.gather(*running)
                pcm = wire.audio(1)[0]
                assert await held.echo_of(pcm, "held") == pcm

        asyncio.run(story())
        assert leaves.ended() == 0
        both = [server.log().count("🚀 START EVENT") for server in (stays, leaves)]
        assert min(both) > 0, "both workers had calls"
        assert "Traceback" not in stays.log() + leaves.log()


@contextlib.contextmanager
def _supervisor(path: Path) -> Iterator[list[str]]:
    """Yield the server's messages to systemd."""
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))

        def listen() -> None:
            with contextlib.suppress(OSError):
                while data := supervisor.recv(4096):
                    heard.append(data.decode())

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        yield heard
        supervisor.shutdown(socket.SHUT_RDWR)
        listening.join(5)


def test_what_systemd_is_told(start_server: StartServer, tmp_path: Path) -> None:
    with _supervisor(tmp_path / "notify") as heard:
        server = start_server(QUICK, environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
        eventually(lambda: heard.count("WATCHDOG=1") >= 3, "the watchdog is fed")
        assert heard[0] == "READY=1\nSTATUS=Serving echo calls"
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        eventually(lambda: any(text.startswith("STOPPING=1") for text in heard), "STOPPING=1")


def test_a_lost_supervisor_does_not_end_the_server(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server({}, environment={"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "100000"})
    time.sleep(0.3)
    assert server.fetch("/health")[0] == 200
