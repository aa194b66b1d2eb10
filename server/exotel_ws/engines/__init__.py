"""The WebSocket engines. `Engine` is what the server asks of one; no module outside this package knows which one runs.

An engine frames, masks, pings and closes; what the messages mean is the stream's business. A stream is called for each message,
without a task or a queue in between: that is what a frame costs least.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from exotel_ws.admission import Ticket
from exotel_ws.engines.first_bytes import Greet
from exotel_ws.settings import Engine as EngineName
from exotel_ws.settings import Settings

CLOSE_TIMEOUT_S: Final = 5.0
"""How long a client gets to answer our close frame before its connection is dropped."""
RECEIVE_BUFFER: Final = 64 * 1024
"""Bytes, doubled by the kernel, a connection; without it a client that floods makes an engine read megabytes at once."""
MOST_FRAGMENTS: Final = 1024
"""Frames of one message. Go's common client writes 4096 bytes a frame, so 64 hold the largest default message."""
SERVER_HEADER: Final = "exotel-voicebot"


class Request(NamedTuple):
    """An HTTP request that asks for an upgrade, or just for an answer. ``path`` has the query with it."""

    path: str
    headers: Mapping[str, str]
    remote_host: str
    ticket: Ticket | None = None
    """The connection's account; None only where a test has none."""


class Closing(NamedTuple):
    """How a connection ended: the close code that came (None: no close frame, which is 1006), and the one that we sent first."""

    received: int | None
    sent: int | None = None
    reason: str = ""


class Connection(Protocol):
    """An open WebSocket, as its stream sees it."""

    @property
    def request(self) -> Request: ...
    @property
    def remote_host(self) -> str: ...
    def send(self, message: str) -> None:
        """Send a text message now, unasked. Once the connection closes: nothing."""

    def close(self, code: int, reason: str) -> None:
        """Begin to close; the stream is told when it is done, after `CLOSE_TIMEOUT_S` at the latest. May be called again."""


class Stream(Protocol):
    """What an engine tells of a connection: once `opened`, each message, once `closed`. None of these may raise."""

    def opened(self) -> None: ...
    def received(self, raw: str | bytes) -> tuple[str, ...]:
        """Take a message (str: a text one); return the messages to send."""

    def answered(self, seconds: float) -> None:
        """The messages that `received` returned were handed to the socket, this long after the arrival of theirs."""

    def closed(self, closing: Closing) -> None: ...


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    content_type: str
    body: str


Open = Callable[[Connection], Stream]
Respond = Callable[[Request], Answer | None]
"""Answers a request, or lets it become a WebSocket by None."""


class Engine(Protocol):
    """Serves WebSockets, and plain HTTP GET, on a bound socket."""

    async def serve(
        self, open_stream: Open, listener: socket.socket, respond: Respond, greet_stranger: Greet, settings: Settings
    ) -> Callable[[], None]:
        """Begin to serve; returns what ends it: then nothing is accepted any more, and open connections go on."""


T = TypeVar("T")


def run(name: EngineName, main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the event loop that suits the engine: uvloop below picows (docs/performance.md), else asyncio's.

    Either loop lets a listening socket of its engine be taken off by ``remove_reader``; uvloop's own servers would not.
    """
    factory = None
    if name == "picows":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def choose(name: EngineName) -> Engine:
    """The engine of this name. Only that one is imported."""
    if name == "picows":
        from exotel_ws.engines.picows import PicowsEngine

        return PicowsEngine()
    from exotel_ws.engines.websockets import WebsocketsEngine

    return WebsocketsEngine()
