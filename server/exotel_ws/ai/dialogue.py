"""The pipeline of one call. Only this module knows how pipecat is put together; `Events` hears what happens in it."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from openai import AsyncOpenAI
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EagerTranscriptionFrame,
    ErrorFrame,
    Frame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.turns.user_start import TranscriptionUserTurnStartStrategy, VADUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from exotel_ws.ai import context
from exotel_ws.ai.ahead import Ahead
from exotel_ws.ai.ear import HEARING_RATE
from exotel_ws.ai.embedded.models import TurnModel
from exotel_ws.ai.embedded.services import SharedTurnAnalyzer
from exotel_ws.ai.endings import Endings
from exotel_ws.ai.gate import Gate, Tap
from exotel_ws.ai.hearing.captions import uncaptioned
from exotel_ws.ai.hearing.detector import Hears
from exotel_ws.ai.hearing.frames import HushFrame
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.providers.keys import redact
from exotel_ws.ai.records.stopwatch import AtOnce, MonotonicClock, Stopwatch
from exotel_ws.ai.remarks import MeaningOf
from exotel_ws.ai.settings import AiLimits, Turns
from exotel_ws.ai.turn_end import TurnEnd

_USUAL: Final = AiLimits()
_USUAL_ENDINGS: Final = Endings(Turns())
MOST_ACTS: Final = 10
"""Most calls of tools for one turn of the caller. A model that is asked twice as often in one turn is given up."""
_ENOUGH: Final = {"error": "too many calls of tools: no more can be done until the caller speaks, answer with what you know"}
_SENTENCE_ENDS: Final = tuple(".!?…।")
_CLOSE_S: Final = 1.0
"""Seconds in which a connection to a provider has to close."""


Collected = Callable[[list[dict[str, Any]]], Awaitable[Mapping[str, str]]]
"""Return the values of slots that a caller gave in the messages of a dialogue."""


class Tool(Protocol):
    """A function that the language model may call. The model is given its result, and speaks; after None it does not."""

    name: str
    description: str
    properties: dict[str, Any]
    """JSON schema of each argument."""
    required: Sequence[str]
    """Names of the arguments that can't be left out."""
    ends: bool
    """True if the tool ends the call; such a tool is never refused."""

    async def __call__(self, arguments: dict[str, Any]) -> Any: ...


class Events(Protocol):
    """Events of a dialogue. No method but `may_answer` and `meant` waits."""

    def ready(self) -> None:
        """Note that the pipeline runs."""

    def user_started(self) -> None:
        """Note a voice. May be called again before `user_paused`."""

    def user_heard(self) -> None:
        """Note that some speech became text."""

    def user_hushed(self) -> None:
        """Note that the voice pauses for a moment; `user_started` follows if it goes on."""

    def user_seems(self, text: str) -> None:
        """Note what some speech was, or will be, if the pause in it that has just begun is its end; empty: no words."""

    def user_paused(self) -> None:
        """Note that the voice has stopped; the caller may go on."""

    def user_stopped(self, text: str) -> None:
        """Note the end of the caller's turn; ``text`` is all of it, and may be empty."""

    async def may_answer(self) -> None:
        """Wait while a turn that has ended may not be answered yet. What is said meanwhile becomes part of it."""

    def asks(self) -> bool:
        """Return True if the bot's last sentence asks for a yes or no."""

    def unheard(self) -> bool:
        """Return True if the caller went on before they could have understood anything of the answer to their last turn."""

    async def meant(self, said: Sequence[str], before: str) -> str:
        """Return what the bot is to answer of ``said``, one turn or several; empty if nothing.

        ``before`` is the turn before, to which nothing was answered, or empty: the caller has only gone on, and it is part of
        what is returned.
        """

    def may_ask_ahead(self) -> bool:
        """Return True if the model may be asked to answer the caller, who may go on. That counts as a request."""

    def asked_again(self) -> None:
        """Note another request to the model for the same turn, after a tool or a failure."""

    def asked_ahead(self, used: bool) -> None:
        """Note the end of such a request. ``used``: its answer is that to the caller's turn, whose own request it was."""

    def context_cut(self, characters: int) -> None:
        """Note that ``characters`` of the dialogue were left out of a request to the model."""

    def answered(self, characters: int) -> str | None:
        """Return None if ``characters`` more of an answer may be spoken, else the sentence to say instead of all the rest."""

    def said_by_us(self, characters: int) -> None:
        """Note a sentence sent to the voice that the model did not write."""

    def endless(self) -> None:
        """Note that the model calls tools again and again, and leaves the caller no turn."""

    def failed(self, stage: str, text: str) -> None:
        """Note an error that a service reports; ``stage`` is ``stt``, ``llm``, ``tts`` or ``pipeline``."""

    def used(self, tool: str, saying: str = "") -> None:
        """Note that the model called a tool which does not end the call. ``saying`` is heard if the model has said nothing."""

    def collected(self, slots: Mapping[str, str]) -> None:
        """Note the values that the caller has given to a scripted flow so far, by the names of its slots."""

    def tool_failed(self, tool: str, why: str) -> None:
        """Note that nothing came of a tool; ``why`` has nothing in it that the caller said."""

    def end(self, how: str, reason: str = "", summary: str = "") -> None:
        """End the stream as the model asks: ``hang_up`` or ``transfer``. What it says is heard before; else a goodbye is.

        ``reason`` and ``summary`` are the model's words for whoever reads of the call.
        """


