"""Hold back what a very soft voice says at the beginning of a call, until it is known whose it is.

A second talker is often heard before the caller has said a word. What tells the two apart is that a caller pauses for an answer,
and that after somebody else a far louder voice begins.
"""

from collections.abc import Iterator
from typing import Final

from pipecat.frames.frames import Frame, InputAudioRawFrame

from exotel_ws.ai.hearing.frames import HushFrame, SpeechEndFrame
from exotel_ws.ai.hearing.windows import RATE

_ANSWER_S: Final = 0.8
"""Seconds without a voice in which a caller waits for an answer. Between two sentences said to somebody else it is less."""
_LONGEST_S: Final = 6.0
"""Seconds for which a voice is held back at most; if the bot does not speak meanwhile it is the caller's then."""
_KEPT_S: Final = 0.2
"""Last seconds of what is not the caller's that may be the beginning of their first word."""


class Doubt:
    """Frames of one call that wait, none at the beginning."""

    def __init__(self) -> None:
        self._held: list[Frame] = []
        self._seconds = 0.0
        self._over = False
        """True if the bot spoke when the voice began."""

    def __bool__(self) -> bool:
        """Return True while frames are held back."""
        return bool(self._held)

    def hold(self, frame: Frame, *, over: bool) -> None:
        """Hold a frame back. ``over``: the bot speaks."""
        if not self._held:
            self._over = over
        self._seconds += _seconds(frame)
        self._held.append(frame)

    def is_theirs(self, silent_s: float, *, over: bool) -> bool | None:
        """Return whether what is held back is the caller's, None while that is not known; after some seconds it is.

        ``silent_s`` seconds have passed since the voice; ``over``: the bot speaks.
        """
        too_long = self._seconds >= _LONGEST_S
        if silent_s >= _ANSWER_S and (too_long or not over):
            return True
        return not self._over if too_long else None

    def released(self) -> Iterator[Frame]:
        """Yield what was held back, which is the caller's. Pauses are told as long as they have become."""
        held, late_s = self._held, self._seconds
        self._held, self._seconds = [], 0.0
        for frame in held:
            late_s -= _seconds(frame)
            if isinstance(frame, SpeechEndFrame):
                frame.stop_secs += late_s
                frame.silent_s += late_s
            if not isinstance(frame, HushFrame):  # it is too late to recognise anything early
                yield frame

    def dropped(self) -> Iterator[Frame]:
        """Yield silence for what was held back, which is not the caller's; the last of it may be."""
        pcm = b"".join(frame.audio for frame in self._held if isinstance(frame, InputAudioRawFrame))
        self._held, self._seconds = [], 0.0
        silent = max(0, len(pcm) - 2 * int(_KEPT_S * RATE))
        yield InputAudioRawFrame(bytes(silent) + pcm[silent:], RATE, 1)


def _seconds(frame: Frame) -> float:
    return len(frame.audio) / 2 / RATE if isinstance(frame, InputAudioRawFrame) else 0.0
