"""The bot's end of the pipeline: what the services made is played, and told of as spoken once it was heard."""

from collections.abc import Callable

from pipecat.audio.utils import create_stream_resampler
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from exotel_ws.ai.playout import Playout


class Mouth(FrameProcessor):
    """Feeds a `Playout`. Text travels on only when it was heard: so the context knows what the caller knows."""

    def __init__(self, playout: Playout, sample_rate: int, on_text: Callable[[str, bool], None]) -> None:
        """``on_text`` is told each piece of text, and whether it was heard (else it was cut)."""
        super().__init__()
        self._playout = playout
        self._rate = sample_rate
        self._on_text = on_text
        self._resampler = create_stream_resampler(clear_after_secs=None)
        self._speaking = False
        self.on_audio: Callable[[], None] = lambda: None
        self.on_silent: Callable[[], None] = lambda: None
        """What the services said last was heard to its end."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is FrameDirection.UPSTREAM:
            await self.push_frame(frame, direction)
        elif isinstance(frame, TTSAudioRawFrame):
            await self._speak(frame)
        elif isinstance(frame, TTSStoppedFrame):
            self._playout.say(await self._resampler.flush())
            self._playout.note(lambda heard: self._utterance_over(frame, heard))
        elif isinstance(frame, TTSTextFrame):
            self._playout.note(lambda heard, frame=frame: self._text(frame, heard))
        elif isinstance(frame, InterruptionFrame):
            await self._resampler.reset()
            self._playout.drop()
            await self._stopped(None)
            await self.push_frame(frame, direction)
        elif isinstance(frame, LLMFullResponseEndFrame) and self._playout.outstanding:
            self._playout.note(lambda heard: self._soon(self.push_frame(frame)))
        elif isinstance(frame, EndFrame | CancelFrame):
            self._playout.close()
            await self.push_frame(frame, direction)
        else:
            await self.push_frame(frame, direction)

    async def _speak(self, frame: TTSAudioRawFrame) -> None:
        self.on_audio()
        pcm = await self._resampler.resample(frame.audio, frame.sample_rate, self._rate)
        self._playout.say(pcm)
        await self.started()

    async def started(self) -> None:
        """The bot begins to be heard."""
        if not self._speaking:
            self._speaking = True
            await self.broadcast_frame(BotStartedSpeakingFrame)

    def _utterance_over(self, frame: Frame, heard: bool) -> None:
        self._soon(self._stopped(frame))
        if heard:
            self.on_silent()

    async def _stopped(self, frame: Frame | None) -> None:
        if frame:
            await self.push_frame(frame)
        if self._speaking:
            self._speaking = False
            await self.broadcast_frame(BotStoppedSpeakingFrame)

    def _text(self, frame: TTSTextFrame, heard: bool) -> None:
        self._on_text(frame.text, heard)
        if heard:
            self._soon(self.push_frame(frame))

    def _soon(self, coroutine: object) -> None:
        self.create_task(coroutine)  # type: ignore[arg-type]