class Talk(Protocol):
    """A dialogue as its call sees it. No method but `run` waits."""

    @property
    def in_words(self) -> bool:
        """Return True if the model has put its latest answer in words, not in tools alone."""

    async def run(self, events: Events) -> None:
        """Run until cancelled, and tell ``events``."""

    def hear(self, pcm: bytes) -> None:
        """Take a piece of the caller's voice, PCM16 little-endian mono at `HEARING_RATE`."""

    def say(self, text: str) -> None:
        """Speak ``text`` with the call's own voice, after what it is saying."""

    def interrupt(self) -> None:
        """Give up the answer that is being made, and all that is being said."""

    def told(self, text: str) -> None:
        """Answer ``text``, which the caller gave otherwise than by speaking."""


class Dialogue:
    """Answer speech with speech, for one call, from `run` until it is cancelled."""

    def __init__(
        self,
        *,
        stt: FrameProcessor,
        llm: FrameProcessor,
        tts: FrameProcessor,
        mouth: Mouth,
        hearing: Hears,
        turn_model: TurnModel,
        stopwatch: Stopwatch,
        greeting: str,
        tools: Sequence[Tool],
        events: Events,
        services: Sequence[FrameProcessor] = (),
        limits: AiLimits = _USUAL,
        endings: Endings = _USUAL_ENDINGS,
        meaning: MeaningOf | None = None,
        collected: Collected | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        """``services`` are all that were made for this call, used or not; their connections are closed at the end.

        ``greeting`` begins the context; it is not spoken. Empty: there is none. ``endings`` and ``meaning``: see
        `TurnEnd`. ``collected`` returns the slots that a flow has filled in the messages of a dialogue. Both are None where a
        model answers. ``ahead`` asks a model while a turn may still go on; None: none is asked.
        """
        schemas = [
            FunctionSchema(tool.name, tool.description, tool.properties, list(tool.required), handler=self._handler(tool))
            for tool in tools
        ]
        messages: list[Any] = [{"role": "assistant", "content": greeting}] if greeting else []
        self.context = LLMContext(messages, ToolsSchema(standard_tools=schemas))
        self.in_words = False
        """See `Talk.in_words`."""
        self._limits = limits
        self._collected = collected
        self._noting: asyncio.Task[None] | None = None
        """Task that notes what has been collected."""
        self._cut = False
        """True while the rest of the answer being generated is not to be spoken."""
        self._said = ""
        """Last piece of the answer that was spoken."""
        self._asked = self._acts = 0
        """Requests to the model, and calls of tools, since the caller's last turn."""
        self._last_asked: Any = None
        """Message that the model was last asked to answer."""
        self._told: Any = None
        """Latest message that was not spoken. `_last_told` is True if the model was last asked to answer such a one."""
        self._last_told = False
        self._events = events
        self._services = services or (stt, llm, tts)
        self._mouth = mouth
        self._hearing = hearing
        self._entry = stt
        """Entry of frames: in front of it are only processors of pipecat that pass them on."""
        self._gate = Gate(self._meant)
        self._waiting: asyncio.Queue[tuple[FrameProcessor, Frame] | bytes] = asyncio.Queue()
        """Frames, each with the processor that pushes it or `_entry`, which is given it; and audio of the caller."""
        self._ahead = ahead
        if ahead:
            ahead.may_ask, ahead.on_over = events.may_ask_ahead, events.asked_ahead
        ends = _turns(turn_model, endings, meaning, events.asks, self._seems_over)
        user, assistant = LLMContextAggregatorPair(self.context, user_params=ends)
        self._hushed = False
        """True while the caller's voice pauses."""
        self.worker = PipelineWorker(
            Pipeline([stt, Tap(self._heard), user, self._gate, llm, Tap(self._answered), tts, mouth, assistant]),
            params=PipelineParams(audio_in_sample_rate=HEARING_RATE, audio_out_sample_rate=24000),
            clock=MonotonicClock(),
            idle_timeout_secs=None,
            enable_rtvi=False,
            enable_turn_tracking=False,
            check_dangling_tasks=False,
        )
        self.worker._observer = AtOnce(stopwatch)
        self._stages = {id(stt): "stt", id(llm): "llm", id(tts): "tts"}
        self.started = asyncio.Event()
        user.add_event_handler("on_user_turn_started", self._user_started)
        user.add_event_handler("on_user_turn_stopped", self._user_stopped)
        self.worker.add_event_handler("on_pipeline_started", self._ready)
        self.worker.add_event_handler("on_pipeline_error", self._failed)

    async def run(self) -> None:
        """Run until cancelled; then release everything."""
        runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
        await runner.add_workers(self.worker)
        feeding = asyncio.create_task(self._feed())
        try:
            await runner.run()
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding
            self._give_up_ahead()
            await _close_clients(self._services)

    # See `Talk`

    def hear(self, pcm: bytes) -> None:
        """See `Talk.hear`."""
        self._waiting.put_nowait(pcm)

    def say(self, text: str) -> None:
        """See `Talk.say`."""
        self._mouth.expect()
        self._waiting.put_nowait((self._gate, TTSSpeakFrame(text)))

    def interrupt(self) -> None:
        """See `Talk.interrupt`."""
        self._waiting.put_nowait((self._gate, InterruptionFrame()))

    def told(self, text: str) -> None:
        """See `Talk.told`."""
        self._told = {"role": "user", "content": text}
        self._waiting.put_nowait((self._entry, LLMMessagesAppendFrame([self._told], run_llm=True)))

    # Within

    async def _feed(self) -> None:
        """Feed the pipeline from one task, so that an interruption behind the gate overtakes nothing."""
        await self.started.wait()
        while True:
            told = await self._waiting.get()
            if isinstance(told, bytes):
                for heard in self._hearing.take(told):
                    await self._entry.queue_frame(heard)
                await asyncio.sleep(0)  # what was held back and comes at once takes turns with other calls
                continue
            at, frame = told
            await (at.queue_frame(frame) if at is self._entry else at.push_frame(frame))

    async def _meant(self) -> bool:
        """Bring what was said since the model was last asked into one message. Return False if nothing is to be answered."""
        await self._events.may_answer()
        messages = self.context.messages
        new, joined = self._unasked(messages)
        if not new:
            return False  # it was answered together with what was said before it
        told = new[-1] is self._told
        text = await self._events.meant([_said(message) for message in new], "".join(map(_said, joined)))
        if not text:
            self.context.set_messages(context.replaced(self.context.messages, new, None))
            self._give_up_ahead()
            return False
        self._last_asked, self._last_told = {"role": "user", "content": text}, told
        self.context.set_messages(context.replaced(self.context.messages, [*joined, *new], self._last_asked))
        self._asked = self._acts = 0
        self._bound_context()
        return True

    def _unasked(self, messages: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return the caller's messages that are to be answered, and the one before if they only go on with it."""
        new, before = context.unasked(messages, self._last_asked)
        told = self._last_told or (bool(new) and new[-1] is self._told)
        return new, [before] if before is not None and not told and self._events.unheard() else []

    def _seems_over(self, text: str) -> None:
        """Ask the model for its answer to a turn whose text is ``text``, if it is over."""
        if self._ahead is None:
            return
        messages = [*self.context.messages, {"role": "user", "content": text}]
        new, joined = self._unasked(messages)
        asked = {"role": "user", "content": " ".join(map(_said, [*joined, *new]))}
        messages = context.replaced(messages, [*joined, *new], asked)
        bounded = context.bounded(messages, self._limits.context_characters, self._limits.turn_characters)
        self._ahead.ask(LLMContext(bounded, self.context.tools, self.context.tool_choice))

    def _give_up_ahead(self) -> None:
        if self._ahead:
            self._ahead.drop()

    def _bound_context(self) -> None:
        before = self.context.messages
        messages = context.bounded(before, self._limits.context_characters, self._limits.turn_characters)
        if messages is not before:
            if before[-1] is self._last_asked:
                self._last_asked = messages[-1]
            self.context.set_messages(messages)
            self._events.context_cut(context.size(before) - context.size(messages))

    def _hush(self, quiet: bool) -> None:
        """Note the beginning of a pause, or that the voice goes on, which may have been taken for a nod meanwhile."""
        self._hushed = quiet
        if quiet:
            self._events.user_hushed()
        else:
            self._events.user_started()

    def _heard(self, frame: Frame) -> None:
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._hushed = False
            self._give_up_ahead()
            self._events.user_started()
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._hushed = True
            self._events.user_paused()
        elif isinstance(frame, HushFrame):
            self._hush(frame.quiet)
        elif isinstance(frame, EagerTranscriptionFrame):
            frame.text = uncaptioned(_whole(frame.text))
            if self._hushed:
                self._events.user_seems(frame.text)
        elif isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            if isinstance(frame, TranscriptionFrame):
                self._hearing.recognised()
            frame.text = self._hearing.theirs(uncaptioned(_whole(frame.text)))
            if frame.text.strip():
                self._events.user_heard()
            if self._hushed and isinstance(frame, TranscriptionFrame):
                self._events.user_seems(frame.text)

    def _answered(self, frame: Frame) -> None:
        if isinstance(frame, LLMFullResponseStartFrame):
            self.in_words = False
            self._cut, self._said = False, ""
            self._mouth.answer_begins()
            self._asked += 1
            if self._collected is not None:
                self._noting = asyncio.create_task(self._note(self._collected))
            if self._asked > 1:
                self._events.asked_again()
            if self._asked > 2 * MOST_ACTS:
                self._events.endless()
        elif isinstance(frame, LLMTextFrame):
            frame.text = self._spoken(_whole(frame.text))
            self.in_words |= bool(frame.text.strip())
        elif isinstance(frame, LLMContextFrame):  # on its way up to the model, after a tool
            self._bound_context()
        elif isinstance(frame, TTSSpeakFrame):
            self._events.said_by_us(len(frame.text))
        elif isinstance(frame, FunctionCallInProgressFrame):
            frame.function_name = _whole(frame.function_name)
            frame.arguments = _whole_json(frame.arguments)
        elif isinstance(frame, FunctionCallResultFrame):
            frame.result = _whole_json(frame.result)

    async def _note(self, collected: Collected) -> None:
        messages: list[Any] = [message for message in self.context.messages if isinstance(message, dict)]
        self._events.collected(await collected(messages))

    def _spoken(self, text: str) -> str:
        """Return the part of a piece of an answer that goes to the voice."""
        if self._cut:
            return ""
        instead = self._events.answered(len(text))
        if instead is None:
            self._said = text.rstrip() or self._said
            return text
        self._cut = True
        stop = "." if self._said and not self._said.endswith(_SENTENCE_ENDS) else ""
        return f"{stop} {instead}"

    def _handler(self, tool: Tool) -> Callable[[FunctionCallParams], Any]:
        async def handle(params: FunctionCallParams) -> None:
            self._acts += 1
            told: Any = params.arguments  # whatever JSON the model wrote
            refused = self._acts > MOST_ACTS and not tool.ends
            result = _ENOUGH if refused else await tool(dict(told) if isinstance(told, Mapping) else {})
            again = FunctionCallResultProperties(run_llm=None if result is not None else False)
            await params.result_callback(result if result is not None else "done", properties=again)

        return handle

    async def _ready(self, *_: object) -> None:
        self.started.set()
        self._events.ready()

    async def _user_started(self, *_: object) -> None:
        self._events.user_started()

    async def _user_stopped(self, _aggregator: object, _strategy: object, message: Any) -> None:
        if self._ahead:
            self._ahead.turn_over()
        self._events.user_stopped(message.content or "")

    async def _failed(self, _worker: object, frame: ErrorFrame) -> None:
        self._events.failed(self._stages.get(id(frame.processor), "pipeline"), redact(frame.error))


def _said(message: Any) -> str:
    return str(message.get("content") or "")


def _whole(text: str) -> str:
    """Return ``text`` without lone surrogates: JSON may hold them, and every later request that carried one would fail."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")


def _whole_json(value: Any) -> Any:
    return json.loads(_whole(json.dumps(value, ensure_ascii=False)))


async def _close_clients(services: Sequence[FrameProcessor]) -> None:
    """Close the connections of OpenAI clients, which pipecat leaves open when their service ends."""
    for service in services:
        client = vars(service).get("_client")
        if isinstance(client, AsyncOpenAI):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close(), _CLOSE_S)


def _turns(
    turn_model: TurnModel,
    endings: Endings,
    meaning: MeaningOf | None,
    asks: Callable[[], bool],
    seems_over: Callable[[str], None],
) -> LLMUserAggregatorParams:
    """Return when a caller's turn begins and ends. pipecat interrupts nothing by itself: that is decided by `Events`."""
    end = TurnEnd(endings, SharedTurnAnalyzer(turn_model), meaning, asks, seems_over)
    return LLMUserAggregatorParams(
        user_turn_strategies=UserTurnStrategies(
            start=[
                VADUserTurnStartStrategy(enable_interruptions=False),
                TranscriptionUserTurnStartStrategy(enable_interruptions=False),
            ],
            stop=[end],
        ),
        empty_user_turn=None,
    )
