"""Bot whose voice is a tone: it greets, answers turns and keys, stops when spoken over, and closes after its last mark.

It can be broken in a single way at a time.
"""

import asyncio
import base64
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from exotel_phone.talk import sound
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.unit.exotel_phone.talk.bot_calls import tone

HEALTH = '{"status":"ok","service":"exotel-voicebot","mode":"ai"}'
_PAUSE_FRAMES = 10
"""Frames of silence that end a turn."""


@dataclasses.dataclass
class Manners:
    """Manners of a bot, by default good. Sizes in bytes, times in seconds."""

    answers: int = 2
    answer_s: float = 0.4
    chunk: int = 3200
    greets: bool = True
    stops: bool = True
    waits_for_mark: bool = True
    close_code: int = 1000
    hole_s: float = 0.0
    """Silence in the middle of each answer, because the bot sends it late."""
    sid: str = ""
    """Id of another stream."""


class Bot:
    """Bot of one stream."""

    def __init__(self, ws: ServerConnection, manners: Manners) -> None:
        self.ws = ws
        self.manners = manners
        self.received: list[tuple[float, dict[str, Any]]] = []
        self.sent: list[tuple[float, str]] = []
        self._sid = ""
        self._answers = 0
        self._voice = False
        self._quiet = 0
        self._playing_until = 0.0
        self._saying: asyncio.Task[None] | None = None

    async def run(self) -> None:
        async for text in self.ws:
            message = json.loads(text)
            self.received.append((_now(), message))
            await getattr(self, f"_{message['event']}", self._other)(message)

    async def _other(self, _message: dict[str, Any]) -> None:
        """Ignore other messages."""

    async def _start(self, message: dict[str, Any]) -> None:
        self._sid = message["stream_sid"]
        if self.manners.greets:
            self._say("greeting")

    async def _dtmf(self, _message: dict[str, Any]) -> None:
        await self._answer()

    async def _media(self, message: dict[str, Any]) -> None:
        loud = sound.peak(sound.samples(base64.b64decode(message["media"]["payload"]))) > 1000
        if loud and not self._voice and _now() < self._playing_until and self.manners.stops:
            await self._stop()
        self._quiet = 0 if loud else self._quiet + 1
        self._voice |= loud
        if self._voice and self._quiet == _PAUSE_FRAMES:
            self._voice = False
            await self._answer()

    async def _mark(self, message: dict[str, Any]) -> None:
        if message["mark"]["name"] == f"answer-{self.manners.answers}":
            await self.ws.close(self.manners.close_code)

    async def _answer(self) -> None:
        if self._answers < self.manners.answers:
            self._answers += 1
            self._say(f"answer-{self._answers}")

    async def _stop(self) -> None:
        assert self._saying is not None
        self._saying.cancel()
        self._playing_until = _now()
        await self._send({"event": "clear"})

    def _say(self, name: str) -> None:
        self._saying = asyncio.create_task(self._speak(name))

    async def _speak(self, name: str) -> None:
        pcm = tone(self.manners.answer_s)
        pieces = [
            pcm[at : at + self.manners.chunk].ljust(self.manners.chunk, b"\0") for at in range(0, len(pcm), self.manners.chunk)
        ]
        self._playing_until = _now() + self.manners.answer_s + self.manners.hole_s
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2 and self.manners.hole_s:
                await asyncio.sleep(number * self.manners.chunk / 16000 + self.manners.hole_s)
            await self._send({"event": "media", "media": {"payload": base64.b64encode(piece).decode()}})
        await self._send({"event": "mark", "mark": {"name": name}})
        if name == f"answer-{self.manners.answers}" and not self.manners.waits_for_mark:
            await self.ws.close(self.manners.close_code)

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append((_now(), message["event"]))
        with contextlib.suppress(ConnectionClosed):
            await self.ws.send(json.dumps({**message, "stream_sid": self.manners.sid or self._sid}))


class BotServer:
    """Running server. ``bots`` are those of its streams."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self.bots: list[Bot] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def handle(self, ws: ServerConnection) -> None:
        bot = Bot(ws, self._manners)
        self.bots.append(bot)
        with contextlib.suppress(ConnectionClosed):
            await bot.run()

    def http(self, ws: ServerConnection, request: Request) -> Response | None:
        return None if "Upgrade" in request.headers else ws.respond(HTTPStatus.OK, HEALTH)


@contextlib.asynccontextmanager
async def talking(manners: Manners) -> AsyncIterator[BotServer]:
    """Run a server on a free port of loopback while the block lasts."""
    it = BotServer(manners)
    server: Server
    async with serve(it.handle, "127.0.0.1", 0, process_request=it.http, ping_interval=None) as server:
        it.port = next(iter(server.sockets)).getsockname()[1]
        yield it


def _now() -> float:
    return asyncio.get_running_loop().time()
