"""One connection may send at a phone's pace, plus a backlog of the network, and no more."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, RawClient, frame, frame_head, payload
from .process import ServerProcess, eventually

MEGABYTE = 1024 * 1024
TINY = frame("{")
EVENT = frame('{"event":"x"}')


def counted(server: ServerProcess, bound: str) -> float:
    return server.metric(f'bounds_total{{bound="{bound}"}}')


def flood(server: ServerProcess, data: bytes, *, start: bool) -> int:
    """Send ``data`` and return the close code after the server's messages."""
    with server.raw() as client:
        assert client.handshake() == 101
        if start:
            client.frame(wire.start("flood"))

        def send() -> None:
            with contextlib.suppress(OSError):
                client.socket.sendall(data)

        sending = threading.Thread(target=send)
        sending.start()
        code = client.close_code()
        sending.join(10)
        return code


@pytest.mark.parametrize(
    "data",
    [EVENT * 20_000, frame(b"", 9) * 20_000, frame(b"x" * 125, 9) * 20_000, frame(b"", 10) * 20_000, TINY * 20_000],
    ids=["events", "empty pings", "pings", "pongs", "garbage"],
)
@pytest.mark.parametrize("start", [False, True], ids=["before start", "in a call"])
def test_a_flood_of_small_messages_is_closed(server: ServerProcess, data: bytes, start: bool) -> None:
    before = server.metrics()
    assert flood(server, data, start=start) == 1008
    eventually(lambda: server.metric("connections_live") == 0, "the flood is gone")
    after = server.metrics()
    bounds = [name for name in after if "bounds_total" in name and after[name] > before[name]]
    assert bounds in (['exotel_ws_bounds_total{bound="message_rate"}'], ['exotel_ws_bounds_total{bound="malformed"}'])
    taken = sum(after[name] - before[name] for name in after if "protocol_faults_total" in name)
    assert taken <= (4000 if start else 100)


@pytest.mark.parametrize("start", [False, True], ids=["before start", "in a call"])
@pytest.mark.parametrize("size", [0, 1])
def test_a_message_in_pieces_without_end_is_closed(server: ServerProcess, size: int, start: bool) -> None:
    pieces = frame(b"{", fin=False) + frame(b"x" * size, opcode=0, fin=False) * 20_000
    assert flood(server, pieces, start=start) in (1008, 1009)
    eventually(lambda: server.metric("connections_live") == 0, "the flood is gone")


def test_a_flood_of_bytes_is_closed(start_server: StartServer) -> None:
    server = start_server({"limits": {"bytes_burst": MEGABYTE}})
    assert flood(server, frame(wire.media(bytes(150_000), "flood")) * 30, start=True) == 1008
    assert counted(server, "byte_rate") == 1
    assert server.metric('frames_total{direction="in"}') <= 10


@pytest.mark.alone
@pytest.mark.parametrize("count", [10, 40])
def test_floods_do_not_hold_up_a_call(server: ServerProcess, count: int) -> None:
    """Every flood is closed, and a call beside them has every frame back, in its order."""
    before = counted(server, "message_rate")

    async def calls() -> None:
        async with Phone(server.url()) as other:
            await other.open("beside")
            frames = wire.audio(100)
            talking = asyncio.create_task(other.converse(frames, "beside", pause_s=0.02))
            codes = await asyncio.gather(*(asyncio.to_thread(flood, server, EVENT * 5000, start=False) for _ in range(count)))
            assert codes == [1008] * count
            assert await talking == frames

    asyncio.run(calls())
    assert counted(server, "message_rate") == before + count


@pytest.mark.parametrize("seconds", [2, 10, 25])
def test_what_a_network_held_back_comes_back_whole(server: ServerProcess, seconds: int) -> None:
    """Some seconds of a call that a network held back come back whole, though sent in one piece from start to stop."""
    frames = wire.audio(seconds * 50)
    messages = [wire.connected(), wire.start("late"), *(wire.media(pcm, "late") for pcm in frames), wire.mark("m", "late")]
    data = b"".join(map(frame, messages))

    with server.raw() as client:
        assert client.handshake() == 101
        sending = asyncio.run(_both(lambda: client.socket.sendall(data), lambda: _answers(client, len(frames) + 1)))
        answers = [json.loads(data) for _, data in sending]
    assert [payload(answer) for answer in answers[:-1]] == frames
    assert answers[-1]["mark"] == {"name": "m"}


async def _both(send: Callable[[], None], read: Callable[[], list[tuple[int, bytes]]]) -> list[tuple[int, bytes]]:
    _, answers = await asyncio.gather(asyncio.to_thread(send), asyncio.to_thread(read))
    return answers


