"""Faulty callers on this machine: a wrong applet, a wrong URL, a broken network.

Each function places its calls, all at the same time, waits for their end and returns. They pass for Exotel's: they have not
the numbers by which `exotelctl` knows its own calls. A server that refuses or ends a call is no error here: the caller may
be there for that.
"""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat

from exotel_phone.dial import dial
from exotel_phone.phone import Phone
from exotel_phone.reach import Unreachable
from exotel_phone.target import Target, parse
from exotel_phone.wire import FRAME_MS, Ids, Stream, frame_bytes
from websockets.exceptions import ConnectionClosed

LONG_S = 3.5
"""Duration of a call, longer than an immediate disconnect."""
_SILENCE = bytes(frame_bytes(8000))


def ids() -> Ids:
    """Return fresh ids of a caller who is not exotelctl itself."""
    return dataclasses.replace(Ids.new(), account_sid="acmevoice1", from_="09123456780", to="08012345670")


def good(url: str, *, calls: int = 1, seconds: float = LONG_S) -> None:
    """Place correct calls."""

    async def one(phone: Phone) -> None:
        await phone.play(repeat(_SILENCE, _frames(seconds)))
        await phone.settle(2.0)
        await phone.hang_up()

    _place(url, one, calls)


def short(url: str, *, calls: int) -> None:
    """Place calls that end after ten frames, as if the caller or the flow hung up at once.

    They wait for no echo, so that they stay short on a busy machine.
    """

    async def one(phone: Phone) -> None:
        await phone.play(repeat(_SILENCE, 10))
        await phone.hang_up()

    _place(url, one, calls)


def without_stop(url: str, *, calls: int) -> None:
    """Place calls that lose their connection in the middle."""

    async def one(phone: Phone) -> None:
        await phone.play(repeat(_SILENCE, _frames(LONG_S)))

    _place(url, one, calls)


def without_media(url: str, *, calls: int) -> None:
    """Place calls that start and then send no media, not even silence."""

    async def one(phone: Phone) -> None:
        await asyncio.sleep(LONG_S)
        await phone.hang_up()

    _place(url, one, calls)


def without_start(url: str, *, calls: int) -> None:
    """Connect as the Stream applet does to a server made for the Voicebot applet: no ``start`` comes."""

    async def one() -> None:
        ws = await dial(parse(url))
        await ws.send(Stream(ids(), 8000).connected())
        await asyncio.sleep(0.2)
        ws.transport.close()

    asyncio.run(_all(one for _ in range(calls)))


def repeating_start(url: str, *, times: int) -> None:
    """Place a call that sends ``start`` over and over."""

    async def one() -> None:
        ws = await dial(parse(url))
        stream = Stream(ids(), 8000)
        await ws.send(stream.connected())
        await ws.send(stream.start())
        await ws.send(stream.media(_SILENCE))
        with contextlib.suppress(ConnectionClosed):
            for _ in range(times):
                await ws.send(stream.start())
            await ws.wait_closed()
        ws.transport.close()

    asyncio.run(_all(one for _ in range(1)))


def request(address: str, port: int, head: bytes) -> None:
    """Send these bytes and ignore the answer."""
    with socket.create_connection((address, port), timeout=5) as client, contextlib.suppress(OSError):
        client.sendall(head)
        client.recv(4096)


def refused(url: str, *, calls: int = 1, seconds: float = 0.5) -> None:
    """Place calls that the server refuses at the handshake or at the start message."""
    with contextlib.suppress(Unreachable):
        good(url, calls=calls, seconds=seconds)


def another_rate(url: str) -> None:
    """Send 8 kHz to a URL that asks for 16 kHz: the cause of "it sounds like a chipmunk"."""
    good(parse(url).with_rate(16000).url())


def tls_hello(address: str, port: int) -> None:
    """Send a ClientHello to a plain port, as ``wss://`` does, and stop when the answer is no ServerHello."""
    with (
        socket.create_connection((address, port), timeout=5) as plain,
        contextlib.suppress(ssl.SSLError, OSError),
        ssl.create_default_context().wrap_socket(plain, server_hostname=address),
    ):
        raise AssertionError("the port speaks TLS")


@contextlib.contextmanager
def held(url: str, *, calls: int) -> Iterator[None]:
    """Hold this many calls while the block runs, then hang them up properly. Raises Unreachable."""
    over = threading.Event()
    up = threading.Barrier(2, timeout=20)
    fault: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_hold(parse(url), calls, up, over))
        except BaseException as error:
            fault.append(error)
            up.abort()

    thread = threading.Thread(target=run, name="held calls")
    thread.start()
    try:
        with contextlib.suppress(threading.BrokenBarrierError):
            up.wait()
        if fault:
            raise fault[0]
        yield
    finally:
        over.set()
        thread.join(30)


async def _hold(target: Target, calls: int, up: threading.Barrier, over: threading.Event) -> None:
    phones: list[Phone] = []
    try:
        while len(phones) < calls:
            phones.append(await _taken(target))
        up.wait()
        while not over.is_set():
            await asyncio.gather(*(phone.play([_SILENCE]) for phone in phones))
            await asyncio.sleep(FRAME_MS / 1000)
        await asyncio.gather(*(phone.hang_up() for phone in phones))
    finally:
        await asyncio.gather(*(phone.drop() for phone in phones))


async def _taken(target: Target, attempts: int = 50) -> Phone:
    """Return a call that has started. Dial again after a worker that is full, for another may not be. Raises Unreachable."""
    while True:
        phone = Phone(target, ids=ids())
        attempts -= 1
        try:
            await phone.dial()
        except Unreachable:
            if not attempts:
                raise
            continue
        await phone.play([_SILENCE])
        await phone.settle(5.0)  # A worker counts a call from its start on: an echo proves that it has read that far.
        return phone


def _frames(seconds: float) -> int:
    return int(seconds * 1000 / FRAME_MS)


def _place(url: str, live: Callable[[Phone], Awaitable[None]], calls: int) -> None:
    """Place calls, run ``live`` with each, and drop every connection that is still open."""

    async def one() -> None:
        phone = Phone(parse(url), ids=ids())
        try:
            await phone.dial()
            await live(phone)
        finally:
            await phone.drop()

    asyncio.run(_all(one for _ in range(calls)))


async def _all(callers: Iterator[Callable[[], Awaitable[None]]]) -> None:
    await asyncio.gather(*(caller() for caller in callers))
