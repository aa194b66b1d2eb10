"""One call without services, models or a wait: a test directs the caller and the bot, and time passes when nobody works."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
from exotel_ws.ai.allowance import Allowance
from exotel_ws.ai.conversation import Conversation, Parts
from exotel_ws.ai.decoder import Decoder
from exotel_ws.ai.dialogue import Events, Talk
from exotel_ws.ai.ear import Ear
from exotel_ws.ai.failure.apology import Phrases
from exotel_ws.ai.failure.breaker import Breaker
from exotel_ws.ai.failure.rescue import Rescue
from exotel_ws.ai.hearing.echo import Played
from exotel_ws.ai.keypad import Keypad
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.playout import Playout
from exotel_ws.ai.records.stopwatch import Stopwatch
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.ai.remarks import Remarks
from exotel_ws.ai.sentences import sentences
from exotel_ws.ai.settings import Ai
from exotel_ws.ai.voicemail import Voicemail
from exotel_ws.logs import CallLog
from exotel_ws.passthru.outcomes import Applet
from exotel_ws.protocol import Dtmf, Mark, Media, Start, Writer
from exotel_ws.responder import HangUp
from pipecat.clocks.system_clock import SystemClock
from pipecat.frames.frames import (
    InterruptionFrame,
    LLMFullResponseEndFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.utils.asyncio.task_manager import TaskManager

from .passing import Loop, at_once
from .playing import Exotel

__all__ = ["Loop", "at_once"]

RATE = 8000
GREETING = "Hello, how can I help?"
GREETING_S = 2.0
A_LETTER_S = 0.05
"""Time that the bot's voice takes."""


class Services:
    """Stand-in for a `Dialogue`: ``answers`` maps a caller's words to the model's, and to the tool that it calls."""

    def __init__(self, mouth: Mouth) -> None:
        self.mouth = mouth
        self.events: Events
        self.answers: dict[str, tuple[str, str]] = {}
        self.thinking_s = 0.3
        self.voice_works = True
        self.in_words = False
        self.heard = 0
        self.asked: list[str] = []
        self._unasked: list[str] = []
        self._told: list[str] = []
        self._jobs: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._job: asyncio.Task[None] | None = None

    async def run(self, events: Events) -> None:
        self.events = events
        events.ready()
        manager = TaskManager()
        setup = FrameProcessorSetup(
            audio_in_sample_rate=16000,
            audio_out_sample_rate=RATE,
            clock=SystemClock(),
            task_manager=manager,
            pipeline_worker=None,
        )
        await self.mouth.setup(setup)
        try:
            while True:
                work = await self._jobs.get()
                self._job = asyncio.create_task(self._do(work))
                await asyncio.wait({self._job})
        finally:
            if self._job:
                self._job.cancel()
            await self.mouth.cleanup()

    def hear(self, pcm: bytes) -> None:
        self.heard += len(pcm)

    def say(self, text: str) -> None:
        self.mouth.expect()
        self._jobs.put_nowait(lambda: self._speak(text))

    def interrupt(self) -> None:
        if self._job:
            self._job.cancel()
        while not self._jobs.empty():
            self._jobs.get_nowait()
        self._jobs.put_nowait(lambda: self._give(InterruptionFrame()))

    def told(self, text: str) -> None:
        self._told.append(text)
        asyncio.get_running_loop().create_task(self.turn(text))

    async def turn(self, text: str) -> None:
        """Ask for an answer as `Dialogue` does: for all that was said since the last time."""
        self._unasked.append(text)
        await self.events.may_answer()
        said, self._unasked = self._unasked, []
        goes_on = self.asked and self.asked[-1] not in self._told and text not in self._told and self.events.unheard()
        before = self.asked[-1] if goes_on else ""
        if said and (asked := await self.events.meant(said, before)):
            self.asked.append(asked)
            self.interrupt()
            self._jobs.put_nowait(lambda: self._answer(asked))

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        await work()

    async def _answer(self, text: str) -> None:
        words, tool = self.answers.get(text, (f"You said {text}.", ""))
        self.in_words = False
        self.mouth.answer_begins()
        await asyncio.sleep(self.thinking_s)
        if words:
            self.in_words = True
            await self._speak(words)
        if tool:
            self.events.end(tool)
        await self._give(LLMFullResponseEndFrame())

    async def _speak(self, text: str) -> None:
        await asyncio.sleep(0.1)
        if self.voice_works:
            await self._give(TTSAudioRawFrame(b"\1\1" * int(len(text) * A_LETTER_S * RATE), RATE, 1))
            await self._give(TTSTextFrame(text, text_type="sentence"))
            await self._give(TTSStoppedFrame())

    async def _give(self, frame: Any) -> None:
        await self.mouth.process_frame(frame, FrameDirection.DOWNSTREAM)


