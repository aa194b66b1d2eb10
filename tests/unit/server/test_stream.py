"""The bounds of one connection in time: no start, no media, no end."""

import asyncio
import json

from exotel_ws.echo.mode import EchoMode
from exotel_ws.engines import Closing, Request
from exotel_ws.metrics.tally import Tally
from exotel_ws.settings import Limits, Settings
from exotel_ws.stream import Stream

from .passing import at_once

START = '{"event":"start","stream_sid":"s","start":{"call_sid":"c"}}'
MEDIA = '{"event":"media","stream_sid":"s","media":{"payload":"AQIDBA=="}}'
MARK = '{"event":"mark","stream_sid":"s","mark":{"name":"%d"}}'
STOP = '{"event":"stop","stream_sid":"s"}'


class Connection:
    """WebSocket whose close frame is answered at once; it records the time and the reason of its close."""

    request = Request("/", {}, "203.0.113.9")
    remote_host = "203.0.113.9"

    def __init__(self, limits: Limits | None = None) -> None:
        self.tally = Tally()
        self.closed: list[tuple[float, int, str]] = []
        self.clock = asyncio.get_running_loop().time
        self.began = self.clock()
        settings = Settings(limits=limits or Limits())
        self.stream = Stream(self, settings, self.tally, None, EchoMode(), lambda _stream: None)
        self.stream.opened()

    def send(self, message: str) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.closed.append((round(self.clock() - self.began, 2), code, reason))
        self.stream.closed(Closing(None, code, reason))

    async def media(self, seconds: float) -> None:
        """Send frames as a phone does, 50 a second."""
        for _ in range(round(seconds * 50)):
            self.stream.received(MEDIA)
            await asyncio.sleep(0.02)


def test_no_start() -> None:
    async def call() -> None:
        connection = Connection()
        for _ in range(10):
            connection.stream.received('{"event":"connected"}')
            await asyncio.sleep(1)
        assert connection.closed == [(5.0, 1008, "no start within 5 s")]
        assert connection.tally.ended["no_start"] == 1

    at_once(call)


def test_a_call_that_sends_no_media_any_more_is_ended() -> None:
    """A call that sends no media ends after its timeout; neither marks nor keys keep it."""

    async def call() -> None:
        connection = Connection()
        connection.stream.received(START)
        await connection.media(60)
        for count in range(20):
            connection.stream.received(MARK % count)
            await asyncio.sleep(1)
        ((at, code, reason),) = connection.closed
        assert 74.5 < at < 75.5
        assert (code, reason) == (1008, "no media for 15 s, see limits.media_timeout_s")
        assert connection.tally.ended["no_media"] == 1
        assert connection.tally.bounds["no_media"] == 1
        assert connection.tally.calls_live == 0

    at_once(call)


def test_a_call_that_never_sends_media_is_ended() -> None:
    async def call() -> None:
        connection = Connection(Limits(media_timeout_s=3))
        await asyncio.sleep(2)
        connection.stream.received(START)
        await asyncio.sleep(60)
        assert [at for at, _, _ in connection.closed] == [5.0]

    at_once(call)


def test_a_call_with_media_is_not_ended() -> None:
    """A call with media goes on, even with one frame now and then, which is no phone but no fault either."""

    async def call() -> None:
        connection = Connection()
        connection.stream.received(START)
        for _ in range(100):
            connection.stream.received(MEDIA)
            await asyncio.sleep(14)
        assert connection.closed == []
        connection.stream.received(STOP)
        await asyncio.sleep(20)
        assert [reason for _, _, reason in connection.closed] == ["still open after stop"]
        assert connection.tally.ended == connection.tally.ended | {"closed_by_server": 1, "no_media": 0}

    at_once(call)


def test_a_silent_call_costs_no_timer_a_frame() -> None:
    async def call() -> None:
        connection = Connection()
        connection.stream.received(START)
        loop = asyncio.get_running_loop()
        armed = 0
        call_later = loop.call_later

        def counted(*arguments: object, **options: object) -> asyncio.TimerHandle:
            nonlocal armed
            armed += arguments[1] == connection.stream._end_if_silent
            return call_later(*arguments, **options)  # type: ignore[arg-type]

        loop.call_later = counted  # type: ignore[method-assign]
        await connection.media(300)
        assert armed <= 21
        connection.stream.closed(Closing(1000))

    at_once(call)


def test_what_an_answered_message_holds() -> None:
    async def call() -> None:
        connection = Connection()
        connection.stream.received(START)
        (echo,) = connection.stream.received('{"event":"media","media":{"payload":"a\\"}"}}')
        assert json.loads(echo)["media"]["payload"] == 'a"}'
        connection.stream.closed(Closing(1000))

    at_once(call)
