"""Watch that no caller waits in silence: note debts to them, find late stages, and act in time."""

from collections.abc import Callable, Mapping
from enum import Enum

from exotel_ws.ai.alarm import Clock, Timer
from exotel_ws.ai.settings import Failure


class Progress(Enum):
    """Progress of a stage of the pipeline with what it was asked for."""

    IDLE = "idle"
    ASKED = "asked"
    """The caller is speaking, and is owed nothing until they are done."""
    WAITING = "waiting"
    """The stage was asked, and has given nothing."""
    FLOWING = "flowing"
    """The stage has given something, and more has to come."""
    ACTING = "acting"
    """The stage has called a tool, and will be asked again with its result. It is never late, but the caller waits."""


class Watchdog:
    """Watch two kinds of deadline.

    Each stage at work has one: past it, `on_late` is called. And while anything is owed to the caller, the line is never quiet
    for longer than ``silence_s``: past that, `on_silence` is called, again and again until something is heard. Silence counts
    from the later of two times: when the caller was done, and when all that was said so far has been heard.
    """

    def __init__(
        self,
        clock: Clock,
        settings: Failure,
        heard_until: Callable[[], float],
        on_silence: Callable[[], None],
        on_late: Callable[[str], None],
    ) -> None:
        """``heard_until`` returns the time of ``clock``, in seconds, at which all audio under way will have been heard."""
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
        """Stages at work: the progress of each, and the time of its last progress."""
        self._asked = False
        self._answer_owed = False
        self._quiet_since = 0.0
        self._deadlines: dict[str, Timer] = {}
        self._silence: Timer | None = None

    @property
    def owed(self) -> bool:
        """Return True if the caller has to hear something soon."""
        return not self._asked and (self._answer_owed or bool(self._stages))

    def settled(self) -> None:
        """Note that what the caller said needs no answer."""
        self._answer_owed = False
        self._forget_silence()

    def progress(self, stage: str, progress: Progress) -> None:
        """Note that ``stage`` has been asked, has given a piece, or is done."""
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
        """Give ``stage`` all its time again, because a service begins again with what was asked for."""
        if stage in self._stages and self._stages[stage][0] is not Progress.ACTING:
            self._cancel(stage)
            self._stages[stage] = (Progress.WAITING, self._clock.time())
            self._watch(stage)

    def acted(self) -> None:
        """Stop waiting for results of tools."""
        self._stages = {stage: state for stage, state in self._stages.items() if state[0] is not Progress.ACTING}
        self._forget_silence()

    def close(self) -> None:
        """Cancel all deadlines."""
        self._answer_owed = False
        for stage in list(self._deadlines):
            self._cancel(stage)
        self._stages.clear()
        self._forget_silence()

    def _heard(self, progress: Progress) -> None:
        """Note what the caller does. From the end of their speech an answer is owed, until the model or the voice works on it."""
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
        """Return the time past which ``stage`` is late. A stage that has begun has time while its audio is being heard."""
        progress, since = self._stages[stage]
        if progress is Progress.WAITING:
            return since + self._first_s[stage]
        return max(since, self._heard_until()) + self._stall_s

    def _watch(self, stage: str) -> None:
        self._deadlines[stage] = self._clock.call_at(self._due(stage), self._check, stage)

    def _check(self, stage: str) -> None:
        """Check whether ``stage`` is late. Pieces come many times a second: they move the deadline, but set no timer."""
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
