"""The embedded models as services of pipecat: one service for each call, with shared models."""

import asyncio
import copy
from collections import deque
from collections.abc import AsyncGenerator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

import numpy as np
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    EagerTranscriptionFrame,
    ErrorFrame,
    Frame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.time import time_now_iso8601

from exotel_ws.ai.embedded.models import STT_RATE, TTS_RATE, Speaker, TurnModel
from exotel_ws.ai.embedded.recognition import Asked, Recognition
from exotel_ws.ai.embedded.speakable import sayable
from exotel_ws.ai.embedded.topic import Topic
from exotel_ws.ai.embedded.turn_features import SAMPLES, features
from exotel_ws.ai.hearing.frames import EarlySTTFrame, HushFrame, SpeechBeginFrame

_TAIL: Final = bytes(STT_RATE * 2 * 3 // 20)
"""0.15 s of silence after what is recognised early: with 0.1 s less, 35 % of the words were wrong instead of 20 %."""
_SINCE_S: Final = 0.3
"""Longest time in seconds between that silence and the detector's word that the speech is over."""
_LEAD_S: Final = 0.8
"""Seconds before a voice is noticed that the recogniser hears too: its beginning, and no more of the noise than there must be."""
_BEFORE_S: Final = 0.7
"""Seconds before a voice is noticed that the turn model hears too."""
_JUDGED_S: Final = SAMPLES / STT_RATE
"""Seconds of speech that the turn model judges at most."""
_LIKELY: Final = 0.5
"""Likelihood above which a turn counts as finished."""


class EmbeddedSTT(SegmentedSTTService):
    """Recognise the caller's speech, an utterance at a time.

    It is recognised as soon as the voice pauses, which takes as long as the detector takes to be sure; if the voice goes on,
    that is dropped, and not even begun where other calls were first.
    """

    def __init__(self, recognition: Recognition, topic: Topic | None = None) -> None:
        """``topic``: what the bot understands, if that is known."""
        super().__init__(
            sample_rate=STT_RATE,
            trailing_silence_secs=0,  # the recogniser brings its own
            ttfs_p99_latency=0.5,
            settings=STTSettings(model="tiny-en", language="en"),
        )
        self._recognition = recognition
        self._topic = topic
        self._expected: Topic | None = None
        """Topic of the utterance: none over the voice of the bot, whose words an echo would make into those of a caller."""
        self._early: Asked | None = None
        self._segments: deque[tuple[Asked | None, Topic | None]] = deque()
        """For each utterance that waits to be recognised, what was recognised of it early, and its topic."""

    def service_metadata_frame(self) -> EarlySTTFrame:
        known = super().service_metadata_frame()
        return EarlySTTFrame(service_name=known.service_name, ttfs_p99_latency=known.ttfs_p99_latency)

    @property
    def wants_wav_segments(self) -> bool:
        return False

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]  # as all of pipecat's do
        await super().setup(setup)
        self._audio_buffer_size_1s = _bytes(_LEAD_S)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, HushFrame):
            self._drop_early()
            if frame.quiet and self._user_speaking and self.is_usable:
                self._begin_early(bytes(self._audio_buffer))

    async def cleanup(self) -> None:
        await super().cleanup()  # type: ignore[no-untyped-call]
        self._drop_early()

    async def _handle_user_started_speaking(self, frame: VADUserStartedSpeakingFrame) -> None:
        self._expected = None if isinstance(frame, SpeechBeginFrame) and frame.over else self._topic
        await super()._handle_user_started_speaking(frame)

    def _begin_early(self, audio: bytes) -> None:
        self._early = self._recognition.ask(audio + _TAIL, over=False, topic=self._expected)
        self.create_task(self._tell_early(self._early))

    async def _tell_early(self, early: Asked) -> None:
        await asyncio.wait({early.found})
        if early is self._early and not early.found.cancelled() and not early.found.exception():
            await self.push_frame(EagerTranscriptionFrame(early.found.result(), self._user_id, time_now_iso8601()))

    def _drop_early(self) -> None:
        early, self._early = self._early, None
        if early is not None:
            early.found.cancel()

    async def _handle_user_stopped_speaking(self, frame: VADUserStoppedSpeakingFrame) -> None:
        early, self._early = self._early, None
        if self.is_usable and self._audio_buffer:
            if early is not None and len(self._audio_buffer) + len(_TAIL) - len(early.pcm) > _bytes(_SINCE_S):
                early.found.cancel()
                early = None
            if early is not None:
                early.over = True
            self._segments.append((early, self._expected))
        await super()._handle_user_stopped_speaking(frame)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        early, topic = self._segments.popleft() if self._segments else (None, self._topic)
        asked = early or self._recognition.ask(audio, over=True, topic=topic)
        try:
            text = await asked.found
        except Exception as error:
            yield ErrorFrame(f"the embedded recogniser failed: {error}")
            return
        if text:
            yield TranscriptionFrame(text, self._user_id, time_now_iso8601(), None)
        else:  # a guess that came too late, or was never made, would have said so
            yield EagerTranscriptionFrame("", self._user_id, time_now_iso8601())


