"""One stage of a call with its services in failover order: if one fails, the next does what it left undone.

pipecat's own switcher starts every service with the call and waits for all of them. Here a service is set up when it is needed,
only its own work waits for it, late output of a service that was left is dropped, and a call waits no longer than `CLOSE_S` for
a service that hangs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    StartFrame,
    SystemFrame,
)
from pipecat.pipeline.pipeline import Pipeline, PipelineSink, PipelineSource
from pipecat.processors.frame_processor import FrameCallback, FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.services.stt_service import STTService

from exotel_ws.ai.failure.watchdog import Progress
from exotel_ws.ai.failure.work import SEEN, Fault, Given, Listening, Work, unseen
from exotel_ws.ai.providers.keys import redact

CLOSE_S: Final = 1.0
"""Seconds for which a call waits for a service to close; closing goes on without the call for at most `_LEFT_S`."""
_LEFT_S: Final = 30.0
_EVER: Final = -1
"""Id that no frame has."""
_ENDING: Final[set[asyncio.Task[None]]] = set()
"""Tasks that are closing a service; the loop keeps only weak references."""
_AGAIN_AFTER_S: Final = 0.3
"""Seconds until a service that failed is tried again, if there is no other."""

_UP: Final = FrameDirection.UPSTREAM
_DOWN: Final = FrameDirection.DOWNSTREAM


class Told(Protocol):
    """Listener to the progress of the stages."""

    def progress(self, stage: str, progress: Progress) -> None:
        """Note the progress of a stage, after each frame that mattered."""

    def again(self, stage: str) -> None:
        """Note that a service begins again with the same request."""

    def worked(self, stage: str, service: str) -> None:
        """Note the first success of a service in this call."""

    def failed(self, stage: str, service: str, reason: str, *, left: bool) -> None:
        """Note a failure; ``left`` is True if the call does not use the service any more."""

    def switched(self, stage: str, to: str) -> None:
        """Note that the service ``to`` does the stage's work from now on."""

    def exhausted(self, stage: str) -> None:
        """Note that no service is left for the request."""


