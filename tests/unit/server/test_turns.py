"""Frames of one read are spread over turns of the loop, so that other calls do not wait for all of them."""

import asyncio
from typing import Any

from exotel_ws.engines import A_TURN, Closing, Request
from exotel_ws.engines.picows_connection import PicowsConnection
from exotel_ws.settings import Limits, Settings
from picows import WSMsgType

from .passing import at_once


class Frame:
    """Frame as picows hands it over, of a read that holds ``tail_size`` more bytes."""

    fin = True
    rsv1 = rsv2 = rsv3 = False

    def __init__(self, text: str, tail_size: int = 0, kind: WSMsgType = WSMsgType.TEXT) -> None:
        self.msg_type, self.tail_size, self.payload_size = kind, tail_size, len(text)
        self._payload = text.encode()

    def get_payload_as_bytes(self) -> bytes:
        return self._payload

    def get_payload_as_utf8_text(self) -> str:
        return self._payload.decode()


class Transport:
    """Stand-in for picows' transport and for the one below it."""

    def __init__(self) -> None:
        self.underlying_transport = self
        self.close_handshake = None
        self.done: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_arguments: self.done.append(name)

    def is_closing(self) -> bool:
        return False


class Stream:
    """Stream that records its calls."""

    started = True
    stuck = False

    def __init__(self) -> None:
        self.told: list[str] = []

    def opened(self) -> None: ...

    def received(self, raw: str | bytes) -> tuple[str, ...]:
        self.told.append(str(raw))
        return ()

    def answered(self, seconds: float) -> None: ...

    def flooded(self, bound: str, reason: str, code: int) -> None:
        self.told.append(f"{bound} {code}")

    def closed(self, closing: Closing) -> None:
        self.told.append("closed")


class Wire:
    """Connection that has started."""

    def __init__(self, **limits: Any) -> None:
        self.stream, self.transport = Stream(), Transport()
        self.connection = PicowsConnection(
            Request("/", {}, "x"), lambda _connection: self.stream, Settings(limits=Limits(**limits))
        )
        self.connection.on_ws_connected(self.transport)  # type: ignore[arg-type]
        self.connection.pace.start()

    def read(self, texts: list[str], kind: WSMsgType = WSMsgType.TEXT) -> None:
        """Deliver all of ``texts`` in one read."""
        for left, text in zip(range(len(texts) - 1, -1, -1), texts, strict=True):
            self.connection.on_ws_frame(self.transport, Frame(text, left * 10, kind))  # type: ignore[arg-type]


def numbers(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


def test_a_read_of_many_messages_takes_many_turns() -> None:
    async def main() -> None:
        wire = Wire()
        wire.read(numbers(0, 100))
        assert wire.stream.told == numbers(0, A_TURN)
        assert wire.transport.done == ["pause_reading"]
        for turn in (2, 3):
            await asyncio.sleep(0)
            assert wire.stream.told == numbers(0, turn * A_TURN)
        await asyncio.sleep(0)
        assert wire.stream.told == numbers(0, 100)
        assert wire.transport.done == ["pause_reading", "resume_reading"]
        wire.read(["100"])
        assert wire.stream.told == numbers(0, 101)
        wire.connection.on_ws_disconnected(wire.transport)  # type: ignore[arg-type]

    at_once(main)


def test_what_comes_behind_waits_in_its_order() -> None:
    async def main() -> None:
        wire = Wire()
        wire.read(numbers(0, 50))
        wire.read(numbers(50, 51))
        assert wire.stream.told == numbers(0, A_TURN)
        wire.connection.on_ws_disconnected(wire.transport)  # type: ignore[arg-type]
        assert wire.stream.told == [*numbers(0, 51), "closed"]

    at_once(main)


def test_a_call_that_reads_nothing_has_no_turn() -> None:
    async def main() -> None:
        wire = Wire()
        wire.read(numbers(0, 50))
        wire.connection.pause_writing()
        await asyncio.sleep(1)
        assert wire.stream.told == numbers(0, A_TURN)
        wire.connection.resume_writing()
        await asyncio.sleep(1)
        assert wire.stream.told == numbers(0, 50)
        assert wire.transport.done == ["pause_reading", "resume_reading"]
        wire.connection.on_ws_disconnected(wire.transport)  # type: ignore[arg-type]

    at_once(main)


def test_nothing_that_follows_a_flood_is_looked_at() -> None:
    async def main() -> None:
        wire = Wire(messages_burst=40)
        wire.read(numbers(0, 1000))
        assert wire.stream.told == [*numbers(0, A_TURN), "message_rate 1008"]
        await asyncio.sleep(0.5)
        assert wire.transport.done == ["pause_reading"]
        await asyncio.sleep(1)
        assert wire.transport.done == ["pause_reading", "disconnect"]
        wire.connection.on_ws_disconnected(wire.transport)  # type: ignore[arg-type]

    at_once(main)


def test_pings_have_their_turns_too() -> None:
    async def main() -> None:
        wire = Wire()
        wire.read([""] * 100, WSMsgType.PING)
        assert wire.transport.done.count("send_pong") == A_TURN
        await asyncio.sleep(1)
        assert wire.transport.done.count("send_pong") == 100
        wire.connection.on_ws_disconnected(wire.transport)  # type: ignore[arg-type]

    at_once(main)


def test_a_kept_frame_that_breaks_the_protocol_is_the_last_that_is_looked_at() -> None:
    """A kept frame that breaks the protocol ends the connection, and the frames kept behind it are dropped."""

    async def main() -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        wire = Wire()
        texts = numbers(0, 60)
        for left, text in zip(range(len(texts) - 1, -1, -1), texts, strict=True):
            frame = Frame(text, left * 10)
            frame.rsv1 = text == "40"
            wire.connection.on_ws_frame(wire.transport, frame)  # type: ignore[arg-type]
        await asyncio.sleep(1)
        assert wire.stream.told == numbers(0, 40)
        assert faults == []
        assert wire.transport.done == ["pause_reading", "send_close", "disconnect"]
        wire.connection.on_ws_disconnected(wire.transport)  # type: ignore[arg-type]

    at_once(main)


def test_a_read_that_takes_turns_costs_no_more_than_its_frames() -> None:
    async def main() -> None:
        wire = Wire(messages_burst=200, messages_per_s=1)
        for first in (0, 50, 100, 150):
            wire.read(numbers(first, first + 50))
            await asyncio.sleep(1)
        assert wire.stream.told == numbers(0, 200)
        wire.connection.on_ws_disconnected(wire.transport)  # type: ignore[arg-type]

    at_once(main)
