"""Hear when the caller speaks, before anything else of the pipeline does."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Final, Protocol

import numpy as np
from pipecat.audio.vad.vad_analyzer import VADParams, VADState
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    VADUserStartedSpeakingFrame,
)

from exotel_ws.ai.embedded.models import TurnModel
from exotel_ws.ai.embedded.services import SharedVoiceDetector
from exotel_ws.ai.hearing.audio_time import AudioTime
from exotel_ws.ai.hearing.caller import CallerLevel
from exotel_ws.ai.hearing.doubt import Doubt
from exotel_ws.ai.hearing.echo import EchoPath, Played
from exotel_ws.ai.hearing.floor import Floor
from exotel_ws.ai.hearing.frames import HushFrame, SpeechBeginFrame, SpeechCutFrame, SpeechEndFrame
from exotel_ws.ai.hearing.gain import AUDIBLE_DB, Gain
from exotel_ws.ai.hearing.windows import RATE, SILENCE_DB, WINDOW, WINDOW_S, HighPass, Window, level, pcm16, windows
from exotel_ws.ai.settings import Turns

START_S: Final = 0.2
"""Seconds of voice after which somebody speaks, and of its absence after which they have stopped."""
STOP_S: Final = 0.2
_HUSH_WINDOWS: Final = 3
"""Windows of a pause, a tenth of a second, that may be the end of speech."""
_DEAF_S: Final = 1.0
_DEAF_AT_MOST_S: Final = 3.0
_TURN_ENDS_S: Final = 0.2
"""Seconds without a voice after speech that was ended for its length: the least, the most, and after its words have come.
pipecat ends no turn in which somebody speaks, and recognisers take up to 2 s."""
_HEARD_DB: Final = 10.0
"""Distance above the noise, and `_TAIL_DB` below the caller's loud words, from which on a sound is heard as theirs."""
_TAIL_DB: Final = 30.0
_USUAL: Final = Turns()
_SETTLES: Final = 32
"""Inaudible windows in a row, a second, after which the detector is not asked until there is a sound again. It knows silence by
then: one that began afresh just before a voice finds it a tenth of a second later."""
_OF_NOISE_DB: Final = 2.0
"""Distance from the level of a steady noise within which a window is of it alone, and as inaudible as silence."""
_NOTHING: Final = bytes(2 * WINDOW)
_SURE: Final = 0.7
"""Least confidence of the detector in a voice."""
_CLEAR: Final = 0.9
_CLEAR_S: Final = 0.1
"""Least confidence in a voice that is clear, and seconds of it after which somebody speaks: knocks and horns have none."""
_SPOKEN: Final = 3
"""Windows in a frame while somebody speaks, a tenth of a second, and while nobody does: each frame costs CPU at every stage."""
_QUIET: Final = 6
_LONG_QUIET: Final = 16
"""The same, half a second, once nobody could be heard for `_LONG_S`, so that no recogniser waits for more of a silence."""
_LONG_S: Final = 2.0
_TAKEN_OVER: Final = 3
"""Windows of the caller's voice before it is known that the voice until then was somebody else's, less one."""
_CLEAR_DB: Final = 20.0
"""Distance of the caller's loud words from the noise floor below which the line is noisy: a crowd 13 dB below them, for one."""
_FAINT_DB: Final = -60.0
"""Greatest noise, in dB of full scale, that is none for anybody; ``_LOUD_DB`` is noisy although no caller is known yet."""
_LOUD_DB: Final = -45.0
_LIKE_OWN: Final = 0.5
"""Least correlation with what was played of an utterance that may be it: less has a caller who says the same words."""
_SURELY_OWN: Final = 0.8
"""Correlation from which on even a single word is the bot's, if the echo's level was not known yet as it began."""
_OTHERS: Final = np.float32(0.1)
"""Amplitude that is left of a voice which is not the caller's, so that its words do not begin their utterance."""


