"""Processors between the services of a pipeline: one lets frames through or not, one looks at them."""

from collections.abc import Awaitable, Callable

from pipecat.frames.frames import Frame, InputAudioRawFrame, InterruptionFrame, LLMContextFrame
from pipecat.processors.frame_processor import FrameCallback, FrameDirection, FrameProcessor


class Gate(FrameProcessor):
    """Let a user turn pass to the model if ``meant`` returns True; interrupt the bot before.

    Stop the caller's audio here: no processor behind needs it, and passing it on would cost most of a call's CPU.
    """

    def __init__(self, meant: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._meant = meant

    async def queue_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM, callback: FrameCallback | None = None
    ) -> None:
        if not isinstance(frame, InputAudioRawFrame):
            await super().queue_frame(frame, direction, callback)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame) and direction is FrameDirection.DOWNSTREAM:
            if not await self._meant():
                return
            await self.push_frame(InterruptionFrame())
        await self.push_frame(frame, direction)


class Tap(FrameProcessor):
    """Call ``seen`` with each frame but the caller's audio, before the frame is passed on."""

    def __init__(self, seen: Callable[[Frame], None]) -> None:
        super().__init__(enable_direct_mode=True)
        self._seen = seen

    async def queue_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM, callback: FrameCallback | None = None
    ) -> None:
        if isinstance(frame, InputAudioRawFrame) and self.next is not None:
            await self.next.queue_frame(frame, direction)
        else:
            await super().queue_frame(frame, direction, callback)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self._seen(frame)
        await self.push_frame(frame, direction)
