"""End a caller's turn by its words, by the turn model, and by silence."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from pipecat.frames.frames import (
    EagerTranscriptionFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_stop import BaseUserTurnStopStrategy

from exotel_ws.ai.embedded.services import SharedTurnAnalyzer
from exotel_ws.ai.endings import Endings
from exotel_ws.ai.hearing.frames import EarlySTTFrame, HushFrame, SpeechCutFrame
from exotel_ws.ai.remarks import Meaning, MeaningOf

_TRANSCRIPT_S: Final = 1.0
"""Seconds after the voice in which a transcript counts as complete, of a service that says neither this time nor "final"."""


class TurnEnd(BaseUserTurnStopStrategy):
    """End a turn when its transcript is complete and the silence of `Endings` has passed; at a cap without a silence.

    The turn model is asked only where the words do not decide, and with it the scripted flow, if there is one. Until its
    judgement comes, the turn is taken for one that is not finished.
    """

    def __init__(
        self,
        endings: Endings,
        analyzer: SharedTurnAnalyzer,
        meaning: MeaningOf | None = None,
        asks: Callable[[], bool] = bool,
        seems_over: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """``meaning`` asks the scripted flow; None if there is none.

        ``asks`` returns True if the bot's last sentence asks for a yes or no. ``seems_over`` is told the text of a turn that
        will be over if the caller is silent for some more time, unless more is likely to come.
        """
        super().__init__()
        self._asks = asks
        self._seems_over = seems_over
        self._meaning = meaning
        self._meant: dict[str, Meaning] = {}
        """The flow's judgement of the text of the turn so far, once it is known."""
        self._looking: asyncio.Task[None] | None = None
        self._endings = endings
        self._analyzer = analyzer
        self._transcript_s = _TRANSCRIPT_S
        self._text = ""
        self._complete = False
        """True if no more text is to come of what was said so far."""
        self._written = False
        """True if a transcript has come since the voice stopped."""
        self._speaking = self._hushed = self._cut = False
        self._silent_since: float | None = None
        self._finished: bool | None = None
        """The turn model's judgement of the latest pause."""
        self._words_decide = False
        """True if the words before the latest pause are known, and say how much silence ends the turn."""
        self._begins_early = self._tells_early = False
        """True if the recogniser begins as soon as the voice pauses; and if it therefore tells words early.

        If it has not yet, many wait for it, and the model would only delay it.
        """
        self._judging: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def cleanup(self) -> None:
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._voice_goes_on()

    async def handle_user_turn_started(self) -> None:
        self._text = ""
        self._complete = False
        self._analyzer.begin()

    async def handle_user_turn_stopped(self) -> None:
        self._text = ""
        self._silent_since = None
        await self._voice_goes_on()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        match frame:
            case InputAudioRawFrame():
                self._analyzer.take(frame.audio)
            case STTMetadataFrame():
                self._transcript_s = frame.ttfs_p99_latency
                self._begins_early = isinstance(frame, EarlySTTFrame)
            case VADUserStartedSpeakingFrame():
                self._speaking, self._complete, self._silent_since = True, False, None
                self._hushed = self._cut = False
                await self._voice_goes_on()
            case HushFrame():
                self._hushed = frame.quiet
                self._tells_early |= self._begins_early
                if not frame.quiet:
                    await self._voice_goes_on()
            case VADUserStoppedSpeakingFrame():
                self._speaking = self._written = False
                self._cut = isinstance(frame, SpeechCutFrame)
                self._silent_since = self._now() - frame.stop_secs
                if not (self._words_decide or self._cut or self._tells_early):
                    self._judge()
                await self._decide()
            case EagerTranscriptionFrame():
                self._tells_early = True
                if self._hushed and frame.text:
                    self._words_decide = self._silence_s(f"{self._text} {frame.text}", None) is not None
                    if not self._words_decide:
                        self._judge()
            case TranscriptionFrame():
                await self._transcribed(frame)
            case InterimTranscriptionFrame():
                self._complete = False
        return ProcessFrameResult.CONTINUE

    async def _voice_goes_on(self) -> None:
        """Forget what was judged of a pause that was none, and do not end the turn."""
        self._finished, self._words_decide = None, False
        judging, self._judging = self._judging, None
        waiting, self._waiting = self._waiting, None
        looking, self._looking = self._looking, None
        for task in (judging, waiting, looking):
            if task is not None and task is not asyncio.current_task():
                await self.task_manager.cancel_task(task)

    async def _transcribed(self, frame: TranscriptionFrame) -> None:
        self._text = f"{self._text} {frame.text}".strip()
        self._complete, self._written = frame.finalized, True
        if not (self._text or self._speaking):  # nothing but the bot's own voice
            await self.trigger_user_turn_stopped()
            return
        if self._silent_since is None and not self._speaking:  # a voice that the detector did not notice
            self._silent_since = self._now()
            self._finished = True
        await self._decide()

    def _judge(self) -> None:
        if self._judging is None:
            self._judging = self.task_manager.create_task(self._ask_model(), f"{self}::judge")

    async def _ask_model(self) -> None:
        self._finished = await self._analyzer.is_finished()
        await self._decide()

    async def _decide(self) -> None:
        """End the turn now, or when its silence has passed, or not yet."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting is not asyncio.current_task():
            await self.task_manager.cancel_task(waiting)
        if self._silent_since is None or not self._text:
            return
        wait_s = 0.0 if self._cut else self._silence_s(self._text, self._finished)
        if wait_s is None:  # the model can only shorten the wait: where many calls pause at once, it does not lengthen it
            wait_s = self._silence_s(self._text, finished=False) or 0.0
            if self._silent_since + wait_s > self._now():
                self._judge()
        if not self._cut and self._meaning is not None and wait_s < self._endings.open_s:
            if self._text not in self._meant:
                self._look(self._meaning)
                return
            wait_s = self._silence_s(self._text, bool(self._finished), self._meant[self._text]) or wait_s
        more_comes = wait_s >= self._endings.open_s
        if not self._complete:
            wait_s = max(wait_s, self._transcript_s)
        left_s = self._silent_since + wait_s - self._now()
        if left_s > 0:
            if self._written and not more_comes:
                self._seems_over(self._text)
            self._waiting = self.task_manager.create_task(self._wait(left_s), f"{self}::wait")
        else:
            await self.trigger_user_turn_stopped()

    def _silence_s(self, text: str, finished: bool | None, meaning: Meaning = "something") -> float | None:
        return self._endings.silence_s(text, finished, asked=self._asks(), meaning=meaning)

    def _look(self, meaning: MeaningOf) -> None:
        if self._looking is None:
            self._looking = self.task_manager.create_task(self._ask_flow(meaning, self._text), f"{self}::look")

    async def _ask_flow(self, meaning: MeaningOf, text: str) -> None:
        try:
            self._meant = {text: await meaning(text)}
        except Exception:
            logging.getLogger("exotel_ws.ai").exception("💥 The flow could not be asked what a turn means")
            self._meant = {text: "something"}
        self._looking = None
        await self._decide()

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._decide()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