class Failover(FrameProcessor):
    """Stage of a pipeline that switches between services; see the module. A service is used until it fails, and never again."""

    def __init__(
        self, stage: str, services: Sequence[tuple[str, FrameProcessor]], work: Work, told: Told, *, ready_s: float
    ) -> None:
        """``services``, each with its name, are tried in this order. Each has ``ready_s`` seconds to be set up."""
        super().__init__(name=f"Failover::{stage}", enable_direct_mode=True)
        self.stage = stage
        self._left = list(services)
        for _, service in services:
            if isinstance(service, STTService):
                service._audio_passthrough = False  # `queue_frame` has passed it on
        self._work = work
        self._told = told
        self._ready_s = ready_s
        self._params: FrameProcessorSetup | None = None
        self._begun: StartFrame | None = None
        self._branch: _Branch | None = None
        self._again: asyncio.TimerHandle | None = None
        self._tried_again = False
        self._worked = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> str:
        """Return the name of the service in use; empty if none is left."""
        return self._branch.name if self._branch else ""

    @property
    def service(self) -> FrameProcessor | None:
        """Return the service in use; None if none is left."""
        return self._branch.service if self._branch else None

    @property
    def spare(self) -> bool:
        """Return True if there is another service to switch to."""
        return bool(self._left)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]  # as all of pipecat's do
        await super().setup(setup)
        self._params = setup
        self._open()

    async def cleanup(self) -> None:
        await super().cleanup()  # type: ignore[no-untyped-call]
        self._close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)

    async def queue_frame(self, frame: Frame, direction: FrameDirection = _DOWN, callback: FrameCallback | None = None) -> None:
        """Pass the caller's audio, most of all frames, by what pipecat does with each: for it there is nothing to do."""
        if isinstance(frame, InputAudioRawFrame) and self.next is not None:
            await self._note(frame, direction)
            await self.next.queue_frame(frame, direction)
        else:
            await super().queue_frame(frame, direction, callback)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._begun = frame
            if self._branch:
                self._soon(self._branch.start(frame))
            await self.push_frame(frame, direction)
        elif isinstance(frame, ErrorFrame):
            await self.push_frame(frame, direction)
        elif isinstance(frame, SystemFrame | EndFrame):
            await self._pass_on(frame, direction)
        elif self._work.wants(frame, direction):
            await self._give(frame, direction)
        else:
            await self.push_frame(frame, direction)

    async def switch(self, reason: str) -> str | None:
        """Switch to the next service, which does what the one in use left undone. Return its name; None if there is none."""
        failed = self._branch
        if failed:
            self._told.failed(self.stage, failed.name, reason, left=self.spare)
        if not self.spare:
            return None
        await self._advance()
        return self.active

    def missed(self) -> None:
        """Stop waiting for the text of this utterance."""
        if isinstance(self._work, Listening):
            self._work.missed()
            self._told.progress(self.stage, self._work.progress)

    async def _advance(self) -> None:
        ended = self._work.unfinished()
        self._close()
        self._open()
        self._tried_again = self._worked = False
        self._told.switched(self.stage, self.active)
        for frame in ended:
            await self.push_frame(frame)
        await self._redo()

    async def _pass_on(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass a frame for the whole pipeline on at once, so that a service that hangs does not keep it back."""
        await self._note(frame, direction)
        await self.push_frame(frame, direction)

    async def _note(self, frame: Frame, direction: FrameDirection) -> None:
        """Give the service a frame that passes without waiting for it."""
        self._work.given(frame, direction)
        if self._branch:
            if isinstance(frame, InterruptionFrame):
                self._branch.muted_until = frame.id
                self._forget_again()
            frame.metadata.setdefault(SEEN, set()).add(self.stage)
            await self._branch.give(frame, direction)
            if isinstance(frame, CancelFrame):
                self._close()
        elif self._work.progress is Progress.WAITING:
            self._told.exhausted(self.stage)
        self._tell()

    async def _give(self, frame: Frame, direction: FrameDirection) -> None:
        self._work.given(frame, direction)
        self._tell()
        if self._branch:
            await self._branch.give(frame, direction)
        elif self._work.busy:
            self._told.exhausted(self.stage)

    def _tell(self) -> None:
        self._told.progress(self.stage, self._work.progress)

    async def _came(self, branch: "_Branch", frame: Frame, direction: FrameDirection) -> None:
        """Take a frame from a service, in either direction."""
        seen = frame.metadata.get(SEEN, ())
        if branch is not self._branch or isinstance(frame, StartFrame):
            return
        if isinstance(frame, ErrorFrame):
            await self._failed(branch, redact(frame.error))
        elif branch.muted_until:
            if frame.id == branch.muted_until:
                branch.muted_until = 0
            elif not frame.interruptible or isinstance(frame, SystemFrame):
                await self._on(frame, direction, seen)
        elif direction is _UP:
            await self._on(frame, direction, seen)
        else:
            await self._take(branch, frame, seen)

    async def _take(self, branch: "_Branch", frame: Frame, seen: Any) -> None:
        before = self._work.progress
        try:
            frames = self._work.came(frame)
        except Fault as fault:
            await self._failed(branch, str(fault))
            return
        if before is not Progress.IDLE or self._work.progress is not Progress.IDLE:
            self._tell()
            self._note_success()
        for each in frames:
            await self._on(each, _DOWN, seen)

    async def _on(self, frame: Frame, direction: FrameDirection, seen: Any) -> None:
        if not (self.stage in seen or "*" in seen or isinstance(frame, InputAudioRawFrame)):
            await self.push_frame(frame, direction)

    def _note_success(self) -> None:
        if not self._work.busy:
            self._tried_again = False
        if self._work.progress is not Progress.WAITING and not self._worked:
            self._worked = True
            self._told.worked(self.stage, self.active)

    async def _failed(self, branch: "_Branch", reason: str) -> None:
        """Act on an error that a service reports. Keep a service that has nothing to do and can go on.

        A task of the failed service runs this. Nothing in it waits, so it is done before that task is cancelled.
        """
        at_work = self._work.busy
        usable = branch.service.is_usable
        if not at_work and usable:
            self._told.failed(self.stage, branch.name, reason, left=False)
            return
        self._told.failed(self.stage, branch.name, reason, left=True)
        if self._left:
            await self._advance()
        elif usable and not self._tried_again:
            self._try_again(branch)
        else:
            self._close()
            if at_work:
                self._told.exhausted(self.stage)

    def _try_again(self, branch: "_Branch") -> None:
        if self._again is None:
            self._tried_again = True
            branch.muted_until = _EVER
            self._again = asyncio.get_running_loop().call_later(_AGAIN_AFTER_S, lambda: self._soon(self._ask_again(branch)))

    async def _ask_again(self, branch: "_Branch") -> None:
        """Ask the same service again; drop what it still says to the first attempt."""
        self._again = None
        if branch is not self._branch:
            return
        for frame in self._work.unfinished():
            await self.push_frame(frame)
        interruption = unseen(InterruptionFrame())
        branch.muted_until = interruption.id
        await branch.give(interruption, _DOWN)
        await self._redo()

    async def _redo(self) -> None:
        """Give the service all that is not done. Report progress only afterwards: meanwhile all of it is still owed."""
        asked: list[Given] = self._work.unanswered()
        for frame, direction in asked:
            if not isinstance(frame, SystemFrame):
                self._work.given(frame, direction)
            if self._branch:
                await self._branch.give(frame, direction)
        self._told.again(self.stage)

    def _open(self) -> None:
        if not self._left or self._params is None:
            return
        name, service = self._left.pop(0)
        branch = _Branch(name, service, self._came)
        self._branch = branch
        self._soon(self._begin(branch, self._params))

    async def _begin(self, branch: "_Branch", setup: FrameProcessorSetup) -> None:
        done = await branch.setup(setup, self._ready_s)
        if not done:
            await self._failed_to_begin(branch)
        elif self._begun and branch is self._branch:
            await branch.start(self._begun)

    async def _failed_to_begin(self, branch: "_Branch") -> None:
        if branch is self._branch:
            await branch.service.set_usable(False)
            await self._failed(branch, f"not ready within {self._ready_s:g} s")

    def _close(self) -> None:
        branch, self._branch = self._branch, None
        self._forget_again()
        if branch:
            self._soon(branch.close())

    def _forget_again(self) -> None:
        if self._again:
            self._again.cancel()
            self._again = None

    def _soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task of asyncio, not of pipecat: it ends by itself, and a switch runs within tasks of the service it leaves."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Branch:
    """One service, with its output caught in both directions. Set it up, start it and close it once each."""

    def __init__(
        self,
        name: str,
        service: FrameProcessor,
        came: Callable[["_Branch", Frame, FrameDirection], Coroutine[Any, Any, None]],
    ) -> None:
        async def out(frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, CancelFrame):
                self._ended.set()
            await came(self, frame, direction)

        self.name = name
        self.service = service
        self.muted_until = 0
        """Id of an interruption; output is dropped until it has passed through the service. 0: nothing is dropped."""
        self._pipeline = Pipeline([service], source=PipelineSource(out), sink=PipelineSink(out))
        self._setup: asyncio.Task[None] | None = None
        self._started = False
        self._ended = asyncio.Event()

    async def setup(self, setup: FrameProcessorSetup, ready_s: float) -> bool:
        self._setup = asyncio.get_running_loop().create_task(self._pipeline.setup(setup))
        done, _ = await asyncio.wait({self._setup}, timeout=ready_s)
        return bool(done)

    async def start(self, frame: StartFrame) -> None:
        if not self._started and self._setup and self._setup.done():
            self._started = True
            await self._pipeline.queue_frame(frame)

    async def give(self, frame: Frame, direction: FrameDirection) -> None:
        await self.service.queue_frame(frame, direction)

    async def close(self) -> None:
        ending = asyncio.get_running_loop().create_task(self._end())
        _ENDING.add(ending)
        ending.add_done_callback(_ENDING.discard)
        await asyncio.wait({ending}, timeout=CLOSE_S)

    async def _end(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEFT_S):
                await self._let_go()

    async def _let_go(self) -> None:
        if self._setup and not self._setup.done():
            self._setup.cancel()
            await asyncio.wait({self._setup})
        if self._started:
            await self._pipeline.queue_frame(CancelFrame())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), CLOSE_S / 2)
        await self._pipeline.cleanup()  # type: ignore[no-untyped-call]