def _answers(client: RawClient, count: int) -> list[tuple[int, bytes]]:
    return [client.read_frame() for _ in range(count)]


def test_a_call_that_comes_in_one_piece_and_is_dropped_is_taken_to_its_end(server: ServerProcess) -> None:
    """A call in one piece, longer than one turn and dropped at once, is still taken to its end."""
    before = server.metric('calls_ended_total{how="stop"}')
    messages = [wire.start("gone"), *[wire.media(bytes(32), "gone")] * 100, wire.stop("gone")]
    with server.raw() as client:
        assert client.handshake() == 101
        client.socket.sendall(b"".join(map(frame, messages)))
        client.socket.shutdown(socket.SHUT_WR)
        eventually(lambda: server.metric('calls_ended_total{how="stop"}') == before + 1, "the call ended by its stop")
    assert "📊 Total media packets: 100" in server.call_log("gone")


@pytest.mark.parametrize(
    "data",
    [
        frame(b"x" * 9000),
        frame_head(255_000) + bytes(250_000),
        frame(b"x" * 5000, fin=False) + frame(b"x" * 5000, 0, fin=False),
        frame(b"x" * 8000, fin=False) + frame_head(200_000, 0) + bytes(190_000),
    ],
    ids=["whole", "half", "pieces", "half a piece"],
)
def test_before_start_a_message_has_little_room(server: ServerProcess, data: bytes) -> None:
    before = counted(server, "early_size")
    assert flood(server, data, start=False) == 1009
    eventually(lambda: counted(server, "early_size") == before + 1, "the bound is counted")


def test_half_messages_before_start_are_not_kept(start_server: StartServer) -> None:
    server = start_server({"limits": {"start_timeout_s": 60}, "log": {"level": "error"}})
    before = server.memory()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.raw()) for _ in range(100)]
        for client in clients:
            assert client.handshake() == 101
            client.socket.sendall(frame_head(255_000) + bytes(8000))
        grown = server.memory() - before
        for client in clients:
            with contextlib.suppress(ConnectionError):
                client.socket.sendall(bytes(240_000))
        assert [client.close_code() for client in clients] == [1009] * 100
        assert server.memory() - before < 100 * 64 * 1024
    assert grown < 100 * 64 * 1024


def test_a_large_message_right_behind_the_start_is_taken(server: ServerProcess) -> None:
    pcm = wire.audio(1, size=90_000)[0]
    with server.raw() as client:
        assert client.handshake() == 101
        client.socket.sendall(frame(wire.start("large")) + frame(wire.media(pcm, "large")))
        assert payload(json.loads(client.read_frame()[1])) == pcm


def test_a_client_that_never_reads_ends_with_its_reason(start_server: StartServer) -> None:
    """A client that never reads the answers to its marks ends with its reason; the waiting data stays small."""
    server = start_server({"limits": {"media_timeout_s": 1}, "log": {"media_first": 0, "media_every": 0}})
    before = server.memory()
    with server.raw(receive_buffer=4096) as client:
        assert client.handshake() == 101
        client.frame(wire.start("deaf"))
        client.socket.settimeout(0.4)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for number in range(40):
                client.socket.sendall(
                    frame(wire.media(bytes(90_000), "deaf")) + frame(wire.mark("m" * 250 + str(number), "deaf"))
                )
        server.wait_for_log("Closing with 1008: the client reads nothing for 1 s")
        eventually(lambda: server.metric("connections_live") == 0, "it is gone", 10)
    assert server.metric('calls_ended_total{how="no_media"}') == 1
    assert server.memory() - before < 8 * MEGABYTE


@pytest.mark.parametrize("pongs", [False, True])
def test_media_show_that_a_client_lives(start_server: StartServer, pongs: bool) -> None:
    """A client that never pongs stays while its media flow: Exotel's answer to pings is undocumented."""
    server = start_server({"ping": {"interval_s": 0.1, "timeout_s": 0.3}})
    pings = 0
    with server.raw() as client:
        assert client.handshake() == 101
        client.frame(wire.start("alive"))
        for number in range(60):
            client.frame(wire.media(bytes(320), "alive", chunk=number))
            opcode = 0
            while opcode != 1:
                opcode, data = client.read_frame()
                if opcode == 9:
                    pings += 1
                    if pongs:
                        client.frame(data, opcode=10)
                assert opcode in (1, 9)
            client.socket.settimeout(10)
            _wait(0.02)
    assert pings >= 3


def _wait(seconds: float) -> None:
    asyncio.run(asyncio.sleep(seconds))
