"""Call with the real pipeline, on a clock that passes when nobody works: chosen services, and a caller who asks."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from exotel_ws.ai.ahead import Ahead
from exotel_ws.ai.dialogue import Dialogue, Events, Tool
from exotel_ws.ai.endings import Endings
from exotel_ws.ai.failure.failover import Failover
from exotel_ws.ai.failure.work import Answering, Listening, Speaking
from exotel_ws.ai.hearing.detector import Hears
from exotel_ws.ai.late import LateDialogue, Workshop
from exotel_ws.ai.mouth import Mouth
from exotel_ws.protocol import Media
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.user_start import TranscriptionUserTurnStartStrategy, VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from tests.unit.server.ai_call import RATE, Call

from . import ai_services

FRAME_S = 0.02
LONGEST_SILENCE_S = 3.0
A_LETTER_S = 0.05
CHANGES_S = 0.2


def voice(text: str) -> bytes:
    """Return the bot's voice, in which there is no silence."""
    return b"\3\3" * int(len(text) * A_LETTER_S * ai_services.RATE)


class AnySound:
    """Hearing that takes every sound for a voice."""

    def __init__(self) -> None:
        self._speaks = False
        self._run_s = 0.0

    def take(self, pcm: bytes) -> Iterator[Frame]:
        yield InputAudioRawFrame(pcm, ai_services.RATE, 1)
        sounds = bool(np.abs(np.frombuffer(pcm, "<i2")).max() > 1000)
        self._run_s = 0.0 if sounds is self._speaks else self._run_s + len(pcm) / 2 / ai_services.RATE
        if self._run_s >= CHANGES_S:
            self._speaks, self._run_s = sounds, 0.0
            yield VADUserStartedSpeakingFrame(CHANGES_S) if sounds else VADUserStoppedSpeakingFrame(CHANGES_S)

    def theirs(self, text: str) -> str:
        return text

    def recognised(self) -> None:
        pass

    def noisy(self) -> bool:
        return False

    def clamour(self) -> bool:
        return False


def turns(*_: Any) -> LLMUserAggregatorParams:
    return LLMUserAggregatorParams(
        user_turn_strategies=UserTurnStrategies(
            start=[
                VADUserTurnStartStrategy(enable_interruptions=False),
                TranscriptionUserTurnStartStrategy(enable_interruptions=False),
            ],
            stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.3)],
        ),
        empty_user_turn=None,
    )


class Services:
    """Services of a call, in failover order."""

    def __init__(
        self,
        stt: Sequence[FrameProcessor] = (),
        llm: Sequence[FrameProcessor] = (),
        tts: Sequence[FrameProcessor] = (),
    ) -> None:
        self.stt = stt or [ai_services.FakeSTT()]
        self.llm = llm or [ai_services.FakeLLM()]
        self.tts = tts or [ai_services.FakeTTS(voice)]


class TroubledCall(Call):
    """Call whose caller is heard from the first moment on, with silence where they do not speak."""

    turn_model: Any = None
    """`turns` needs none."""
    ahead: Ahead | None = None

    def __init__(self, services: Services, tools: Sequence[Tool] = (), **settings: Any) -> None:
        self.given = services
        self.tools = tools
        self.dialogue: Dialogue
        self.spoken: list[tuple[float, float]] = []
        self._speaks_until = 0.0
        super().__init__(**settings)
        self._talking = asyncio.create_task(self._talk())

    def _talk_with(self, mouth: Mouth) -> LateDialogue:
        def stage(name: str, services: Sequence[FrameProcessor], work: Any) -> Failover:
            named = [(f"{name}{i}", service) for i, service in enumerate(services, 1)]
            made = Failover(name, named, work, self.rescue, ready_s=self.settings.failure.ready_s)
            self.rescue.add(made)
            return made

        def make(events: Events) -> Dialogue:
            self.dialogue = Dialogue(
                stt=stage("stt", self.given.stt, Listening()),
                llm=stage("llm", self.given.llm, Answering()),
                tts=stage("tts", self.given.tts, Speaking()),
                services=[*self.given.stt, *self.given.llm, *self.given.tts],
                mouth=mouth,
                hearing=self.hearing(),
                stopwatch=self.stopwatch,
                turn_model=self.turn_model,  # type: ignore[arg-type]
                greeting="",
                tools=self.tools,
                events=events,
                limits=self.settings.limits,
                endings=Endings(self.settings.turns),
                ahead=self.ahead,
            )
            return self.dialogue

        return LateDialogue(make, Workshop(), mouth)

    def hearing(self) -> Hears:
        return AnySound()

    async def ask(self, seconds: float = 1.0) -> None:
        began = self.loop.time()
        self._speaks_until = began + seconds
        self.spoken.append((began, self._speaks_until))
        await asyncio.sleep(seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.over()

    async def over(self) -> None:
        """Let the caller hang up if the bot has not."""
        self._talking.cancel()
        self.conversation.stopped()
        await asyncio.sleep(4)

    async def heard(self, text: str, within_s: float = 30.0) -> None:
        """Wait until the caller has heard ``text``."""
        async with asyncio.timeout(within_s):
            while (text, True) not in self.story.said:
                await asyncio.sleep(0.02)

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """Return the timers that are still to go off."""
        return [timer for timer in self.loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]

    @property
    def texts(self) -> list[str]:
        """Return the texts that the caller heard to their end."""
        return [text for text, heard in self.story.said if heard]

    @property
    def longest_silence_s(self) -> float:
        """Return the longest silence in seconds, between the caller's first word and the bot's last."""
        sounds = sorted([*self.spoken, *self._sounds()])
        sounds = [sound for sound in sounds if sound[0] >= self.spoken[0][0]]
        longest, until = 0.0, sounds[0][1]
        for begins, ends in sounds:
            longest = max(longest, begins - until)
            until = max(until, ends)
        return longest

    def _sounds(self) -> list[tuple[float, float]]:
        found = []
        for begins, pcm in self.exotel._pieces:
            samples = np.flatnonzero(np.frombuffer(pcm, "<i2"))
            if len(samples):
                found.append((begins + samples[0] / RATE, begins + (samples[-1] + 1) / RATE))
        return found

    async def _talk(self) -> None:
        while self.hung_up is None:
            speaks = self.loop.time() < self._speaks_until
            self.hear((b"\x40\x10" if speaks else b"\0\0") * int(RATE * FRAME_S))
            await asyncio.sleep(FRAME_S)

    def hear(self, pcm: bytes) -> None:
        self.conversation.media(Media("s1", "", pcm))
