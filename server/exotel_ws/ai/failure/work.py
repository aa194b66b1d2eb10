"""Remember what a stage of the pipeline was asked for and has not done, so that another service can do it."""

from collections import deque
from dataclasses import replace
from typing import Final, Protocol

from pipecat.frames.frames import (
    AggregatedTextProgressFrame,
    Frame,
    FunctionCallsStartedFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    SystemFrame,
    TextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from exotel_ws.ai.failure.sound import NoSound, Sound
from exotel_ws.ai.failure.watchdog import Progress
from exotel_ws.ai.unspoken import Unspoken

_DOWN: Final = FrameDirection.DOWNSTREAM
_BEFORE_S: Final = 1.0
"""Seconds of audio kept from before speech was noticed: a voice detector is sure only after a while."""
_KEPT_S: Final = 30.0
"""Most seconds kept of one utterance; a longer one is not recognised again."""
_UNSPOKEN: Final = 0.2
"""Share of a text that a service may leave out of its report of what it spoke; then all of it counts as spoken."""
_SENTENCE_ENDS: Final = tuple(".!?…।;:")

Given = tuple[Frame, FrameDirection]


class Fault(Exception):
    """A service reported that it is done, and is not."""


class Work(Protocol):
    """Work of one stage: see each frame that goes in and comes out, and remember as little as is needed."""

    progress: Progress

    @property
    def busy(self) -> bool:
        """Return True if something that was asked is not done, even if the service has to wait for more of it."""

    def wants(self, frame: Frame, direction: FrameDirection) -> bool:
        """Return True if a frame is for the service. System frames always are; they pass without waiting for the service."""

    def given(self, frame: Frame, direction: FrameDirection) -> None:
        """Note a frame that the service is given."""

    def came(self, frame: Frame) -> list[Frame]:
        """Take a frame from the service; return the frames that go on. Raises `Fault`."""

    def unfinished(self) -> list[Frame]:
        """Return frames that end what the service has begun, because it is left."""

    def unanswered(self) -> list[Given]:
        """Return what the next service has to be given, in order; it counts as not given from now on."""


class Listening(Work):
    """Speech to text: keep the last utterance until it is text."""

    def __init__(self) -> None:
        self.progress = Progress.IDLE
        self._kept: deque[InputAudioRawFrame] = deque()
        self._kept_s = 0.0
        self._started: VADUserStartedSpeakingFrame | None = None
        self._stopped: VADUserStoppedSpeakingFrame | None = None
        self._some = False

    @property
    def busy(self) -> bool:
        return self.progress is not Progress.IDLE

    def wants(self, frame: Frame, direction: FrameDirection) -> bool:
        return False

    def given(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioRawFrame):
            self._keep(frame)
        elif direction is _DOWN and isinstance(frame, VADUserStartedSpeakingFrame):
            if self._stopped or not self._started:
                self._started, self._stopped, self._some = frame, None, False
            self.progress = Progress.ASKED
        elif direction is _DOWN and isinstance(frame, VADUserStoppedSpeakingFrame) and self._started:
            self._stopped = frame
            if self._some:
                self._forget()
            else:
                self.progress = Progress.WAITING

    def came(self, frame: Frame) -> list[Frame]:
        if isinstance(frame, InputAudioRawFrame):
            return []
        if isinstance(frame, TranscriptionFrame):
            self._some = True
            if self._stopped:
                self._forget()
        elif isinstance(frame, InterimTranscriptionFrame) and self._stopped:
            self.progress = Progress.FLOWING
        return [frame]

    def unfinished(self) -> list[Frame]:
        return []

    def unanswered(self) -> list[Given]:
        if self._started is None or self._kept_s > _KEPT_S:
            return []
        voice: list[Given] = [(frame, _DOWN) for frame in self._kept]
        end: list[Given] = [(self._stopped, _DOWN)] if self._stopped else []
        return [(self._started, _DOWN), *voice, *end]

    def missed(self) -> None:
        """Stop waiting for the text of this utterance."""
        self._forget()

    def _keep(self, frame: InputAudioRawFrame) -> None:
        self._kept.append(frame)
        self._kept_s += _seconds(frame)
        most_s = _KEPT_S if self._started else _BEFORE_S
        while self._kept_s > most_s and self._kept and not (self._started and len(self._kept) == 1):
            if self._started:
                self._kept.clear()
                return
            self._kept_s -= _seconds(self._kept.popleft())

    def _forget(self) -> None:
        self._started = self._stopped = None
        self._kept.clear()
        self._kept_s = 0.0
        self.progress = Progress.IDLE


class Answering(Work):
    """Language model: keep the dialogue until it is answered with words or a tool. Let only what is to be spoken through."""

    def __init__(self) -> None:
        self.progress = Progress.IDLE
        self._asked: LLMContextFrame | None = None
        self._open = False
        self._answered = False
        self._acting = False
        """True after a call of a tool; the model is asked again with its result."""
        self._unspoken = Unspoken()
        self._thinks_aloud = False

    @property
    def busy(self) -> bool:
        return self._asked is not None

    def wants(self, frame: Frame, direction: FrameDirection) -> bool:
        return isinstance(frame, LLMContextFrame)

    def given(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, LLMContextFrame):
            self._asked, self._answered, self._acting = frame, False, False
            self.progress = Progress.WAITING
        elif isinstance(frame, InterruptionFrame):
            self._acting = False
            self._done()

    def came(self, frame: Frame) -> list[Frame]:
        if isinstance(frame, LLMFullResponseStartFrame):
            self._open = True
            self._unspoken = Unspoken(thinks_aloud=self._thinks_aloud)
        elif isinstance(frame, LLMTextFrame):
            frame.text = self._unspoken.take(frame.text)
            return self._words(frame)
        elif isinstance(frame, FunctionCallsStartedFrame):
            self._acting = self._answered = True
            self.progress = Progress.FLOWING
        elif isinstance(frame, LLMFullResponseEndFrame):
            return [*self._words(LLMTextFrame(self._unspoken.end())), *self._over(frame)]
        return [frame]

    def _words(self, frame: LLMTextFrame) -> list[Frame]:
        self._thinks_aloud |= self._unspoken.thinks_aloud
        if _letters(frame.text):
            self._answered = True
            self.progress = Progress.FLOWING
        return [frame] if frame.text else []

    def _over(self, frame: LLMFullResponseEndFrame) -> list[Frame]:
        if not self._answered and self._asked:
            raise Fault("only thoughts, or calls of tools as text" if self._unspoken.left_out else "an empty answer")
        self._done()
        return [frame]

    def unfinished(self) -> list[Frame]:
        begun, self._open = self._open, False
        self._thinks_aloud = False
        return [LLMFullResponseEndFrame()] if begun else []

    def unanswered(self) -> list[Given]:
        return [(self._asked, _DOWN)] if self._asked else []

    def _done(self) -> None:
        self._asked = None
        self._open = False
        self.progress = Progress.ACTING if self._acting else Progress.IDLE


class _Piece:
    """A frame that was given, and the number of its letters that are not audio yet."""

    __slots__ = ("closes", "frame", "is_text", "left", "sentence_ends")

    def __init__(self, frame: Frame) -> None:
        text = _text(frame)
        self.frame = frame
        self.left = _letters(text)
        self.is_text = self.left > 0
        self.sentence_ends = any(end in text for end in _SENTENCE_ENDS)
        self.closes = isinstance(frame, TTSSpeakFrame | LLMFullResponseEndFrame)
        """True if nothing more belongs to what was given before: it is all to be spoken."""


class Speaking(Work):
    """Text to speech: keep all text that is not known to be audio yet, and the frames that pass in order with it.

    A service reports what it spoke in sentences or in words, with the audio or before it, and not quite as it was given. So
    letters are counted, and only once there was audio.
    """

    def __init__(self) -> None:
        self._given: list[_Piece] = []
        self._held: list[Frame] = []
        """Text reported as spoken before there was any audio."""
        self._sound = False
        """True if there was audio since the last sentence."""
        self._sounded = False
        """True if there was audio since the service began an utterance."""
        self._checked = Sound()

    @property
    def progress(self) -> Progress:  # type: ignore[override]
        if not self._due():
            return Progress.IDLE
        return Progress.FLOWING if self._sounded else Progress.WAITING

    @property
    def busy(self) -> bool:
        return any(piece.left for piece in self._given)

    def wants(self, frame: Frame, direction: FrameDirection) -> bool:
        return direction is _DOWN

    def given(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame):
            self._forget([piece for piece in self._given if not piece.frame.interruptible])
        elif not isinstance(frame, SystemFrame):
            self._given.append(_Piece(frame))

    def came(self, frame: Frame) -> list[Frame]:
        try:
            return self._came(frame)
        except NoSound as error:
            raise Fault(str(error)) from None

    def _came(self, frame: Frame) -> list[Frame]:
        if isinstance(frame, TTSAudioRawFrame):
            return self._audible(self._checked.take(frame))
        if isinstance(frame, TTSTextFrame):
            if frame.pts is None:
                self._checked.next()
            self._held.append(frame)
            if not self._sound:
                return []
            self._sound = frame.pts is not None
            return self._release()
        if isinstance(frame, TTSStoppedFrame):
            rest = self._audible(self._checked.over())
            self._stopped()
            return [*rest, frame]
        if isinstance(frame, AggregatedTextProgressFrame):  # as many as words, for pipecat's protocol of browsers alone
            return []
        self._passed(frame)
        return [frame]

    def _audible(self, frames: list[TTSAudioRawFrame]) -> list[Frame]:
        if not frames:
            return []
        self._sound = self._sounded = True
        return [*self._release(), *frames]

    def unfinished(self) -> list[Frame]:
        return []

    def unanswered(self) -> list[Given]:
        left: list[Given] = []
        in_answer = False
        for piece in self._given:
            frame = piece.frame
            if isinstance(frame, LLMFullResponseStartFrame):
                in_answer = True
            elif not in_answer and isinstance(frame, LLMTextFrame | LLMFullResponseEndFrame):
                left.append((unseen(LLMFullResponseStartFrame()), _DOWN))
                in_answer = True
            if isinstance(frame, LLMFullResponseEndFrame):
                in_answer = False
            left.append((_last_letters(frame, piece.left) if piece.is_text else frame, _DOWN))
        self._forget([])
        return left

    def _due(self) -> bool:
        """Return True if there is text that should be audio by now: a whole sentence, or the end of an answer."""
        some = False
        for piece in self._given:
            if piece.left:
                some = True
                if piece.sentence_ends:
                    return True
            if some and piece.closes:
                return True
        return False

    def _release(self) -> list[Frame]:
        held, self._held = self._held, []
        self._spoken(sum(_letters(_text(frame)) for frame in held))
        return held

    def _spoken(self, letters: int) -> None:
        for piece in self._given:
            said = min(letters, piece.left)
            piece.left -= said
            letters -= said
        self._given = [piece for piece in self._given if piece.left or not piece.is_text]

    def _stopped(self) -> None:
        if self._held or (not self._sounded and self._due()):
            self._held.clear()
            raise Fault("no sound for a sentence")
        left = sum(piece.left for piece in self._given)
        if left <= _UNSPOKEN * sum(_letters(_text(piece.frame)) for piece in self._given if piece.left):
            self._spoken(left)
        self._sound = self._sounded = False
        self._checked = Sound()

    def _passed(self, frame: Frame) -> None:
        at = next((i for i, piece in enumerate(self._given) if piece.frame is frame), None)
        if at is not None:
            del self._given[: at + 1]

    def _forget(self, kept: list[_Piece]) -> None:
        self._given = kept
        self._held.clear()
        self._sound = self._sounded = False
        self._checked = Sound()


SEEN: Final = "exotel_ws.seen"
"""Key of a frame's metadata: the stages that have passed the frame on, whose services need not."""


def unseen(frame: Frame) -> Frame:
    """Mark a frame as meant for the service alone, which no stage passes on, and return it."""
    frame.metadata[SEEN] = {"*"}
    return frame


def _seconds(frame: InputAudioRawFrame) -> float:
    return len(frame.audio) / (2 * frame.sample_rate)


def _text(frame: Frame) -> str:
    return frame.text if isinstance(frame, TextFrame | TTSSpeakFrame) else ""


def _letters(text: str) -> int:
    return sum(letter.isalnum() for letter in text)


def _last_letters(frame: Frame, letters: int) -> Frame:
    """Return a copy of ``frame`` with the last ``letters`` letters of its text, or ``frame`` itself if that is all of them."""
    assert isinstance(frame, TextFrame | TTSSpeakFrame)
    text = frame.text
    at = len(text)
    while letters and at:
        at -= 1
        letters -= text[at].isalnum()
    return frame if not any(letter.isalnum() for letter in text[:at]) else replace(frame, text=text[at:])
