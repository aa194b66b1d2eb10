"""Call with the real pipeline and the embedded models in this process, on a line that is as a test makes it.

Time is virtual: it passes while nobody works, so that what is heard does not depend on how busy the machine is.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from exotel_ws.ai.mode import AiMode
from exotel_ws.ai.settings import Ai, Record
from exotel_ws.logs import CallLog
from exotel_ws.protocol import Mark, Media, Start, Writer
from exotel_ws.responder import HangUp
from exotel_ws.settings import Settings

from tests.speech.sounds import Echo, pcm16, samples
from tests.unit.server.passing import Loop

RATE = 8000
FRAME_S = 0.02
_FRAME = int(RATE * FRAME_S) * 2


@dataclass
class Heard:
    """Record of a call: the turns of the caller, what the bot said, the number of ``clear``, and how it ended.

    ``holes`` are the silences in seconds between each ``clear`` and what is heard next.
    """

    turns: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    clears: int = 0
    outcome: str = ""
    holes: list[float] = field(default_factory=list)


class AtOnce(Loop):
    """Loop on which the models work in no time, or all of them for ``works_s`` seconds, and not beside it."""

    def __init__(self, works_s: float = 0.0) -> None:
        super().__init__()
        self._works_s = works_s

    def run_in_executor(self, _executor: object, work: Callable[..., Any], *given: Any) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            made = work(*given)
        except Exception as error:
            done.set_exception(error)
            return done
        if self._works_s:
            self.call_later(self._works_s, lambda: done.cancelled() or done.set_result(made))
        else:
            done.set_result(made)
        return done


class Line:
    """Line of a call that plays what the bot says, and returns its marks."""

    def __init__(self, sid: str, echo: Echo | None) -> None:
        """``echo`` is played what the bot says."""
        self.path = "/"
        self.sid = sid
        self.log = CallLog("conn_1")
        self.hung_up: HangUp | None = None
        self.clears = 0
        self.holes: list[float] = []
        self._cleared_at: float | None = None
        self.conversation: Any = None
        self._echo = echo
        self._ends_at = 0.0
        self._marks: list[asyncio.TimerHandle] = []

    def next_applet(self, _applet: object) -> None:
        return None

    @property
    def quiet(self) -> bool:
        return asyncio.get_running_loop().time() > self._ends_at

    def send(self, messages: tuple[str, ...], audio_bytes: int = 0) -> None:
        loop = asyncio.get_running_loop()
        for message in map(json.loads, messages):
            if message["event"] == "media":
                pcm = base64.b64decode(message["media"]["payload"])
                begins = max(loop.time(), self._ends_at)
                if self._cleared_at is not None:
                    self.holes.append(begins - self._cleared_at)
                    self._cleared_at = None
                self._ends_at = begins + len(pcm) / 2 / RATE
                if self._echo:
                    self._echo.play(begins, pcm)
            elif message["event"] == "mark":
                name = message["mark"]["name"]
                at = max(loop.time(), self._ends_at)
                self._marks.append(loop.call_at(at, lambda name=name: self.conversation.mark(Mark(self.sid, name))))
            elif message["event"] == "clear":
                self.clears += 1
                self._ends_at = self._cleared_at = loop.time()
                if self._echo:
                    self._echo.clear(loop.time())
                for timer in self._marks:
                    timer.cancel()

    def bite(self, bound: str, text: str) -> None:
        raise AssertionError(f"{bound}: {text}")

    def share(self, name: str, rate: float, burst: float) -> None:
        return None

    def hang_up(self, hang_up: HangUp) -> None:
        self.hung_up = hang_up


def heard(
    kept: Path,
    said: Sequence[tuple[float, bytes]] = (),
    *,
    seconds: float,
    background: bytes = b"",
    echo: Echo | None = None,
    held: tuple[float, float] = (0.0, 0.0),
    works_s: float = 0.0,
    **ai: Any,
) -> Heard:
    """Return what a call of ``seconds`` was. ``said`` are the caller's utterances and when each begins, in seconds of the call.

    ``background`` sounds from the beginning. ``held``: what is said between these two times comes all at once at the second.
    ``kept`` is a folder for the transcript. The models take ``works_s`` seconds for each of their tasks.
    """
    line = Line("s1", echo)
    _with_server(kept, lambda mode: _call(mode, line, _sound(said, seconds, background), echo, held), ai, works_s)
    return _record(kept, line)


def legs(kept: Path, *, seconds: float, loss_db: float, delay_s: float, apart_s: float, **ai: Any) -> list[Heard]:
    """Return what two legs of one call were that hear each other, so much softer and later; nobody speaks in either.

    The second begins ``apart_s`` seconds after the first.
    """
    echoes = [Echo(RATE, loss_db, delay_s) for _ in range(2)]
    lines = [Line(f"s{number}", echo) for number, echo in enumerate(echoes)]
    silence = _sound([], seconds, b"")

    async def both(mode: AiMode) -> None:
        async with asyncio.TaskGroup() as calls:
            for line, other in zip(lines, reversed(echoes), strict=True):
                calls.create_task(_call(mode, line, silence, other))
                await asyncio.sleep(apart_s)

    _with_server(kept, both, ai)
    return [_record(kept, line) for line in lines]


def _with_server(
    kept: Path, use: Callable[[AiMode], Coroutine[Any, Any, None]], ai: dict[str, Any], works_s: float = 0.0
) -> None:
    record = Record(transcripts=True, directory=str(kept))
    settings = msgspec.to_builtins(msgspec.structs.replace(Ai(), record=record, **ai))

    async def main() -> None:
        mode = AiMode(Settings(mode="ai", ai=settings))
        await mode.open()
        try:
            await use(mode)
        finally:
            await mode.close()

    with asyncio.Runner(loop_factory=lambda: AtOnce(works_s)) as runner:
        runner.run(main())


def _record(kept: Path, line: Line) -> Heard:
    story = next(
        story for file in kept.glob("*.json") if (story := json.loads(file.read_text("utf-8")))["stream_sid"] == line.sid
    )
    return Heard(
        [event["text"] for event in story["events"] if event["what"] == "caller"],
        [event["text"] for event in story["events"] if event["what"] == "bot"],
        line.clears,
        story["outcome"],
        line.holes,
    )


async def _call(mode: AiMode, line: Line, sound: bytes, echo: Echo | None, held: tuple[float, float] = (0.0, 0.0)) -> None:
    loop = asyncio.get_running_loop()
    start = Start(line.sid, call_sid="c1")
    line.conversation = conversation = mode.respond(start, Writer(line.sid, sample_rate=RATE), line, sample_rate=RATE)
    began, late = loop.time(), []
    for number in range(len(sound) // _FRAME):
        at = number * FRAME_S
        frame = sound[number * _FRAME : (number + 1) * _FRAME]
        if echo:
            frame = pcm16(samples(frame) + samples(echo.back(began + at, FRAME_S)))
        late.append(frame)
        if not held[0] <= at < held[1]:
            for each in late:
                conversation.media(Media(line.sid, "", each))
            late.clear()
        await asyncio.sleep(max(0.0, began + at + FRAME_S - loop.time()))
        if line.hung_up:
            break
    conversation.stopped()
    await asyncio.wait({conversation.running})
    await asyncio.sleep(0.5)


def _sound(said: Sequence[tuple[float, bytes]], seconds: float, background: bytes) -> bytes:
    mixed = np.zeros(int(seconds * RATE))
    behind = samples(background)[: len(mixed)]
    mixed[: len(behind)] += behind
    for begins_s, pcm in said:
        voice = samples(pcm)
        begin = int(begins_s * RATE)
        part = mixed[begin : begin + len(voice)]
        part += voice[: len(part)]
    return pcm16(mixed)