class VoiceDetector(SharedVoiceDetector):
    """Silero with the worker's shared session, one window at a time, and the state that follows from the windows."""

    def __init__(self, model: TurnModel) -> None:
        super().__init__(model, VADParams(start_secs=START_S, stop_secs=STOP_S))
        self.set_sample_rate(RATE)
        self._run = 0
        """Windows in a row that speak against the state."""
        self._clear_run = 0
        """Windows in a row of the caller's voice that are clear."""
        self.began_s = START_S
        """Seconds of voice after which the latest speech was noticed."""
        self._is_clear = False
        """True if the latest window is of a clear voice, whoever's it is."""

    @property
    def speaking(self) -> bool:
        """Return True while somebody speaks."""
        return self._vad_state is VADState.SPEAKING

    def is_voice(self, window: Window) -> bool:
        """Return True if ``window`` is of a voice, whoever's it is."""
        confidence = float(self._model(window, RATE)[0].item())
        self._maybe_reset_model(confidence)
        self._is_clear = confidence >= _CLEAR
        return confidence >= _SURE

    def changes(self, heard: bool, *, sure: bool = True) -> bool:
        """Take whether the next window is of the caller's voice, and ``sure`` if it can be of no other's.

        Return True if `speaking` has changed.
        """
        self._run = 0 if heard is self.speaking else self._run + 1
        self._clear_run = self._clear_run + 1 if heard and sure and self._is_clear else 0
        begins = not self.speaking and self._clear_run >= round(_CLEAR_S / WINDOW_S)
        if not begins and self._run < round((STOP_S if self.speaking else START_S) / WINDOW_S):
            return False
        if not self.speaking:
            self.began_s = self._run * WINDOW_S
        self._run = 0
        self._vad_state = VADState.QUIET if self.speaking else VADState.SPEAKING
        return True

    def cut(self, run: int = 0) -> None:
        """Take what is spoken to have stopped; since then ``run`` windows of another voice have come."""
        self._run = run
        self._vad_state = VADState.QUIET

    @property
    def hushed(self) -> bool:
        """Return True while somebody speaks who has paused for a moment."""
        return self.speaking and self._run >= _HUSH_WINDOWS


class Hears(Protocol):
    """Way of a call's audio into its pipeline."""

    def take(self, pcm: bytes) -> Iterator[Frame]:
        """Take ``pcm``, PCM16 little-endian mono at `RATE`, of any length. Yield the frames for the pipeline."""

    def theirs(self, text: str) -> str:
        """Return what of ``text``, just recognised, the caller has said; empty if it is all the bot's own voice."""

    def recognised(self) -> None:
        """Note that a transcript has come."""


