"""Memory that a worker's taps hold for connections that have not started is bounded in all, and freed."""

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from exotel_ws.call import Phase
from exotel_ws.tap import queue as tap_queue
from exotel_ws.tap.held import MOST, Held
from exotel_ws.tap.queue import Asked, Subscriber
from exotel_ws.tap.redact.known import Secrets
from exotel_ws.tap.redact.redactor import Redactor
from exotel_ws.tap.taps import Taps
from exotel_ws.tap.watch import Watch

TALK = '{"event":"mark","mark":{"name":"' + "m" * 3000 + '"}}'


@pytest.fixture(autouse=True)
def ample_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the tap time, so that no message is left out because this machine is busy."""
    monkeypatch.setattr(tap_queue, "_SHARE", 1e9)


def subscriber(**asked: Any) -> Subscriber:
    return Subscriber(Asked(**asked), lambda: Redactor("keep", mask=False, secrets=Secrets(())))


def connection(number: int) -> Any:
    start = SimpleNamespace(call_sid="", stream_sid="", from_="", to="")
    call = SimpleNamespace(conn_id=f"conn_{number}", last_event="", phase=Phase.OPENED, remote_host="", start=start)
    return SimpleNamespace(call=call, rate_asked=None, watches=())


def start(stream: Any, call_sid: str) -> None:
    stream.call.phase, stream.call.start.call_sid = Phase.STARTED, call_sid
    for watch in stream.watches:
        watch.answered(())


def watched(held: Held, taps: list[Subscriber], connections: int) -> Iterator[Any]:
    for number in range(connections):
        stream = connection(number)
        stream.watches = tuple(Watch(tap, stream, "i", held) for tap in taps)
        yield stream


def test_all_taps_and_connections_together_hold_no_more_than_the_bound() -> None:
    held, taps = Held(), [subscriber(call="wanted") for _ in range(8)]
    streams = list(watched(held, taps, 300))
    for stream in streams:
        for _ in range(20 if stream is streams[-1] else 3):  # three of each exceed the bound five times over
            for watch in stream.watches:
                watch.received(TALK)
    assert MOST // 2 < held.size <= MOST
    start(streams[-1], "wanted")
    assert all(tap.incomplete for tap in taps), "what did not fit is missing, and said to be"
    assert sum(tap._lost["conn_299"] for tap in taps) > 100


def test_those_who_talk_much_leave_room_for_a_call() -> None:
    held, tap = Held(), subscriber(call="wanted")
    for stream in watched(held, [tap], 300):
        for _ in range(20):
            stream.watches[0].received(TALK)
    assert held.size > MOST // 2
    (call,) = watched(held, [tap], 1)
    call.watches[0].received(TALK)
    start(call, "wanted")
    assert not tap.incomplete


def is_closed(stream: Any) -> None:
    stream.watches[0].closed("no_start", 1006)


def is_not_wanted(stream: Any) -> None:
    start(stream, "another")


def is_wanted(stream: Any) -> None:
    start(stream, "wanted")


def has_no_listener(stream: Any) -> None:
    stream.watches[0].subscriber.finish("over")
    stream.watches[0].received(TALK)


def is_forgotten_twice(stream: Any) -> None:
    stream.watches[0].forget()
    stream.watches[0].closed("stop", 1006)


@pytest.mark.parametrize("end", [is_closed, is_not_wanted, is_wanted, has_no_listener, is_forgotten_twice])
def test_what_is_no_longer_held_back_is_given_back(end: Callable[[Any], None]) -> None:
    held = Held()
    (stream,) = watched(held, [subscriber(call="wanted")], 1)
    stream.watches[0].received(TALK)
    assert held.size > len(TALK)
    end(stream)
    assert held.size == 0


def test_a_client_that_leaves_takes_what_was_held_back_for_it() -> None:
    async def main() -> int:
        taps, stream, reader = Taps({"instance": "i", "release": "r"}, ()), connection(1), asyncio.StreamReader()
        writer: Any = SimpleNamespace(write=lambda _: None, drain=lambda: asyncio.sleep(0))
        serving = asyncio.create_task(taps.serve([stream], "call=wanted", reader, writer))
        await asyncio.sleep(0)
        stream.watches[0].received(TALK)
        assert taps._held.size > len(TALK)
        reader.feed_eof()
        await serving
        return taps._held.size

    assert asyncio.run(main()) == 0
