"""Every wait has an end. The scenarios take seconds by their nature: they run side by side, and each test looks at one."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, frame, upgrade_request
from .process import ServerProcess, eventually

HANDSHAKE_S, START_S, PING_S, PONG_S, CALL_S = 0.6, 0.7, 0.2, 0.6, 1.5
CLOSE_S = 5
"""Time that a client may stay after stop, or after our close frame: not a setting."""
MOST_S = 30.0
"""Longest wait for an expected event on a busy machine; it costs time only where the test fails."""
MEGABYTE = 1024 * 1024


@contextlib.contextmanager
def takes(seconds: float) -> Iterator[None]:
    """Assert that the block takes at least this long. The client's own bound on waiting proves that it ends."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began >= seconds * 0.8


def a_silent_connection_ends(tight: ServerProcess) -> None:
    with tight.raw() as client, takes(HANDSHAKE_S):
        assert client.rest() == b""


def an_endless_handshake_ends(tight: ServerProcess) -> None:
    """A handshake without end is ended; a byte now and then does not keep it open."""
    data = upgrade_request("/", "X: " + "y" * 1000)
    with tight.raw() as client, takes(HANDSHAKE_S), contextlib.suppress(ConnectionError):
        for byte in data:
            client.socket.sendall(bytes([byte]))
            time.sleep(0.02)


def a_stream_that_never_starts_is_closed(tight: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(tight.url()) as phone:
            with takes(START_S):
                assert await phone.closed() == (1008, f"no start within {START_S:g} s")

    asyncio.run(call())
    assert tight.metric('calls_ended_total{how="no_start"}') >= 1


def messages_other_than_start_do_not_count(tight: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(tight.url()) as phone:
            with takes(START_S):
                closing = asyncio.create_task(phone.closed())
                with contextlib.suppress(Exception):
                    while not closing.done():
                        await phone.send(wire.connected(), wire.dtmf("1"), wire.message(event="media", media={"payload": "AAA="}))
                        await asyncio.sleep(0.05)
                assert (await closing)[0] == 1008

    asyncio.run(call())


def a_call_has_an_end(tight: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(tight.url()) as phone:
            await phone.open()
            with takes(CALL_S):
                assert await phone.closed() == (1000, f"longer than limits.max_call_s = {CALL_S:g} s")

    asyncio.run(call())


def pings_keep_coming_and_answers_keep_the_call(tight: ServerProcess) -> None:
    pings = 0
    with tight.raw() as client:
        assert client.handshake() == 101
        client.frame(wire.start())
        until = time.monotonic() + CALL_S * 0.8
        while time.monotonic() < until:
            opcode, data = client.read_frame()
            assert opcode == 9
            client.frame(data, opcode=10)
            pings += 1
    assert pings >= CALL_S * 0.8 / PING_S / 2


def a_client_that_answers_no_ping_is_closed(tight: ServerProcess) -> None:
    with tight.raw() as client:
        assert client.handshake() == 101
        client.frame(wire.start())
        with takes(PING_S + PONG_S):
            assert client.close_code() == 1011


def a_message_of_endless_pieces_is_ended(tight: ServerProcess) -> None:
    """A message of endless empty pieces is ended, though their bytes never add up to too many."""
    with tight.raw() as client:
        assert client.handshake() == 101
        client.frame(b"{", fin=False)
        with contextlib.suppress(ConnectionError):
            client.socket.sendall(frame(b"", opcode=0, fin=False) * 20_000)
        assert client.close_code() == 1009


def a_client_that_stays_after_stop_is_closed(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            await phone.send(wire.stop())
            with takes(CLOSE_S):
                assert await phone.closed() == (1000, "still open after stop")

    asyncio.run(call())


def a_client_that_never_reads_is_ended(server: ServerProcess) -> None:
    """A client that never reads is not waited for, and its waiting data does not fill the memory."""
    before = server.memory()
    with server.raw(receive_buffer=4096) as client:
        assert client.handshake() == 101
        client.frame(wire.start())
        client.socket.settimeout(0.4)
        pieces = frame(wire.media(bytes(32_000))) * 10
        with contextlib.suppress(TimeoutError, ConnectionError):
            while True:
                client.socket.sendall(pieces)
        eventually(lambda: server.metric("connections_live") == 0, "the slow reader is gone", MOST_S)
    assert server.memory() - before < 8 * MEGABYTE


def in_a_hurry_nobody_is_waited_for(server: ServerProcess) -> None:
    """In a hurry the server waits for nobody: one client answers no close frame, another has not begun its handshake."""
    with server.raw(receive_buffer=4096) as stuck, server.raw() as silent:
        assert stuck.handshake() == 101
        stuck.frame(wire.start())
        with takes(CLOSE_S):
            server.signal(signal.SIGQUIT)
            assert server.ended(MOST_S) == 0
        assert silent.rest() == b""


TIGHT: dict[str, Any] = {
    "limits": {"handshake_timeout_s": HANDSHAKE_S, "start_timeout_s": START_S, "max_call_s": CALL_S},
    "ping": {"interval_s": PING_S, "timeout_s": PONG_S},
}
ON_TIGHT_LIMITS = (
    a_silent_connection_ends,
    an_endless_handshake_ends,
    a_stream_that_never_starts_is_closed,
    messages_other_than_start_do_not_count,
    a_call_has_an_end,
    pings_keep_coming_and_answers_keep_the_call,
    a_client_that_answers_no_ping_is_closed,
    a_message_of_endless_pieces_is_ended,
)
ON_THEIR_OWN: dict[str, tuple[Callable[[ServerProcess], None], dict[str, Any]]] = {
    "a_client_that_stays_after_stop_is_closed": (a_client_that_stays_after_stop_is_closed, {}),
    "a_client_that_never_reads_is_ended_by_its_ping": (
        a_client_that_never_reads_is_ended,
        {"ping": {"interval_s": 0.3, "timeout_s": 1}},
    ),
    "a_client_that_never_reads_is_ended_by_its_time": (a_client_that_never_reads_is_ended, {"limits": {"max_call_s": 1}}),
    "in_a_hurry_nobody_is_waited_for": (in_a_hurry_nobody_is_waited_for, {}),
}
SCENARIOS = [*(scenario.__name__ for scenario in ON_TIGHT_LIMITS), *ON_THEIR_OWN]


@pytest.fixture(scope="module")
def running(session_server: StartServer) -> Iterator[dict[str, Future[None]]]:
    """Begin all scenarios and yield their futures."""
    own = {name: (scenario, session_server(settings)) for name, (scenario, settings) in ON_THEIR_OWN.items()}
    tight = session_server(TIGHT)
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {name: pool.submit(scenario, server) for name, (scenario, server) in own.items()} | {
            scenario.__name__: pool.submit(scenario, tight) for scenario in ON_TIGHT_LIMITS
        }


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_wait_has_an_end(running: dict[str, Future[None]], name: str) -> None:
    running[name].result(30)
