"""One connection's pace and its pings, in virtual time."""

import asyncio

import pytest
from exotel_ws.engines.keepalive import KeepAlive
from exotel_ws.engines.pace import QUICK, Pace
from exotel_ws.settings import Limits, Ping

from .passing import at_once


class Sender:
    """Frames of a connection, in a time of the test's."""

    def __init__(self, *, started: bool = True, **limits: object) -> None:
        self.now = 1000.0
        self.pace = Pace(Limits(**limits), lambda: self.now)  # type: ignore[arg-type]
        if started:
            self.pace.start()

    def send(self, count: int, size: int = 620) -> int:
        """Return how many of ``count`` frames are taken."""
        return sum(self.pace.take(size) for _ in range(count))


@pytest.mark.parametrize("size", [620, 940, 1400])
def test_a_phone_may_talk_for_an_hour_and_stall_for_ten_seconds_each_minute(size: int) -> None:
    sender = Sender()
    for _ in range(60):
        for _ in range(50):
            sender.now += 1
            assert sender.send(50, size) == 50
        sender.now += 10
        assert sender.send(500, size) == 500


@pytest.mark.parametrize("seconds", [2, 10, 40])
def test_what_a_network_held_back_comes_at_once(seconds: int) -> None:
    sender = Sender()
    sender.now += seconds
    assert sender.send(seconds * 50) == seconds * 50


def test_a_flood_of_small_frames_is_found() -> None:
    sender = Sender()
    assert sender.send(10_000, 0) == 2000
    assert sender.pace.exceeded == "message_rate"
    sender.now += 3600
    assert sender.send(1, 0) == 0, "it does not come back"


def test_a_flood_that_lasts_is_found() -> None:
    """A flood at ten times a phone's rate is found within a quarter of a minute."""
    sender = Sender()
    taken = 0
    for _ in range(30):
        sender.now += 1
        taken += sender.send(500)
    assert taken < 2 * 2000 + 15 * 200
    assert sender.pace.exceeded == "message_rate"


def test_a_flood_of_bytes_is_found() -> None:
    sender = Sender()
    assert sender.send(100, 256 * 1024) == 64
    assert sender.pace.exceeded == "byte_rate"


def test_before_start_there_is_less() -> None:
    assert Sender(started=False).send(1000, 100) == 100
    assert Sender(started=False).send(1000, 8192) == 12
    sender = Sender(started=False)
    sender.now += 3600
    assert sender.send(1000, 100) == 100
    assert sender.pace.most_bytes == 8192
    sender = Sender(started=False)
    sender.pace.start()
    assert sender.pace.most_bytes == 256 * 1024


class Wire:
    """Keep-alive with a record of its actions, by the second."""

    def __init__(self) -> None:
        self.clock = asyncio.get_running_loop().time
        self.began = self.clock()
        self.pings: list[float] = []
        self.ended: list[float] = []
        self.alive = KeepAlive(
            Ping(interval_s=20, timeout_s=60),
            lambda: self.pings.append(round(self.clock() - self.began)),
            lambda: self.ended.append(round(self.clock() - self.began)),
        )


def test_a_peer_that_never_pongs_while_its_media_flow_is_alive() -> None:
    async def call() -> None:
        wire = Wire()
        for _ in range(600 * 50):
            await asyncio.sleep(0.02)
            if wire.alive.waiting:
                wire.alive.heard()
        assert wire.ended == []
        sent = len(wire.pings)
        assert sent in (29, 30)
        wire.alive.end()
        await asyncio.sleep(600)
        assert len(wire.pings) == sent

    at_once(call)


def test_a_peer_of_which_nothing_comes_is_given_up() -> None:
    async def call() -> None:
        wire = Wire()
        await asyncio.sleep(600)
        assert (wire.pings, wire.ended) == ([20], [80])

    at_once(call)


def test_frames_that_are_counted_ahead_are_given_back_if_they_do_not_come() -> None:
    pace = Pace(Limits(messages_burst=60, bytes_burst=100_000), lambda: 0.0)
    assert pace.advance() == 0, "before the start each frame is counted by itself"
    pace.start()
    assert pace.advance() == QUICK
    pace.give_back(QUICK)
    assert [pace.take(10) for _ in range(61)] == [True] * 60 + [False]
    pace = Pace(Limits(messages_burst=60, bytes_burst=100_000), lambda: 0.0)
    pace.start()
    assert [pace.advance() for _ in range(3)] == [QUICK, 0, 0], "the bytes suffice once"
