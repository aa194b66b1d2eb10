"""AI mode: what the calls of a worker share."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipecat.services.openai.llm import OpenAILLMService

from exotel_ws.ai import flow as flows
from exotel_ws.ai.conversation import Conversation
from exotel_ws.ai.dialogue import Dialogue
from exotel_ws.ai.embedded.models import Recogniser, Speaker, TurnModel, example_flow
from exotel_ws.ai.embedded.scripted import MODEL, Endpoint
from exotel_ws.ai.embedded.services import EmbeddedSTT, EmbeddedTTS
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.shelf import Shelf
from exotel_ws.ai.story import Story
from exotel_ws.ai.tally import AiTally
from exotel_ws.protocol import SAMPLE_RATES, Start, Writer
from exotel_ws.responder import Line
from exotel_ws.settings import Settings

log = logging.getLogger("exotel_ws.ai")


_PROMPT = "You are a polite telephone agent."


class EndCall:
    """The tools ``hang_up`` and ``transfer``."""

    properties: dict[str, Any] = {}

    def __init__(self, name: str, description: str, conversation: Conversation) -> None:
        self.name, self.description, self._conversation = name, description, conversation

    async def __call__(self, arguments: dict[str, Any]) -> None:
        self._conversation.end(self.name)


class AiMode:
    """See `exotel_ws.responder.Mode`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.ai
        self._flow = flows.load(example_flow())
        self._endpoint = Endpoint(self._flow)
        self._calls: set[Conversation] = set()
        self.tally = AiTally()
        record = settings.ai.record
        self._shelf = Shelf(record) if record.transcripts or record.audio else None
        self._executor = ThreadPoolExecutor(1, "stt")
        self._voice_executor = ThreadPoolExecutor(1, "tts")
        self._greetings: dict[int, bytes] = {}

    async def open(self) -> None:
        if self._shelf:
            self._shelf.open()
        await self._endpoint.open()
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        self._recogniser, self._speaker, self._turn_model = Recogniser(), Speaker(), TurnModel()
        for rate in SAMPLE_RATES:
            self._greetings[rate] = self._speaker.speak(self._flow.greeting, rate)
        self._recogniser.recognise(self._speaker.speak("Hello.", 16000))

    async def close(self) -> None:
        for call in list(self._calls):
            call.stopped()
        await self._endpoint.close()
        if self._shelf:
            await asyncio.to_thread(self._shelf.close)

    def full(self) -> str:
        most = self._settings.max_calls
        return f"{len(self._calls)} live calls, ai.max_calls = {most}" if len(self._calls) >= most else ""

    def respond(self, start: Start, writer: Writer, line: Line, *, sample_rate: int) -> Conversation:
        story = Story(
            self._settings,
            start,
            conn_id=line.log.conn_id,
            sample_rate=sample_rate,
            tally=self.tally,
            log=line.log,
            clock=asyncio.get_running_loop().time,
            shelf=self._shelf,
        )
        call = Conversation(
            self._settings,
            line,
            writer,
            start,
            sample_rate,
            self._build,
            self._greetings[sample_rate],
            self._flow.greeting,
            self._calls.discard,
            story,
        )
        self._calls.add(call)
        return call

    def _build(self, call: Conversation, mouth: Mouth) -> Dialogue:
        return Dialogue(
            stt=EmbeddedSTT(self._recogniser, self._executor),
            llm=OpenAILLMService(
                api_key="none",
                base_url=self._endpoint.url,
                settings=OpenAILLMService.Settings(model=MODEL, system_instruction=_PROMPT),
            ),
            tts=EmbeddedTTS(self._speaker, self._voice_executor),
            mouth=mouth,
            stopwatch=call.stopwatch,
            turn_model=self._turn_model,
            greeting=self._flow.greeting,
            tools=[
                EndCall("hang_up", "End the call, after the goodbye was said.", call),
                EndCall("transfer", "Hand the caller to a human agent.", call),
            ],
            events=call,
        )
