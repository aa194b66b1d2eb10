"""Between what the caller said and the language model: whether it was meant for us."""

from collections.abc import Awaitable, Callable

from pipecat.frames.frames import Frame, InterruptionFrame, LLMContextFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor


class Gate(FrameProcessor):
    """Asks ``meant`` for each user turn: True lets it go on to the model, after the end of what the bot was saying."""

    def __init__(self, meant: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._meant = meant

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame) and direction is FrameDirection.DOWNSTREAM:
            if not await self._meant():
                return
            await self.push_frame(InterruptionFrame())
        await self.push_frame(frame, direction)
