"""One stage of a call, and the services that can do it: where one fails, the next does what it left undone.

Not pipecat's own switcher, which starts every service with the call, and waits for all of them: here a service is set up when
it is needed, nothing but its own work waits for it, what comes late from one that was left is not heard, and one that hangs is
let go of within `CLOSE_S`.
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
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup

from exotel_ws.ai.failure.watchdog import Progress
from exotel_ws.ai.failure.work import SEEN, Fault, Given, Listening, Work, unseen
from exotel_ws.ai.providers.keys import redact

CLOSE_S: Final = 1.0
"""How long a call waits for a service to end; then that goes on without it, for `_LEFT_S` at most."""
_LEFT_S: Final = 30.0
_EVER: Final = -1
"""No frame has this id."""
_ENDING: Final[set[asyncio.Task[None]]] = set()
"""What is being let go of; a loop holds its tasks by no more than a thread."""
_AGAIN_AFTER_S: Final = 0.3
"""Where there is no other service: what failed once may go well now."""

_UP: Final = FrameDirection.UPSTREAM
_DOWN: Final = FrameDirection.DOWNSTREAM


class Told(Protocol):
    """Who is told how a stage gets on."""

    def progress(self, stage: str, progress: Progress) -> None:
        """After each frame that mattered."""

    def again(self, stage: str) -> None:
        """What was asked for is being done anew."""

    def worked(self, stage: str, service: str) -> None:
        """A service gave what it was asked for, for the first time in this call."""

    def failed(self, stage: str, service: str, reason: str, *, left: bool) -> None:
        """A service failed; ``left``: so that the call is done with it."""

    def switched(self, stage: str, to: str) -> None: ...
    def exhausted(self, stage: str) -> None:
        """No service can do what was asked for."""


class Failover(FrameProcessor):
    """See the module. ``services`` in the order in which they are tried; each is used until it fails, and never again."""

    def __init__(
        self, stage: str, services: Sequence[tuple[str, FrameProcessor]], work: Work, told: Told, *, ready_s: float
    ) -> None:
        """``ready_s``: how long a service may take to be set up."""
        super().__init__(name=f"Failover::{stage}", enable_direct_mode=True)
        self.stage = stage
        self._left = list(services)
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
        """The service that is in use; empty where none is left."""
        return self._branch.name if self._branch else ""

    @property
    def spare(self) -> bool:
        """Whether there is another service to switch to."""
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
        """Leave the service that is in use, and have the next do what it left undone. None: there is none."""
        failed = self._branch
        if failed:
            self._told.failed(self.stage, failed.name, reason, left=self.spare)
        if not self.spare:
            return None
        await self._advance()
        return self.active

    def missed(self) -> None:
        """What the service hears of this utterance is not waited for any longer."""
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
        """What the whole pipeline has to know is not kept back by a service that hangs."""
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
        await self.push_frame(frame, direction)

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
        """A frame from a service, in either direction."""
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
        """A service reports an error. One that has nothing to do and can go on is left in its place.

        This is run by a task of the service that is left, and nothing in it waits: so it is done before that task is cancelled.
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
            self._again = asyncio.get_running_loop().call_later(_AGAIN_AFTER_S, lambda: self._soon(self._anew(branch)))

    async def _anew(self, branch: "_Branch") -> None:
        """The same service once more; what it was about to say of the first attempt is not heard."""
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
        """All of it is still owed meanwhile: nobody is told before it is given."""
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
        """Not a task of pipecat's: these end by themselves, and a switch is made from within tasks of the service it leaves."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Branch:
    """One service with its ends caught. It is set up once, started once and closed once."""

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
        """Until the interruption with this id has gone through it, what comes out is of before; 0: nothing is muted."""
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
        await self._pipeline.queue_frame(frame, direction)

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