class Told(Story):
    """Story that tests can read."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.said: list[tuple[str, bool]] = []
        self.meant: list[bool] = []
        self.tools: list[str] = []
        self.outcome = ""

    @property
    def turns(self) -> int:
        return self._turns

    def bot_said(self, text: str, heard: bool) -> None:
        super().bot_said(text, heard)
        self.said.append((text, heard))

    def end_asked(self, how: str, reason: str, summary: str) -> None:
        super().end_asked(how, reason, summary)
        self.tools.append(how)

    def interruption(self, meant: bool) -> None:
        super().interruption(meant)
        self.meant.append(meant)

    def tool(self, name: str) -> None:
        super().tool(name)
        self.tools.append(name)

    def close(self, outcome: str) -> None:
        super().close(outcome)
        self.outcome = outcome


class Call:
    """Call with its Exotel and its line. Make it within the loop."""

    def __init__(
        self,
        settings: Ai | None = None,
        *,
        greeting: bool = True,
        marks: bool = True,
        flow: Collection[str] | None = None,
        outbound: bool = False,
        greeting_text: str = GREETING,
        **more: Any,
    ) -> None:
        """``flow`` are the texts that mean something to a scripted flow; None: a language model answers.

        ``outbound``: the bot placed the call.
        """
        self.flow = flow
        self.loop = asyncio.get_running_loop()
        self.log = CallLog("conn_1")
        self.path = "/"
        self.hung_up: HangUp | None = None
        self.hung_up_at = 0.0
        self.bounds: list[str] = []
        self.faults: list[str] = []
        self.applets: list[Applet] = []
        self.began = self.loop.time()
        self.exotel = Exotel(self.loop, RATE, marks=marks)
        self.services: Services
        self.ended = 0
        self.noisy = self.clamour = False
        self.settings = settings = msgspec.structs.replace(settings or Ai(), **more)
        start = Start("s1")
        self.story = Told(
            settings, start, conn_id="conn_1", sample_rate=RATE, tally=AiTally(), log=self.log, clock=self.loop.time
        )
        playout = Playout(Writer("s1", sample_rate=RATE), self.send, self.loop, sample_rate=RATE)
        mouth = Mouth(playout, RATE, self.story.bot_said)
        said = sentences(settings)
        phrases = Phrases.spoken(said, lambda text: b"\2\2" * int(len(text) * A_LETTER_S * RATE))
        breaker = Breaker(3, 60.0, self.loop.time)
        self.rescue = Rescue(settings.failure, phrases, self.story, breaker, self.loop, lambda: playout.heard_until)
        self.stopwatch = Stopwatch(self.story.stage)
        talk = self._talk_with(mouth)
        parts = Parts(
            clock=self.loop,
            story=self.story,
            stopwatch=self.stopwatch,
            playout=playout,
            mouth=mouth,
            played=Played(RATE),
            noisy=lambda: self.noisy,
            clamour=lambda: self.clamour,
            ear=Ear(RATE, talk.hear, self.loop.time),
            decoder=Decoder("", RATE, playout.encode),
            keypad=Keypad(self.loop),
            rescue=self.rescue,
            talk=talk,
            allowance=Allowance(settings.limits, self.loop.time),
            sentences=said,
            remarks=Remarks(settings.barge_in, settings.turns, self._understands if flow is not None else None),
            voicemail=Voicemail(settings.outbound, self.loop, RATE, outbound=outbound),
        )
        audio = b"\1\1" * int(GREETING_S * RATE) if greeting else b""
        self.conversation = Conversation(settings, self, parts, audio, greeting_text, self._over)
        self.exotel.on_mark = self.mark

    def _talk_with(self, mouth: Mouth) -> Talk:
        self.services = Services(mouth)
        return self.services

    async def _understands(self, text: str) -> bool:
        return text in (self.flow or ())

    def _over(self, _conversation: Conversation) -> None:
        self.ended += 1

    # The line

    def send(self, messages: tuple[str, ...], audio_bytes: int = 0) -> None:
        if self.hung_up is None:
            self.exotel.take(messages, audio_bytes)

    def bite(self, bound: str, text: str) -> None:
        self.bounds.append(bound)

    def fault(self, kind: str, text: str) -> None:
        self.faults.append(kind)

    def share(self, name: str, rate: float, burst: float) -> None:
        return None

    def next_applet(self, applet: Applet) -> None:
        self.applets.append(applet)

    def hang_up(self, hang_up: HangUp) -> None:
        if self.hung_up is None:
            self.hung_up, self.hung_up_at = hang_up, self.at
            self.loop.call_soon(self.conversation.stopped)

    # For tests

    @property
    def at(self) -> float:
        """Return the seconds since the call began."""
        return self.loop.time() - self.began

    async def say(self, text: str, seconds: float = 1.0, turn_end_s: float = 0.4) -> None:
        """Let the caller speak; an empty ``text`` is a noise."""
        events = self.conversation
        events.user_started()
        await asyncio.sleep(seconds)
        if text:
            events.user_heard()
        events.user_paused()
        await asyncio.sleep(turn_end_s)
        if text:
            events.user_stopped(text)
            await self.services.turn(text)

    def press(self, keys: str) -> None:
        for key in keys:
            self.conversation.dtmf(Dtmf("s1", key))

    def mark(self, name: str) -> None:
        self.conversation.mark(Mark("s1", name))

    def hear(self, pcm: bytes) -> None:
        self.conversation.media(Media("s1", "", pcm))

    async def until(self, seconds: float) -> None:
        """Wait until this time of the call."""
        await asyncio.sleep(max(0.0, seconds - self.at))

    async def end(self, within_s: float = 700.0) -> str:
        """Wait for the bot to end the stream and return its reason."""
        async with asyncio.timeout(within_s):
            while self.hung_up is None:
                await asyncio.sleep(0.05)
        assert self.hung_up.code == 1000, self.hung_up
        return self.hung_up.reason

    @property
    def bot_speaks(self) -> bool:
        return self.exotel.sounding
