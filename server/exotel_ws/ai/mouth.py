"""The bot's end of the pipeline: play what the services make, and report text as spoken once it was heard."""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from pipecat.audio.resamplers.base_audio_resampler import BaseAudioResampler
from pipecat.audio.utils import create_stream_resampler
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMAssistantPushAggregationFrame,
    LLMFullResponseEndFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from exotel_ws.ai.playout import Playout

_SENTENCE_ENDS: Final = tuple(".!?…।")
_QUALITY: Final = "HQ"
"""Quality of soxr, 20 bits. pipecat's usual one, 28 bits, holds back up to 0.16 s of sound instead of 0.06 s, and takes 0.2 MB
more."""


class Mouth(FrameProcessor):
    """Feed a `Playout`. Pass text on only once it was heard, so that the context holds what the caller knows.

    Nothing in it waits, so that it does without queues: sound goes to the playout as it comes, before any other work.
    """

    def __init__(self, playout: Playout, sample_rate: int, on_text: Callable[[str, bool], None]) -> None:
        """Call ``on_text`` with each piece of text, and True if it was heard, False if it was cut.

        ``sample_rate`` is the stream's in Hz.
        """
        super().__init__(enable_direct_mode=True)
        self._playout = playout
        self._rate = sample_rate
        self._on_text = on_text
        self._resampler = _resampler()
        self._made_at = 0
        self._speaking = False
        self._answering = False
        self._expecting = False
        self._writing = self._voicing = False
        """True until the model has written all of its answer; and until the sound of a sentence has all been made."""
        self._mute = False
        self._began_ns = 0
        self._made = 0
        self._words: deque[tuple[int, TTSTextFrame]] = deque()
        """Words whose sound has not come yet, each with the number of bytes of the utterance before it."""
        self._spoken: dict[bool, list[str]] = {True: [], False: []}
        self._unheard: deque[str] = deque()
        """Text whose sound is there and has not been heard to its end."""
        self.on_silent: Callable[[], None] = lambda: None
        """Called when all that the services made was heard, and no more is expected."""
        self.on_saying: Callable[[str], None] = lambda _text: None
        """Called with each text whose sound has been handed to the playout."""
        self.on_dropped: Callable[[], None] = lambda: None
        """Handle a passing interruption, after unheard audio is dropped."""

    @property
    def busy(self) -> bool:
        """Return True while the caller hears something or will: an answer is being made, or a sentence is expected."""
        return self._answering or self._expecting or self._playout.outstanding

    @property
    def over(self) -> bool:
        """Return True if the caller who speaks now speaks over the bot, or while it makes what it will say.

        Unlike `busy`, False once all has sounded by the clock: the mark of a question's end comes after a quick "yes".
        """
        return self._writing or self._voicing or self._playout.outstanding

    @property
    def saying(self) -> str:
        """Return the sentence that the caller is hearing, as far as its text has come; empty if there is none."""
        said = ""
        for text in (*self._unheard, *(frame.text for _, frame in self._words)):
            said = f"{said} {text}".strip()
            if said.endswith(_SENTENCE_ENDS):
                break
        return said

    def expect(self) -> None:
        """Expect a sentence that is on its way."""
        self._expecting = self._voicing = True

    def answer_begins(self) -> None:
        """Note that the model has begun an answer, whose words come later."""
        self._answering = self._writing = True

    def mute(self) -> None:
        """From now on ignore what the services make: it is not played, and stops nothing."""
        self._mute = True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is FrameDirection.UPSTREAM or self._mute:
            await self.push_frame(frame, direction)
        elif isinstance(frame, TTSAudioRawFrame):
            await self._speak(frame)
        elif isinstance(frame, TTSTextFrame):
            self._text_made(frame)
        elif isinstance(frame, TTSStoppedFrame):
            await self._utterance_made(frame)
        elif isinstance(frame, LLMFullResponseEndFrame):
            self._writing = self._voicing = False  # a voice that failed in mid-sentence never says that it has stopped
            self._when_heard(lambda heard: self._answer_over(frame, heard))
        elif isinstance(frame, LLMAssistantPushAggregationFrame):
            self._when_heard(lambda _heard: self._soon(self.push_frame(frame)))
        elif isinstance(frame, InterruptionFrame):
            await self._interrupted()
            await self.push_frame(frame, direction)
        else:
            await self.push_frame(frame, direction)

    async def _speak(self, frame: TTSAudioRawFrame) -> None:
        self._voicing = True
        if not self._made:
            self._began_ns = self.get_clock().get_time()
        if frame.sample_rate != self._made_at:
            await self._other_rate(frame.sample_rate)
        pcm = await self._resampler.resample(frame.audio, frame.sample_rate, self._rate)
        self._made += len(pcm)
        self._playout.say(pcm)
        while self._words and self._words[0][0] <= self._made:
            self._text_with_its_sound(self._words.popleft()[1])
        if not self._speaking:
            self._speaking = True
            await self.broadcast_frame(BotStartedSpeakingFrame)

    async def _other_rate(self, sample_rate: int) -> None:
        """Change the resampler, because another service has taken over."""
        self._playout.say(await self._resampler.flush())
        self._resampler = _resampler()
        self._made_at = sample_rate

    def _text_made(self, frame: TTSTextFrame) -> None:
        """Take text. Some services time each word, before its sound is there: ``pts`` is that time in ns."""
        before = (frame.pts - self._began_ns) * self._rate // 1_000_000_000 * 2 if frame.pts and self._made else 0
        if before > self._made:
            self._words.append((before, frame))
        else:
            self._text_with_its_sound(frame)

    def _text_with_its_sound(self, frame: TTSTextFrame) -> None:
        self._unheard.append(frame.text)
        self.on_saying(frame.text)
        self._when_heard(lambda heard: self._text_over(frame, heard))

    async def _utterance_made(self, frame: TTSStoppedFrame) -> None:
        self._playout.say(await self._resampler.flush())
        self._playout.flush()
        while self._words:
            self._text_with_its_sound(self._words.popleft()[1])
        self._made = 0
        self._voicing = False
        self._when_heard(lambda heard: self._utterance_over(frame, heard))

    async def _interrupted(self) -> None:
        self._answering = self._expecting = self._writing = self._voicing = False
        self._made = 0
        await self._resampler.reset()  # type: ignore[no-untyped-call]
        self._playout.drop()
        while self._words:
            self._spoken[False].append(self._words.popleft()[1].text)
        self._tell_text()
        self.on_dropped()
        await self._stopped()

    def _when_heard(self, tell: Callable[[bool], None]) -> None:
        if self._playout.outstanding or self._playout.held:
            self._playout.note(tell)
        else:
            tell(True)

    def _text_over(self, frame: TTSTextFrame, heard: bool) -> None:
        self._unheard.popleft()
        self._spoken[heard].append(frame.text)
        if heard:
            self._soon(self.push_frame(frame))
        if not frame.pts:
            self._tell_text()

    def _tell_text(self) -> None:
        for heard, words in self._spoken.items():
            if words:
                self._on_text(" ".join(words), heard)
                words.clear()

    def _utterance_over(self, frame: Frame, heard: bool) -> None:
        self._expecting = False
        self._tell_text()
        self._soon(self.push_frame(frame))
        self._soon(self._stopped())
        if heard:
            self._quiet()

    def _answer_over(self, frame: Frame, heard: bool) -> None:
        self._answering = False
        self._soon(self.push_frame(frame))
        if heard:
            self._quiet()

    def _quiet(self) -> None:
        if not self.busy:
            self.on_silent()

    async def _stopped(self) -> None:
        if self._speaking:
            self._speaking = False
            await self.broadcast_frame(BotStoppedSpeakingFrame)

    def _soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.create_task(coroutine)


def _resampler() -> BaseAudioResampler:
    return create_stream_resampler(quality=_QUALITY, clear_after_secs=None)
