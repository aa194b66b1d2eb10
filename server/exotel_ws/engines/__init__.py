"""The WebSocket engines, behind the protocol `Engine`; no module outside this package knows which one runs.

An engine frames, masks, pings and closes; the stream knows what the messages mean. The engine calls the stream for each
message without a task or a queue in between, which is the cheapest way.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from exotel_ws.engines.request import Request as Request
from exotel_ws.settings import EngineName, Settings

CLOSE_TIMEOUT_S: Final = 5.0
"""Seconds that a client gets to answer our close frame before its connection is dropped."""
CUT_S: Final = 1.0
"""Seconds that a flooding client gets to read our close frame; nothing more is read from it."""
FLOODED: Final = 1008
"""Close code of a client that sends too much."""
IN_PIECES: Final = 1009
"""Close code of a client whose fragmented message never ends, the same as for a message that is too big."""
MOST_FRAGMENTS: Final = 1024
"""Most frames of one message. Go's usual client writes 4096 bytes a frame, so 64 carry the largest default message."""
A_TURN: Final = 32
"""Messages of one connection handled in one turn of the loop, so that other calls get their turns in between."""


class Closing(NamedTuple):
    """End of a connection: the close code that came (None: no close frame, which is 1006), and the one that we sent first."""

    received: int | None
    sent: int | None = None
    reason: str = ""


class Connection(Protocol):
    """Open WebSocket, for its stream."""

    @property
    def request(self) -> Request: ...
    @property
    def remote_host(self) -> str: ...
    def send(self, message: str) -> None:
        """Send a text message now, unasked. Once the connection closes: nothing."""

    def close(self, code: int, reason: str) -> None:
        """Begin to close; the stream is told when it is done, after `CLOSE_TIMEOUT_S` at the latest. May be called again."""


class Stream(Protocol):
    """Receiver of a connection's events: `opened` once, `received` for each message, `closed` once. None of these may raise.

    The engine sets ``stuck`` while the client does not read; nothing is read from the client then.
    """

    stuck: bool

    @property
    def started(self) -> bool:
        """True once the stream has started; until then a connection may send little."""

    def opened(self) -> None: ...
    def received(self, raw: str | bytes) -> tuple[str, ...]:
        """Take a message (str: a text one); return the messages to send."""

    def answered(self, seconds: float) -> None:
        """Note that the messages returned by `received` reached the socket, ``seconds`` after the message they answer."""

    def flooded(self, bound: str, reason: str, code: int) -> None:
        """Close the connection with ``code``: it sent more than ``bound`` of `exotel_ws.engines.pace` allows."""

    def closed(self, closing: Closing) -> None: ...


Open = Callable[[Connection], Stream]


class Engine(Protocol):
    """Make transports of accepted sockets, and WebSockets of transports whose handshake was accepted."""

    async def connect(self, accepted: socket.socket, front: Callable[[], asyncio.BufferedProtocol]) -> None:
        """Make the transport of an accepted socket, with the protocol that ``front`` makes."""

    def upgrade(self, transport: asyncio.Transport, request: Request, rest: bytes) -> None:
        """Answer a valid request for a WebSocket and open its stream; ``rest`` holds the bytes that came behind its head."""


T = TypeVar("T")


def run(name: EngineName, main: Coroutine[Any, Any, T]) -> T:
    """Run like `asyncio.run`, on the loop that suits the engine: uvloop below picows (docs/performance.md), else asyncio's."""
    factory = None
    if name == "picows":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def choose(settings: Settings, open_stream: Open) -> Engine:
    """Return the engine that the settings name; import no other."""
    if settings.engine == "picows":
        from exotel_ws.engines.picows import PicowsEngine

        return PicowsEngine(settings, open_stream)
    from exotel_ws.engines.websockets import WebsocketsEngine

    return WebsocketsEngine(settings, open_stream)
