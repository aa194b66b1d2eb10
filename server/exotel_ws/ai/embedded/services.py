"""The embedded models as services of pipecat: one service for each call, with shared models."""

import asyncio
import copy
from collections.abc import AsyncGenerator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

from pipecat.audio.turn.base_turn_analyzer import EndOfTurnState
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import ErrorFrame, Frame, TranscriptionFrame, TTSAudioRawFrame
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy
from pipecat.utils.time import time_now_iso8601

from exotel_ws.ai.embedded.models import STT_RATE, TTS_RATE, Recogniser, Speaker, TurnModel

_QUESTION_S: Final = 0.3
"""Seconds of silence after a question that end the turn, although the turn model is not sure."""


class EmbeddedSTT(SegmentedSTTService):
    """Recognise the caller's speech, an utterance at a time."""

    def __init__(self, recogniser: Recogniser, executor: Executor) -> None:
        super().__init__(
            sample_rate=STT_RATE,
            trailing_silence_secs=0,  # the recogniser brings its own
            ttfs_p99_latency=0.5,
            settings=STTSettings(model="tiny-en", language="en"),
        )
        self._recogniser = recogniser
        self._executor = executor

    @property
    def wants_wav_segments(self) -> bool:
        return False

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        try:
            text = await asyncio.get_running_loop().run_in_executor(self._executor, self._recogniser.recognise, audio)
        except Exception as error:
            yield ErrorFrame(f"the embedded recogniser failed: {error}")
            return
        if text:
            yield TranscriptionFrame(text, self._user_id, time_now_iso8601(), None)


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
            for piece in await loop.run_in_executor(self._executor, self._speaker.pieces, text):
                pcm = await loop.run_in_executor(self._executor, self._speaker.say, piece)
                yield TTSAudioRawFrame(pcm, TTS_RATE, 1, context_id=context_id)
        except Exception as error:
            yield ErrorFrame(f"the embedded voice failed: {error}")


class SharedTurnAnalyzer(LocalSmartTurnAnalyzerV3):
    """Smart Turn with the worker's shared session; `LocalSmartTurnAnalyzerV3` would load the model for each call."""

    def __init__(self, model: TurnModel, *, stop_secs: float) -> None:
        super(LocalSmartTurnAnalyzerV3, self).__init__(params=SmartTurnParams(stop_secs=stop_secs))
        self._log_data = False
        self._session = model.session
        self._shared_executor = model.turn_executor

    def heard(self, text: str) -> None:
        """Take the words of the caller: a question ends the turn, whatever the model makes of its melody."""
        if text.rstrip().endswith("?"):
            self._stop_ms = _QUESTION_S * 1000

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        if is_speech:
            self._stop_ms = self._params.stop_secs * 1000
        return super().append_audio(buffer, is_speech)

    @property
    def _model_executor(self) -> ThreadPoolExecutor:
        return self._shared_executor


class TurnEnd(TurnAnalyzerUserTurnStopStrategy):  # type: ignore[no-untyped-call]
    """End a caller's turn by the turn model and by the words."""

    def __init__(self, analyzer: SharedTurnAnalyzer) -> None:
        super().__init__(turn_analyzer=analyzer)
        self._analyzer = analyzer

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        if isinstance(frame, TranscriptionFrame):
            self._analyzer.heard(frame.text)
        return await super().process_frame(frame)


class SharedVoiceDetector(SileroVADAnalyzer):
    """Silero with the worker's shared session, and a state of its own."""

    def __init__(self, model: TurnModel, params: VADParams) -> None:
        super(SileroVADAnalyzer, self).__init__(params=params)
        self._executor = model.voice_executor
        self._model = copy.copy(model.voice)
        self._model.reset_states()  # type: ignore[no-untyped-call]
        self._windows_since_reset = self._low_confidence_windows = 0

    async def cleanup(self) -> None:
        """Keep the thread, which all calls share."""
