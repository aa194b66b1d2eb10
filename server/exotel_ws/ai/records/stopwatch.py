"""Time the stages of a turn from outside the pipeline, by the frames that its processors push."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import (
    AggregatedTextFrame,
    Frame,
    FunctionCallsStartedFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.frame_processor import FrameDirection

from exotel_ws.ai.hearing.frames import SpeechCutFrame, SpeechEndFrame


class MonotonicClock(BaseClock):
    """Clock of the pipeline. It is the process's, so that times of frames and of messages can be compared."""

    def get_time(self) -> int:
        return time.monotonic_ns()

    def start(self) -> None:
        """Do nothing: the clock always runs."""


@dataclass(slots=True)
class _Turn:
    """Times of the events of a turn, in seconds; 0: not yet."""

    silent: float = 0.0
    stopped: float = 0.0
    transcribed: float = 0.0
    ended: float = 0.0
    asked: float = 0.0
    token: float = 0.0
    text: float = 0.0
    sentence: float = 0.0
    audio: float = 0.0
    answered: float = 0.0


class Stopwatch(BaseObserver):
    """Report each stage of each turn once, in seconds:

    - ``turn_end``: from the VAD's report that the caller stopped to the decision that their turn is over.
    - ``stt``: from the same report to the last transcript of the turn; 0 if that came before.
    - ``llm_first_token``: from the request to the first text or tool call.
    - ``tts_first_audio``: from the first sentence given to the voice (the first token, if it is fed tokens) to audio.
    - ``voice_to_voice``: from the caller's last sound to the bot's first audio handed to Exotel. That sound is the last one
      that an ear tells from the noise: the detector hears a voice for up to 0.2 s after it.
    - ``barge_in``: from the caller's first sound, ``start_secs`` before the VAD's report, to ``clear`` handed to Exotel.

    None of them includes the network to Exotel or Exotel's own buffers. A turn that the bot does not answer has no stages of an
    answer.
    """

    def __init__(self, report: Callable[[str, float], None], now: Callable[[], float] = time.monotonic) -> None:
        """Call ``report`` with a stage and its seconds. ``now`` has to be the pipeline's clock, in seconds."""
        super().__init__(observe_every_push=False)
        self._report = report
        self._now = now
        self._turn = _Turn()
        self._onset = self._cleared = 0.0
        self._handlers: dict[type[Frame], Callable[[Any, float], None]] = {
            VADUserStartedSpeakingFrame: self._vad_started,
            VADUserStoppedSpeakingFrame: self._vad_stopped,
            SpeechCutFrame: self._vad_stopped,
            SpeechEndFrame: self._speech_ended,
            UserStartedSpeakingFrame: self._turn_started,
            TranscriptionFrame: self._transcribed,
            UserStoppedSpeakingFrame: self._turn_ended,
            LLMFullResponseStartFrame: self._asked,
            FunctionCallsStartedFrame: self._token,
            LLMTextFrame: self._text,
            AggregatedTextFrame: self._sentence,
            TTSAudioRawFrame: self._audio,
        }

    def sent(self) -> None:
        """Note that audio of the bot was just handed to Exotel."""
        turn = self._turn
        if turn.audio and not turn.answered:
            turn.answered = self._now()
            self._report("voice_to_voice", turn.answered - turn.silent)

    def cleared(self) -> None:
        """Note that a `clear` was just handed to Exotel."""
        self._cleared = self._now()
        self._barge_in()

    def times(self, frame: Frame) -> bool:
        """Return True if ``frame`` is of a kind that is timed."""
        return type(frame) in self._handlers

    async def on_push_frame(self, data: FramePushed) -> None:
        handle = self._handlers.get(type(data.frame))
        if handle is not None and data.direction is FrameDirection.DOWNSTREAM:
            handle(data.frame, data.timestamp / 1e9)

    def _vad_started(self, frame: VADUserStartedSpeakingFrame, at: float) -> None:
        self._onset = at - frame.start_secs
        self._barge_in()

    def _barge_in(self) -> None:
        if self._onset and self._cleared >= self._onset:
            self._report("barge_in", self._cleared - self._onset)
            self._onset = 0.0

    def _vad_stopped(self, frame: VADUserStoppedSpeakingFrame, at: float) -> None:
        self._onset = 0.0
        self._turn.silent, self._turn.stopped = at - frame.stop_secs, at

    def _speech_ended(self, frame: SpeechEndFrame, at: float) -> None:
        self._vad_stopped(frame, at)
        self._turn.silent = at - frame.silent_s

    def _turn_started(self, _frame: Frame, _at: float) -> None:
        self._turn = _Turn()

    def _transcribed(self, _frame: Frame, at: float) -> None:
        turn = self._turn
        if turn.ended and turn.stopped and not turn.transcribed:  # the turn could not wait for it
            self._report("stt", at - turn.stopped)
        turn.transcribed = at

    def _turn_ended(self, _frame: Frame, at: float) -> None:
        turn = self._turn
        if not turn.stopped or turn.ended:
            return
        turn.ended = at
        self._report("turn_end", at - turn.stopped)
        if turn.transcribed:
            self._report("stt", max(0.0, turn.transcribed - turn.stopped))

    def _asked(self, _frame: Frame, at: float) -> None:
        if self._turn.ended and not self._turn.asked:
            self._turn.asked = at

    def _token(self, _frame: Frame, at: float) -> None:
        if self._turn.asked and not self._turn.token:
            self._turn.token = at
            self._report("llm_first_token", at - self._turn.asked)

    def _text(self, frame: Frame, at: float) -> None:
        self._token(frame, at)
        if self._turn.token and not self._turn.text:
            self._turn.text = at

    def _sentence(self, _frame: Frame, at: float) -> None:
        if self._turn.text and not self._turn.sentence:
            self._turn.sentence = at

    def _audio(self, _frame: Frame, at: float) -> None:
        turn = self._turn
        if not turn.text or turn.audio:
            return
        turn.audio = at
        self._report("tts_first_audio", at - (turn.sentence or turn.text))


class AtOnce(WorkerObserver):
    """Tell a stopwatch of each frame that it times, once, as it is pushed.

    pipecat's own observer puts all that is processed and pushed into a queue, for a task that throws nearly all of it away.
    """

    def __init__(self, stopwatch: Stopwatch) -> None:
        super().__init__()
        self._stopwatch = stopwatch
        self._told: WeakValueDictionary[int, Frame] = WeakValueDictionary()

    async def on_process_frame(self, data: FrameProcessed) -> None:
        """Do nothing: pushes are timed."""

    async def on_push_frame(self, data: FramePushed) -> None:
        frame = data.frame
        if self._stopwatch.times(frame) and frame.id not in self._told:
            self._told[frame.id] = frame
            await self._stopwatch.on_push_frame(data)