class Hearing:
    """Way of one call's audio into the pipeline: high-pass, gain, and the frames that say when the caller speaks.

    Those frames stand between the audio before and the audio after, however fast it comes: what a network has held back and
    delivers at once is cut into utterances as if it had come in time.
    """

    def __init__(self, detector: VoiceDetector, played: Played, clock: Callable[[], float], rules: Turns = _USUAL) -> None:
        """``clock`` returns seconds, by the clock of ``played``. ``rules`` tell what speech is too long."""
        self._detector = detector
        self._played = played
        self._path = EchoPath(played)
        self._clock = clock
        self._time = AudioTime(clock)
        self._over = False
        """True if the last utterance began while the bot's voice, or its echo, sounded."""
        self._over_other_leg = False
        """True if it began while the bot of another leg of the call spoke."""
        self._unjudged = True
        """True if it began before the level of an echo was known, so that it may be one."""
        self._rules = rules
        self._hushed = False
        self._spoke_s = 0.0
        self._cut_s = float("inf")
        """Seconds since speech was last ended for its length, and the least of them at which a voice is heard again."""
        self._hears_at_s = 0.0
        self._sounded_at = 0.0
        """Time of the latest sound that an ear tells from the noise."""
        self._high_pass = HighPass()
        self._inaudible = 0
        """Windows in a row that nobody can hear."""
        self._floor = Floor()
        self._caller = CallerLevel()
        self._doubt = Doubt()
        self._gain = Gain()
        self._ready = bytearray()
        """Audio for the next frame."""
        self._left = b""
        """Audio that is too short for a window."""

    def take(self, pcm: bytes) -> Iterator[Frame]:
        """See `Hears.take`."""
        pcm = self._left + pcm
        whole = len(pcm) // (2 * WINDOW) * 2 * WINDOW
        pcm, self._left = pcm[:whole], pcm[whole:]
        silent = self._inaudible >= _SETTLES and pcm == bytes(whole)
        sounds: Iterable[Window | None] = repeat(None, whole // (2 * WINDOW)) if silent else windows(pcm)
        at = self._time.before(whole / (2 * RATE))
        for window in sounds:
            at += WINDOW_S
            heard, changed = self._hear_nothing(at) if window is None else self._hear(window, at)
            self._ready += heard
            told = self._change() if changed else self._hush()
            if told is not None or self._caller.took_over or len(self._ready) >= self._most() * 2 * WINDOW:
                yield from self._sure_of(InputAudioRawFrame(bytes(self._ready), RATE, 1))
                self._ready.clear()
            if told is not None:
                yield from self._sure_of(told)

    def _sure_of(self, frame: Frame) -> Iterator[Frame]:
        """Yield ``frame``, and what waits before it, if it is known whose voice it is; otherwise let it wait."""
        begins = isinstance(frame, VADUserStartedSpeakingFrame)
        if not (self._doubt or (begins and self._caller.doubtful)):
            yield frame
            return
        over = self._clock() < self._played.until
        self._doubt.hold(frame, over=over)
        theirs = None if begins else self._doubt.is_theirs(self._caller.silent_s, over=over)
        if self._caller.took_over:
            self._detector.cut(_TAKEN_OVER)
            yield from self._doubt.dropped()
        elif theirs or not self._caller.doubtful:
            self._caller.trust()
            yield from self._doubt.released()
        elif theirs is False:
            self._caller.distrust()
            self._detector.cut()
            yield from self._doubt.dropped()

    def noisy(self) -> bool:
        """Return True if it is so loud around the caller that their words are hard to tell from it."""
        caller, floor = self._caller.level, self._floor.level
        return floor > (_LOUD_DB if caller is None else max(_FAINT_DB, caller - _CLEAR_DB))

    def clamour(self) -> bool:
        """Return True if it is noisy of what varies as voices do, whose words may be taken for the caller's."""
        return self.noisy() and not self._floor.steady

    def theirs(self, text: str) -> str:
        """See `Hears.theirs`."""
        over = self._over and self._path.likeness >= _LIKE_OWN
        sure = over and self._path.likeness_of_softer >= _SURELY_OWN and self._unjudged and not self._caller.has_company
        return self._played.without_own(text, self._clock(), over=over, sure=sure, other_leg=self._over_other_leg)

    def recognised(self) -> None:
        """See `Hears.recognised`."""
        self._hears_at_s = min(self._hears_at_s, max(_DEAF_S, self._cut_s + _TURN_ENDS_S))

    def _hear_nothing(self, at: float) -> tuple[bytes, bool]:
        """Do the same as `_hear` with a window of silence after others: filter and gain have settled, and change nothing."""
        self._inaudible += 1
        self._floor.take(SILENCE_DB)
        self._path.is_echo(at, SILENCE_DB)
        return _NOTHING, self._follow(False, SILENCE_DB, at)

    def _hear(self, window: Window, at: float) -> tuple[bytes, bool]:
        """Return a window as the recognisers get it, and True if the caller has just begun or stopped to speak."""
        window = self._high_pass(window)
        loudness = level(window)
        self._floor.take(loudness)
        window = self._gain(window, loudness, self._floor.level, self._caller.level)
        own = self._path.is_echo(at, loudness)
        voice = self._is_voice(window, loudness) and not own
        changed = self._follow(voice, loudness, at)
        if own or self._caller.other:
            window *= _OTHERS
        return pcm16(window), changed

    def _follow(self, voice: bool, loudness: float, at: float) -> bool:
        """Take a window that was judged. Return True if the caller has just begun or stopped to speak."""
        theirs = self._caller.is_theirs(voice, loudness, self._floor.level, over=at < self._played.until)
        if loudness > max(self._floor.level + _HEARD_DB, (self._caller.level or AUDIBLE_DB) - _TAIL_DB):
            self._sounded_at = at
        self._cut_s += WINDOW_S
        heard = theirs and self._cut_s >= self._hears_at_s
        sure = heard and not (self._detector.speaking or self._path.may_be(at, loudness))
        changed = self._is_too_long() or self._detector.changes(heard, sure=sure)
        if changed and self._detector.speaking:
            began = at - self._detector.began_s
            self._over, self._over_other_leg = self._played.sounds(began), self._played.other_leg_sounds(began)
            self._unjudged = self._path.delay is None
        return changed

    def _is_voice(self, window: Window, loudness: float) -> bool:
        """Return True if ``window`` is of a voice. The detector takes half of a call's CPU, and silences are most of a call."""
        audible = loudness > AUDIBLE_DB
        stands_out = audible and not (self._floor.steady and loudness < self._floor.level + _OF_NOISE_DB)
        self._inaudible = 0 if stands_out else self._inaudible + 1
        if self._inaudible > _SETTLES:
            return False
        return self._detector.is_voice(window) and audible

    def _most(self) -> int:
        """Return how many windows a frame has."""
        if self._detector.speaking:
            return _SPOKEN
        return _LONG_QUIET if self._inaudible * WINDOW_S > _LONG_S else _QUIET

    def _is_too_long(self) -> bool:
        """Return True, and end the speech, if it has lasted for the longest time without an end."""
        self._spoke_s = self._spoke_s + WINDOW_S if self._detector.speaking else 0.0
        if self._spoke_s < self._rules.longest_s:
            return False
        self._detector.cut()
        self._cut_s, self._hears_at_s = 0.0, _DEAF_AT_MOST_S
        return True

    def _change(self) -> Frame:
        self._hushed = False
        if self._detector.speaking:
            return SpeechBeginFrame(self._detector.began_s, over=self._over or self._over_other_leg)
        if not self._cut_s:
            return SpeechCutFrame(stop_secs=0.0)
        return SpeechEndFrame(stop_secs=STOP_S, silent_s=max(0.0, self._clock() - self._sounded_at))

    def _hush(self) -> Frame | None:
        """Return a frame if a pause has begun, or was none; None otherwise."""
        if not self._rules.early or self._detector.hushed is self._hushed:
            return None
        self._hushed = self._detector.hushed
        return HushFrame(self._hushed)
