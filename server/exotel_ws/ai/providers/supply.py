"""Make the services of each stage for each call, in failover order, as the settings ask for them."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService

from exotel_ws.ai import text_file
from exotel_ws.ai.embedded.models import Models
from exotel_ws.ai.embedded.services import EmbeddedSTT, EmbeddedTTS
from exotel_ws.ai.embedded.topic import Topic
from exotel_ws.ai.ended import address as ended
from exotel_ws.ai.first_clause import begin_with_a_clause
from exotel_ws.ai.providers import catalogue, compression, keys, own_tools, start_url, webhook
from exotel_ws.ai.providers.catalogue import STAGES
from exotel_ws.ai.providers.plan import EMBEDDED, Plan, Planned, as_language, plan
from exotel_ws.ai.providers.tls import share_context
from exotel_ws.ai.scripted.endpoint import MODEL
from exotel_ws.ai.sentences import is_english
from exotel_ws.ai.sentences import problems as texts
from exotel_ws.ai.settings import Ai
from exotel_ws.logs import printable
from exotel_ws.settings import SettingsError

_PROMPT: Final = (
    "You speak on a telephone call: inbound means that they called you, outbound that you called them. This call is {direction}. "
    "Everything you write is spoken: use short, plain sentences, without lists, symbols or links. "
    "When the caller is done, say goodbye and call hang_up."
)


class Named(NamedTuple):
    """A service of one call, and its name in the settings."""

    name: str
    service: FrameProcessor


class Supply:
    """Make services for the calls of a worker."""

    def __init__(
        self,
        settings: Ai,
        models: Models,
        scripted_url: str,
        scripted_key: str = "none",
        scripted_model: str = MODEL,
        topic: Topic | None = None,
    ) -> None:
        """Check the settings; ``scripted_url`` is the scripted flows' address, which asks for ``scripted_key``.

        ``scripted_model`` is the name of this bot's flow there. ``topic`` is what the bot understands; None if only a language
        model knows.

        Raises `SettingsError` with every problem at once.
        """
        share_context()
        compression.leave_out()
        self._settings = settings
        self._models = models
        self._scripted_url, self._scripted_key, self._scripted_model = scripted_url, scripted_key, scripted_model
        self._topic = topic
        self._plan = _checked(settings, read_keys=True)
        self._prompt = _prompt(settings)
        self._session: aiohttp.ClientSession | None = None

    @property
    def languages(self) -> dict[str, None]:
        """Return the languages that calls may ask for, in the settings' spelling: configured ones and ``ai.languages``."""
        return self._configured("language", self._settings.language, self._settings.languages)

    def speaks(self, language: str) -> bool:
        """Return False for a language in which a call's first recogniser or first voice, an embedded one, knows no word."""
        return is_english(language) or None not in (self._plan.services["stt"][0], self._plan.services["tts"][0])

    @property
    def voices(self) -> dict[str, None]:
        """Return the voices that calls may ask for: configured ones and ``ai.voices``."""
        return self._configured("voice", self._settings.voice, self._settings.voices)

    def _configured(self, name: str, usual: str, more: list[str]) -> dict[str, None]:
        tables = [one.settings.get(name) for stage in STAGES for one in self._plan.services[stage] if one]
        return dict.fromkeys(str(value) for value in (usual, *tables, *more) if value)

    def stt(self, language: str = "") -> list[Named]:
        """Make the recognisers. ``language`` is the one the call asks for; empty or ``ai.language``: each service's own."""
        return [
            Named(EMBEDDED, EmbeddedSTT(self._models.recognition, self._topic))
            if one is None
            else self._make(one, language=self._language(one, language))
            for one in self._plan.services["stt"]
        ]

    def llm(self, language: str = "", filled: Callable[[str], str] = str) -> list[Named]:
        """Make the language models; see `stt`. ``filled`` puts the call's values into the system prompt."""
        return [
            Named(EMBEDDED, self._scripted(language))
            if one is None
            else self._make(one, language=self._language(one, language), system_instruction=filled(self._prompt))
            for one in self._plan.services["llm"]
        ]

    def tts(self, language: str = "", voice: str = "") -> list[Named]:
        """Make the voices; see `stt`. ``voice`` is for the first service alone: another provider has no such voice."""
        made = [
            Named(EMBEDDED, EmbeddedTTS(self._models.speaker, self._models.tts_executor))
            if one is None
            else self._make(one, language=self._language(one, language), voice="" if place else self._voice(one, voice))
            for place, one in enumerate(self._plan.services["tts"])
        ]
        for named in made:
            begin_with_a_clause(named.service)
        return made

    async def close(self) -> None:
        """Close the connections that the calls share."""
        if self._session:
            await self._session.close()

    def _make(self, planned: Planned, **told: Any) -> Named:
        if planned.wants_session and self._session is None:
            self._session = aiohttp.ClientSession()
        return Named(planned.name, planned.make(self._session, **told))

    def _scripted(self, language: str) -> OpenAILLMService:
        model = f"{self._scripted_model}:{language or self._settings.language}"
        settings = OpenAILLMService.Settings(model=model, system_instruction=self._prompt)
        return OpenAILLMService(api_key=self._scripted_key, base_url=self._scripted_url, settings=settings)

    def _language(self, planned: Planned, asked: str) -> Any:
        if asked in ("", self._settings.language):
            return planned.settings.get("language") or as_language(self._settings.language)
        return as_language(asked)

    def _voice(self, planned: Planned, asked: str) -> str:
        if asked in ("", self._settings.voice):
            return planned.settings.get("voice") or self._settings.voice
        return asked


