"""Help a call in trouble: say something, let another service take over, or give the call up."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from exotel_ws.ai.alarm import Alarm, Clock
from exotel_ws.ai.failure.apology import Phrases
from exotel_ws.ai.failure.breaker import Breaker
from exotel_ws.ai.failure.failover import Failover
from exotel_ws.ai.failure.watchdog import Progress, Watchdog
from exotel_ws.ai.providers.keys import redact
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.settings import Failure

_NOT_HEARD_AT_MOST: Final = 3
"""Times in a row that nothing was understood, and the caller is told so; after one more the call is given up."""
_MISSES_OF_A_SERVICE: Final = 2
"""Utterances in a row without text after which the service is left: one may have been a cough."""


class CallControl(Protocol):
    """Control of the call itself, whatever the pipeline does."""

    def say(self, text: str, pcm: bytes) -> None:
        """Play a sentence after what is under way: ``pcm`` is PCM16 at the stream's rate."""

    def resume(self) -> bool:
        """Continue what an interruption had stopped. Return False if nothing was stopped."""

    def blames_noise(self, *, last: bool) -> bool:
        """Tell the caller, once, that it is noisy where they are; if ``last``, end the call. Return False if it is not."""

    def give_up(self, text: str, pcm: bytes, then: str) -> None:
        """Play this as the last sentence; once it was heard, end the call as ``then`` says: ``hang_up`` or ``transfer``."""


class Rescue:
    """Watch over one call. Implements `exotel_ws.ai.failure.failover.Told`; each stage's `Failover` is added once it is made."""

    def __init__(
        self,
        settings: Failure,
        phrases: Phrases,
        story: Story,
        breaker: Breaker,
        clock: Clock,
        heard_until: Callable[[], float],
    ) -> None:
        """``heard_until`` returns the time of ``clock``, in seconds, at which all audio under way will have been heard."""
        self._settings = settings
        self._phrases = phrases
        self._call: CallControl
        self._story = story
        self._breaker = breaker
        self._clock = clock
        self._stages: dict[str, Failover] = {}
        self._failed: set[tuple[str, str]] = set()
        self._fillers = 0
        self._misses = 0
        self._not_heard = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._given_up = self._parting = False
        self._heard_until = heard_until
        self._watchdog = Watchdog(clock, settings, heard_until, self._silent, self._late)
        self._unready = Alarm(clock, self._not_ready)

    def watch(self, call: CallControl) -> None:
        """Begin to watch over ``call``: its pipeline has to be `ready` in time."""
        self._call = call
        self._unready.set(self._settings.ready_s)

    def add(self, stage: Failover) -> None:
        """Add a stage, which can be switched to another service from now on."""
        self._stages[stage.stage] = stage

    @property
    def too_fast(self) -> tuple[str, bytes]:
        """Return the sentence for a caller who asks faster than a call may, and its audio."""
        return self._phrases.too_fast

    @property
    def enough(self) -> tuple[str, bytes]:
        """Return the sentence for a caller whose call has used up its budget and ends, and its audio."""
        return self._phrases.enough

    # Events of the call

    def ready(self) -> None:
        """Note that the pipeline runs."""
        self._unready.off()

    def understood(self) -> None:
        """Note that speech of the caller became text."""
        self._misses = self._not_heard = 0

    def nothing_meant(self) -> None:
        """Note that what the caller said needs no answer."""
        self._watchdog.settled()

    def part(self) -> None:
        """Note that the last sentence is being said: results of tools do not matter any more."""
        self._parting = True
        self._watchdog.acted()

    def give_up(self, why: str) -> None:
        """Give the call up, because nothing can answer it: apologise, and end it. Idempotent."""
        if self._given_up:
            return
        self.close()
        self._story.provider_error("pipeline", "", why)
        self._story.apologised()
        self._call.give_up(*self._phrases.apology, self._settings.then)

    def close(self) -> None:
        """Stop watching."""
        self._given_up = True
        self._unready.off()
        self._watchdog.close()

    # Events of the stages

    def progress(self, stage: str, progress: Progress) -> None:
        if self._given_up:
            return
        if progress is Progress.ASKED or (stage == "tts" and progress is Progress.FLOWING):
            self._fillers = 0
        over = self._parting and progress is Progress.ACTING
        self._watchdog.progress(stage, Progress.IDLE if over else progress)

    def again(self, stage: str) -> None:
        self._watchdog.again(stage)

    def worked(self, stage: str, service: str) -> None:
        self._breaker.worked(stage, service)

    def failed(self, stage: str, service: str, reason: str, *, left: bool) -> None:
        self._story.provider_error(stage, service, redact(reason))
        if left and (stage, service) not in self._failed:
            self._failed.add((stage, service))
            self._breaker.failed(stage, service)

    def switched(self, stage: str, to: str) -> None:
        self._story.switched(stage, to)

    def exhausted(self, stage: str) -> None:
        self.give_up(f"{stage}: no service is left")

    # Deadlines

    def _not_ready(self) -> None:
        self.give_up("the pipeline did not start")

    def _silent(self) -> None:
        """End a silence in which the caller waits: resume what was stopped, say a filler, or give the call up."""
        if self._call.resume():
            self._watchdog.settled()
        elif self._fillers < len(self._phrases.fillers):
            self._call.say(*self._phrases.fillers[self._fillers])
            self._fillers += 1
        else:
            self.give_up("no answer came")

    def _late(self, stage: str) -> None:
        if stage == "stt":
            self._misses += 1
            if self._misses < _MISSES_OF_A_SERVICE or not self._stages[stage].spare:
                self._unheard(self._stages[stage])
                return
            self._misses = 0
        task = asyncio.ensure_future(self._take_over(stage))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_over(self, stage: str) -> None:
        await self._stages[stage].switch("it gives nothing")

    def _unheard(self, stt: Failover) -> None:
        """Act on speech, or a noise, that did not become text."""
        stt.missed()
        self._watchdog.settled()
        speaks = self._heard_until() > self._clock.time() and not self._fillers
        if self._call.resume() or speaks:
            return
        if self._call.blames_noise(last=self._not_heard == _NOT_HEARD_AT_MOST):
            self._not_heard += 1
        elif self._not_heard < _NOT_HEARD_AT_MOST:
            self._not_heard += 1
            self._call.say(*self._phrases.not_heard)
        else:
            self.give_up("stt: nothing that was said became text")
