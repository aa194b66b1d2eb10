"""Nobody waits in silence: what is owed to a caller, which stage keeps them waiting, and when to do something about it."""

from collections.abc import Callable, Mapping
from enum import Enum

from exotel_ws.ai.alarm import Clock, Timer
from exotel_ws.ai.settings import Failure


class Progress(Enum):
    """How far a stage of the pipeline is with what it was asked for."""

    IDLE = "idle"
    ASKED = "asked"
    """Being asked: the caller is speaking, and owed nothing until they are done."""
    WAITING = "waiting"
    """Asked, and nothing has come."""
    FLOWING = "flowing"
    """Some of it has come, and there is more to come."""
    ACTING = "acting"
    """It has called a tool, and is asked again with what that gives: it is never late, and the caller waits all the same."""


class Watchdog:
    """Two deadlines. A stage at work has its own: past it `on_late` is told. And while anything is owed to the caller, the line
    is never quiet for longer than ``silence_s``: past that `on_silence` is told, again and again until something is heard.

    Silence is counted from the later of: when the caller was done, and when what was said so far is heard to its end.
    """

    def __init__(
        self,
        clock: Clock,
        settings: Failure,
        heard_until: Callable[[], float],
        on_silence: Callable[[], None],
        on_late: Callable[[str], None],
    ) -> None:
        """``heard_until`` is the time of ``clock`` at which all audio under way will have been heard."""
        self._clock = clock
        self._heard_until = heard_until
        self._on_silence = on_silence
        self._on_late = on_late
        self._silence_s = settings.silence_s
        self._stall_s = settings.stall_s
        self._first_s: Mapping[str, float] = {
            "stt": settings.transcript_s,
            "llm": settings.first_token_s,
            "tts": settings.first_audio_s,
        }
        self._stages: dict[str, tuple[Progress, float]] = {}
        """Of each stage that is at work: its progress, and when that was last made."""
        self._asked = False
        self._answer_owed = False
        self._quiet_since = 0.0
        self._deadlines: dict[str, Timer] = {}
        self._silence: Timer | None = None

    @property
    def owed(self) -> bool:
        """Whether the caller has a right to hear something soon."""
        return not self._asked and (self._answer_owed or bool(self._stages))

    def settled(self) -> None:
        """What the caller said needs no answer."""
        self._answer_owed = False
        self._forget_silence()

    def progress(self, stage: str, progress: Progress) -> None:
        """``stage`` has been asked, has given a piece, or has done all it was asked for."""
        owed = self.owed
        if stage == "stt":
            self._heard(progress)
        elif progress is not Progress.IDLE:
            self._answer_owed = False
        if progress in (Progress.IDLE, Progress.ASKED):
            if self._stages.pop(stage, None):
                self._cancel(stage)
            self._forget_silence()
        else:
            self._at_work(stage, progress, owed=owed)

    def again(self, stage: str) -> None:
        """What ``stage`` was asked for is being done anew: it has all its time again."""
        if stage in self._stages and self._stages[stage][0] is not Progress.ACTING:
            self._cancel(stage)
            self._stages[stage] = (Progress.WAITING, self._clock.time())
            self._watch(stage)

    def acted(self) -> None:
        """What a tool gives is not waited for any more."""
        self._stages = {stage: state for stage, state in self._stages.items() if state[0] is not Progress.ACTING}
        self._forget_silence()

    def close(self) -> None:
        """No deadline is left."""
        self._answer_owed = False
        for stage in list(self._deadlines):
            self._cancel(stage)
        self._stages.clear()
        self._forget_silence()

    def _heard(self, progress: Progress) -> None:
        """From the end of the caller's speech on an answer is owed, until the language model or the voice is at work on it."""
        if progress is Progress.ASKED:
            self._asked, self._answer_owed = True, False
        elif self._asked:
            self._asked, self._answer_owed = False, True
            self._quiet_since = self._clock.time()
            self._watch_silence()

    def _at_work(self, stage: str, progress: Progress, *, owed: bool) -> None:
        before = self._stages.get(stage)
        same = before is not None and before[0] is progress
        if same and progress is Progress.WAITING:
            return
        now = self._clock.time()
        if not (owed or self._answer_owed):
            self._quiet_since = now
        self._stages[stage] = (progress, now)
        self._watch_silence()
        if progress is Progress.ACTING:
            self._cancel(stage)
        elif not (same and stage in self._deadlines):
            self._cancel(stage)
            self._watch(stage)

    def _due(self, stage: str) -> float:
        """Past this, ``stage`` is late. What is still being heard gives a stage that has begun more time."""
        progress, since = self._stages[stage]
        if progress is Progress.WAITING:
            return since + self._first_s[stage]
        return max(since, self._heard_until()) + self._stall_s

    def _watch(self, stage: str) -> None:
        self._deadlines[stage] = self._clock.call_at(self._due(stage), self._check, stage)

    def _check(self, stage: str) -> None:
        """Pieces come many times a second; they set no timer each, but the time at which this one looks."""
        del self._deadlines[stage]
        if self._due(stage) > self._clock.time():
            self._watch(stage)
        else:
            self._on_late(stage)

    def _cancel(self, stage: str) -> None:
        if timer := self._deadlines.pop(stage, None):
            timer.cancel()

    def _silent_at(self) -> float:
        return max(self._quiet_since, self._heard_until()) + self._silence_s

    def _watch_silence(self) -> None:
        if self._silence is None:
            self._silence = self._clock.call_at(self._silent_at(), self._check_silence)

    def _check_silence(self) -> None:
        self._silence = None
        if not self.owed:
            return
        if self._silent_at() <= self._clock.time():
            self._quiet_since = self._clock.time()
            self._on_silence()
        if self.owed:
            self._watch_silence()

    def _forget_silence(self) -> None:
        if self._silence and not self.owed:
            self._silence.cancel()
            self._silence = None