def check(settings: Ai, *, read_keys: bool = True) -> list[str]:
    """Find what would stop `Supply`, without loading a model. Raises `SettingsError`.

    Return the credentials that were not looked for: without ``read_keys``, all that are named without a directory.
    """
    checked = _checked(settings, read_keys=read_keys)
    _prompt(settings)
    return [
        *checked.unread,
        *start_url.problems(settings, read_keys=read_keys)[1],
        *own_tools.plan(settings, read_keys=read_keys).unread,
    ]


def _checked(settings: Ai, *, read_keys: bool) -> Plan:
    keys.forget_environment({name.partition(".")[0] for stage in STAGES for name in catalogue.names(stage)})
    made = plan(settings, read_keys=read_keys)
    theirs = [
        *texts(settings),
        *webhook.problems(settings, read_keys=read_keys),
        *start_url.problems(settings, read_keys=read_keys)[0],
        *ended.problems(settings, read_keys=read_keys),
        *own_tools.plan(settings, read_keys=read_keys, warn=True).problems,
    ]
    problems = [*theirs, *(made.problems or _tried(made))]
    if problems:
        raise SettingsError(problems)
    return made


def _tried(made: Plan) -> list[str]:
    """Make each service once and throw it away, to find before the first call what a constructor refuses. Return problems.

    Only services that are reached over the network are made: others load a model. This runs in a thread, since they need a loop.
    """
    problems: list[str] = []

    async def each() -> None:
        async with aiohttp.ClientSession() as session:
            for planned in (one for stage in STAGES for one in made.services[stage] if one and one.remote and one.complete):
                try:
                    planned.make(session)
                except Exception as error:
                    said = keys.redact(str(error)) or type(error).__name__
                    problems.append(f"ai.services.{planned.name}: {planned.service.__name__} can't be made: {said}")

    thread = threading.Thread(target=lambda: asyncio.run(each()))
    thread.start()
    thread.join()
    return problems


def _prompt(settings: Ai) -> str:
    if not settings.prompt:
        return _PROMPT
    try:
        return text_file.read(Path(settings.prompt)).strip()
    except text_file.NoText as error:
        cure = "ai.prompt names a text file, beside the settings file: write the prompt there"
        raise SettingsError([f"ai.prompt: {printable(settings.prompt)}: {error}. {cure}"]) from None
