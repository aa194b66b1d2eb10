"""Call in real time with the real pipeline and the embedded models in this process, on a line that is as a test makes it."""

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from exotel_ws.ai.mode import AiMode
from exotel_ws.ai.settings import Ai, Failure, Record
from exotel_ws.logs import CallLog
from exotel_ws.protocol import Mark, Media, Start, Writer
from exotel_ws.responder import HangUp
from exotel_ws.settings import Settings

from tests.speech.sounds import Echo, pcm16, samples

RATE = 8000
FRAME_S = 0.02
_FRAME = int(RATE * FRAME_S) * 2
PATIENT = Failure(silence_s=2.5, transcript_s=30, first_token_s=30, first_audio_s=30, ready_s=30)
"""Deadlines that a slow machine keeps: what is tested is what is understood, not how soon."""


@dataclass
class Heard:
    """Record of a call: the turns of the caller, what the bot said, the number of ``clear``, and how it ended."""

    turns: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    clears: int = 0
    outcome: str = ""


class Line:
    """Line of a call that plays what the bot says, in real time, and returns its marks."""

    def __init__(self, echo: Echo | None) -> None:
        self.path = "/"
        self.log = CallLog("conn_1")
        self.hung_up: HangUp | None = None
        self.clears = 0
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
                self._ends_at = begins + len(pcm) / 2 / RATE
                if self._echo:
                    self._echo.play(begins, pcm)
            elif message["event"] == "mark":
                name = message["mark"]["name"]
                at = max(loop.time(), self._ends_at)
                self._marks.append(loop.call_at(at, lambda name=name: self.conversation.mark(Mark("s1", name))))
            elif message["event"] == "clear":
                self.clears += 1
                self._ends_at = loop.time()
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
    **ai: Any,
) -> Heard:
    """Return what a call of ``seconds`` was. ``said`` are the caller's utterances and when each begins, in seconds of the call.

    ``background`` sounds from the beginning. ``held``: what is said between these two times comes all at once at the second.
    ``kept`` is a folder for the transcript.
    """
    record = Record(transcripts=True, directory=str(kept))
    settings = msgspec.to_builtins(msgspec.structs.replace(Ai(), record=record, failure=PATIENT, **ai))

    async def main() -> Line:
        mode = AiMode(Settings(mode="ai", ai=settings))
        await mode.open()
        try:
            return await _call(mode, said, seconds, background, echo, held)
        finally:
            await mode.close()

    line = asyncio.run(main())
    story = json.loads(next(kept.glob("*.json")).read_text("utf-8"))
    return Heard(
        [event["text"] for event in story["events"] if event["what"] == "caller"],
        [event["text"] for event in story["events"] if event["what"] == "bot"],
        line.clears,
        story["outcome"],
    )


async def _call(
    mode: AiMode,
    said: Sequence[tuple[float, bytes]],
    seconds: float,
    background: bytes,
    echo: Echo | None,
    held: tuple[float, float],
) -> Line:
    loop, line, sound = asyncio.get_running_loop(), Line(echo), _sound(said, seconds, background)
    start = Start("s1", call_sid="c1")
    line.conversation = conversation = mode.respond(start, Writer("s1", sample_rate=RATE), line, sample_rate=RATE)
    began, late = loop.time(), []
    for number in range(len(sound) // _FRAME):
        at = number * FRAME_S
        frame = sound[number * _FRAME : (number + 1) * _FRAME]
        if echo:
            frame = pcm16(samples(frame) + samples(echo.back(began + at, FRAME_S)))
        late.append(frame)
        if not held[0] <= at < held[1]:
            for each in late:
                conversation.media(Media("s1", "", each))
            late.clear()
        await asyncio.sleep(max(0.0, began + at + FRAME_S - loop.time()))
        if line.hung_up:
            break
    conversation.stopped()
    await asyncio.wait({conversation.running})
    await asyncio.sleep(0.5)
    return line


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
