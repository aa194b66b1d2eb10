"""One call's pipeline: the only place that knows how pipecat is put together. What happens in it is told to `Events`."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import ErrorFrame, InputAudioRawFrame, LLMMessagesAppendFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.turns.user_start import TranscriptionUserTurnStartStrategy, VADUserTurnStartStrategy
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from exotel_ws.ai.embedded.models import TurnModel
from exotel_ws.ai.embedded.services import SharedTurnAnalyzer
from exotel_ws.ai.gate import Gate
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.stopwatch import MonotonicClock, Stopwatch

HEARING_RATE: Final = 16000
_UNSURE_S: Final = 1.0
"""Silence after which a turn ends though the turn model is not sure; its own default is 3 s."""


class Tool(Protocol):
    """A function that the language model may call."""

    name: str
    description: str
    properties: dict[str, Any]

    async def __call__(self, arguments: dict[str, Any]) -> Any: ...


class Events(Protocol):
    """What a dialogue tells of."""

    def user_started(self) -> None: ...
    def user_stopped(self, text: str) -> None: ...
    async def meant(self) -> bool:
        """Whether what was just said is for the bot to answer."""

    def failed(self, stage: str, text: str) -> None: ...


class Dialogue:
    """Speech in, speech out, for one call. `run` until `end`."""

    def __init__(
        self,
        *,
        stt: FrameProcessor,
        llm: FrameProcessor,
        tts: FrameProcessor,
        mouth: Mouth,
        turn_model: TurnModel,
        stopwatch: Stopwatch,
        greeting: str,
        tools: Sequence[Tool],
        events: Events,
    ) -> None:
        schemas = [FunctionSchema(tool.name, tool.description, tool.properties, [], handler=_handler(tool)) for tool in tools]
        messages: list[Any] = [{"role": "assistant", "content": greeting}] if greeting else []
        self.context = LLMContext(messages, ToolsSchema(standard_tools=schemas))
        self._events = events
        user, assistant = LLMContextAggregatorPair(
            self.context,
            user_params=LLMUserAggregatorParams(
                user_turn_strategies=UserTurnStrategies(
                    start=[
                        VADUserTurnStartStrategy(enable_interruptions=False),
                        TranscriptionUserTurnStartStrategy(enable_interruptions=False),
                    ],
                    stop=[TurnAnalyzerUserTurnStopStrategy(turn_analyzer=SharedTurnAnalyzer(turn_model, stop_secs=_UNSURE_S))],
                ),
                vad_analyzer=SileroVADAnalyzer(params=VADParams(start_secs=0.2, stop_secs=0.2, min_volume=0.1)),
                empty_user_turn=None,
            ),
        )
        self.worker = PipelineWorker(
            Pipeline([stt, user, Gate(events.meant), llm, tts, mouth, assistant]),
            params=PipelineParams(audio_in_sample_rate=HEARING_RATE, audio_out_sample_rate=24000, enable_metrics=True),
            observers=[stopwatch],
            clock=MonotonicClock(),
            idle_timeout_secs=None,
            enable_rtvi=False,
            enable_turn_tracking=False,
            check_dangling_tasks=False,
        )
        self._stages = {id(stt): "stt", id(llm): "llm", id(tts): "tts"}
        user.add_event_handler("on_user_turn_started", self._user_started)
        user.add_event_handler("on_user_turn_stopped", self._user_stopped)
        self.worker.add_event_handler("on_pipeline_error", self._failed)

    async def run(self) -> None:
        """Until the end of the call; cancelled, it lets go of everything."""
        runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
        await runner.add_workers(self.worker)
        await runner.run()

    async def end(self) -> None:
        """Stop at once."""
        await self.worker.cancel()

    async def hear(self, pcm: bytes) -> None:
        """The caller's voice, PCM16 little-endian mono at `HEARING_RATE`."""
        await self.worker.queue_frame(InputAudioRawFrame(pcm, HEARING_RATE, 1))

    async def say(self, text: str) -> None:
        """Speak ``text`` with the call's own voice."""
        await self.worker.queue_frame(TTSSpeakFrame(text))

    async def told(self, text: str) -> None:
        """Something the caller told us otherwise than by speaking: answer it."""
        await self.worker.queue_frame(LLMMessagesAppendFrame([{"role": "user", "content": text}], run_llm=True))

    def forget_last_user_message(self) -> None:
        messages = self.context.messages
        if messages and isinstance(messages[-1], dict) and messages[-1].get("role") == "user":
            self.context.set_messages(messages[:-1])

    async def _user_started(self, *_: object) -> None:
        self._events.user_started()

    async def _user_stopped(self, _aggregator: object, _strategy: object, message: Any) -> None:
        self._events.user_stopped(message.content or "")

    async def _failed(self, _worker: object, frame: ErrorFrame) -> None:
        self._events.failed(self._stages.get(id(frame.processor), "pipeline"), frame.error)


def _handler(tool: Tool) -> Callable[[FunctionCallParams], Any]:
    async def handle(params: FunctionCallParams) -> None:
        from pipecat.frames.frames import FunctionCallResultProperties

        result = await tool(dict(params.arguments))
        again = FunctionCallResultProperties(run_llm=None if result is not None else False)
        await params.result_callback(result if result is not None else "done", properties=again)

    return handle