class EmbeddedTTS(TTSService):
    """Speak the bot's words, a sentence at a time."""

    def __init__(self, speaker: Speaker, executor: Executor) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=TTS_RATE,
            settings=TTSSettings(model="hibari", voice="heart", language="en"),
        )
        self._speaker = speaker
        self._executor = executor

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        loop = asyncio.get_running_loop()
        try:
            pieces = await loop.run_in_executor(self._executor, self._speaker.pieces, text)
            if not pieces and not sayable(text):
                yield ErrorFrame("the embedded voice is for English only, and has no sound for these letters")
            for piece in pieces:
                pcm = await loop.run_in_executor(self._executor, self._speaker.say, piece)
                yield TTSAudioRawFrame(pcm, TTS_RATE, 1, context_id=context_id)
        except Exception as error:
            yield ErrorFrame(f"the embedded voice failed: {error}")


class SharedTurnAnalyzer(LocalSmartTurnAnalyzerV3):
    """Smart Turn with the worker's shared session; `LocalSmartTurnAnalyzerV3` would load the model for each call."""

    def __init__(self, model: TurnModel) -> None:
        super(LocalSmartTurnAnalyzerV3, self).__init__(sample_rate=STT_RATE)
        self._log_data = False
        self._session = model.session
        self._shared_executor = model.turn_executor
        self._backlog = model.backlog
        self._heard = bytearray()
        self._keeps = _bytes(_BEFORE_S)

    def take(self, pcm: bytes) -> None:
        """Take more of what is heard, PCM16 little-endian mono at 16 kHz."""
        self._heard += pcm
        del self._heard[: -self._keeps]

    def begin(self) -> None:
        """Begin a turn: what was heard long before it is not part of it."""
        del self._heard[: -_bytes(_BEFORE_S)]
        self._keeps = _bytes(_JUDGED_S)

    async def is_finished(self) -> bool:
        """Return True if the caller sounds as if they had finished. False if that is not known, or would be too late."""
        if not self._backlog.in_time():
            return False
        loop = asyncio.get_running_loop()
        try:
            with self._backlog.question():
                return await loop.run_in_executor(self._shared_executor, self._judge, bytes(self._heard))
        except RuntimeError:  # the session can't run it
            return False

    def _judge(self, pcm: bytes) -> bool:
        samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)
        if not samples.size:
            return False
        with self._backlog.answer():
            likely = self._session.run(None, {"input_features": features(samples)[np.newaxis]})[0]
        return bool(likely[0].item() > _LIKELY)

    @property
    def _model_executor(self) -> ThreadPoolExecutor:
        return self._shared_executor


class SharedVoiceDetector(SileroVADAnalyzer):
    """Silero with the worker's shared session, and a state of its own."""

    def __init__(self, model: TurnModel, params: VADParams) -> None:
        super(SileroVADAnalyzer, self).__init__(params=params)
        self._executor = model.voice_executor
        self._model = copy.copy(model.voice)  # type: ignore[assignment]  # called as pipecat's is
        self._model.reset_states()  # type: ignore[no-untyped-call]
        self._windows_since_reset = self._low_confidence_windows = 0

    async def cleanup(self) -> None:
        """Keep the thread, which all calls share."""


def _bytes(seconds: float) -> int:
    return int(seconds * STT_RATE) * 2
