"""The echo: every bit of it, at every rate and size."""

import asyncio
import statistics
import time

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, payload
from .process import ServerProcess


@pytest.mark.parametrize(("rate", "size"), [(8000, 320), (16000, 640), (24000, 960)])
def test_bit_exact_and_in_order(server: ServerProcess, rate: int, size: int) -> None:
    frames = wire.audio(500, seed=rate, size=size)

    async def call() -> list[bytes]:
        async with Phone(server.url(f"/?sample-rate={rate}")) as phone:
            await phone.open(rate=str(rate))
            return await phone.converse(frames)

    assert asyncio.run(call()) == frames


@pytest.mark.parametrize("size", [2, 100, 320, 322, 640, 1600, 3200, 3840, 32000, 99_840])
def test_any_size_comes_back_as_one_message(server: ServerProcess, size: int) -> None:
    """Audio up to the documented maximum comes back unchanged in one message, be its size a multiple of 320 or not."""

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            pcm = wire.audio(1, size=size)[0]
            assert await phone.echo_of(pcm) == pcm
            await phone.in_order()

    asyncio.run(call())


@pytest.mark.parametrize("size", [99_842, 100_000, 100_002, 150_000, 190_000])
def test_more_than_the_documented_maximum_is_split(server: ServerProcess, size: int) -> None:
    """Audio over 100,000 bytes is split: each message but the last is a multiple of 320, nothing is lost, order is kept."""
    pcm = wire.audio(1, size=size)[0]

    async def call() -> list[bytes]:
        async with Phone(server.url()) as phone:
            await phone.open()
            await phone.send(wire.media(pcm), wire.mark("end"))
            pieces = []
            while (answer := await phone.receive())["event"] == "media":
                pieces.append(payload(answer))
            return pieces

    pieces = asyncio.run(call())
    assert b"".join(pieces) == pcm
    assert all(len(piece) <= 100_000 for piece in pieces)
    assert all(len(piece) % 320 == 0 for piece in pieces[:-1])


def test_numbered_frames(start_server: StartServer) -> None:
    """Frames can be numbered, as one vendor's sample says some flows need: strings, and timestamps of the audio sent before."""
    server = start_server({"output": {"number_frames": True}})

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open(rate="16000")
            await phone.send(wire.media(b"ab" * 320), wire.media(b"ab" * 640), wire.media(b"ab" * 160))
            answers = [await phone.receive() for _ in range(3)]
            assert [answer["sequence_number"] for answer in answers] == ["1", "2", "3"]
            assert [answer["media"]["chunk"] for answer in answers] == ["1", "2", "3"]
            assert [answer["media"]["timestamp"] for answer in answers] == ["0", "20", "60"]
            assert [len(payload(answer)) for answer in answers] == [640, 1280, 320]

    asyncio.run(call())


def test_echo_is_not_held_back(server: ServerProcess) -> None:
    """An echo is not held back for a full segment: paced frames come back long before the next one is sent."""

    async def call() -> float:
        async with Phone(server.url()) as phone:
            await phone.open()
            delays = []
            for pcm in wire.audio(30):
                began = time.perf_counter()
                await phone.send(wire.media(pcm), wire.media(pcm))
                await phone.receive()
                await phone.receive()
                delays.append(time.perf_counter() - began)
            return statistics.median(delays)

    assert asyncio.run(call()) < 0.015
