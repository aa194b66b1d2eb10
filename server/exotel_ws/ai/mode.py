"""AI mode of a worker, and what its calls share."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary, ref

import msgspec
from pipecat.processors.frame_processor import FrameProcessor

from exotel_ws.admission.bucket import Bucket
from exotel_ws.ai import sayable
from exotel_ws.ai.allowance import Allowance
from exotel_ws.ai.assembly import Assembly, Caller
from exotel_ws.ai.beforehand import Beforehand
from exotel_ws.ai.conversation import Conversation
from exotel_ws.ai.embedded.models import Models, example_flow
from exotel_ws.ai.failure import apology
from exotel_ws.ai.failure.apology import Phrases
from exotel_ws.ai.failure.breaker import Breaker
from exotel_ws.ai.outward.client import Outward
from exotel_ws.ai.providers import own_tools, supply, webhook
from exotel_ws.ai.providers.plan import EMBEDDED
from exotel_ws.ai.providers.supply import Supply
from exotel_ws.ai.records.shelf import Shelf
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.ai.scripted import flow as flows
from exotel_ws.ai.scripted.endpoint import Endpoint
from exotel_ws.ai.scripted.flow import lines
from exotel_ws.ai.sentences import is_english, sentences
from exotel_ws.ai.settings import Ai, AiLimits
from exotel_ws.ai.wishes import wishes
from exotel_ws.encodings import Encoding, named
from exotel_ws.logs import printable
from exotel_ws.protocol import SAMPLE_RATES, Start, Writer
from exotel_ws.responder import Bound, HangUp, Line
from exotel_ws.settings import Settings, SettingsError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_MOST_GREETINGS: Final = 64
_MOST_PHRASES: Final = 8
"""Languages in which phrases are kept in another voice than the embedded one: 2 MB each."""
_END_S: Final = 5.0
"""Seconds in which the calls of a worker that ends have to release everything: cut short, pipecat's tasks wait for each other."""


class AiMode:
    """See `exotel_ws.responder.Mode`."""

    private: Final = True

    def __init__(self, settings: Settings) -> None:
        """Check the settings before a model is loaded. Raises `SettingsError` if the flow or a service can't be used."""
        self._settings = ai = msgspec.convert(settings.ai, Ai)
        supply.check(ai)
        self.most_calls: Final = Bound(ai.max_calls, "ai.max_calls")
        self.most_restarts: Final = Bound(ai.limits.starts_per_minute, "ai_starts")
        self._webhook = webhook.destination(ai)
        self._own_tools = own_tools.plan(ai).tools
        self._flow = _flow(ai.flow)
        if problems := sayable.problems(ai, self._flow):
            raise SettingsError(problems)
        self._calls: set[Conversation] = set()
        self._allowances: WeakKeyDictionary[Line, Allowance] = WeakKeyDictionary()
        """Allowance of each connection; a restarted stream continues with what is left."""
        self._running: set[asyncio.Task[None]] = set()
        self._tally = AiTally()
        record = ai.record
        self._shelf = Shelf(record) if record.transcripts or record.audio else None
        self._endpoint: Endpoint
        self._supply: Supply
        self._greetings: Beforehand
        self._phrases: Beforehand
        """Phrases in other languages than English, in the voices of the calls."""
        self._english_phrases: Mapping[int, Phrases]
        """By sample rate in Hz. The embedded voice says them, which needs nothing that could fail."""
        self._assembly: Assembly
        self._outward: Outward

    def metrics(self, registry: "CollectorRegistry") -> Callable[[], None]:
        from exotel_ws.ai.records.metrics import AiMetrics  # prometheus_client chooses how it stores values when it is imported

        return AiMetrics(self._tally, registry).publish

    async def open(self) -> None:
        if self._shelf:
            self._shelf.open()
        settings = self._settings
        self._outward = Outward()
        models = await asyncio.to_thread(_warm)
        speaker = models.speaker
        self._endpoint = await asyncio.to_thread(Endpoint, self._flow, speaker.sounds)
        await self._endpoint.open()
        english = sentences(settings, settings.language if is_english(settings.language) else "en")
        self._english_phrases = await asyncio.to_thread(apology.prepare, english, speaker.speak_whole, SAMPLE_RATES)
        self._supply = Supply(settings, models, self._endpoint.url, self._endpoint.key)
        breaker = Breaker(settings.failure.skip_after, settings.failure.skip_s, time.monotonic)
        understands = self._endpoint.understands if settings.llm[0] == EMBEDDED else None
        self._assembly = Assembly(
            settings, self._supply, models.turn_model, self._outward, self._webhook, self._own_tools, breaker, understands
        )
        self._greetings = Beforehand(
            "The greeting can't be spoken beforehand, each call speaks it again",
            lambda language: [self._greeting(language)],
            self._voice,
            _MOST_GREETINGS,
        )
        self._phrases = Beforehand(
            "Phrases can't be spoken beforehand, a call in trouble hears English ones",
            lambda language: apology.texts(sentences(settings, language)),
            self._voice,
            _MOST_PHRASES,
        )
        making = [self._greetings.prepare(), None if is_english(settings.language) else self._phrases.prepare()]
        await asyncio.gather(*(task for task in making if task))

    async def close(self) -> None:
        for call in list(self._calls):
            call.stopped()
        if self._running:
            await asyncio.wait(self._running, timeout=_END_S)
        await self._greetings.close()
        await self._phrases.close()
        await self._supply.close()
        await self._outward.close()
        await self._endpoint.close()
        if self._shelf:
            await asyncio.to_thread(self._shelf.close)

    def full(self) -> str:
        most = self._settings.max_calls
        return f"{len(self._calls)} live calls, ai.max_calls = {most}" if len(self._calls) >= most else ""

    def respond(self, start: Start, writer: Writer, line: Line, *, sample_rate: int) -> Conversation:
        """See `exotel_ws.responder.Mode`. Raises `HangUp` if the audio can't be decoded."""
        writer.encoding = _encoding(start, line)
        wished = wishes(start, self._languages(), self._supply.voices)
        if wished.unusable:
            names = ", ".join(wished.unusable)
            line.log.warning(f"⚠️ Not usable or not allowed, and passed over: {names}", event="parameters")
            line.bite("ai_names", f"a call asked for a {names} that is not allowed, and has the usual one")
        story = Story(
            self._settings,
            start,
            conn_id=line.log.conn_id,
            sample_rate=sample_rate,
            tally=self._tally,
            log=line.log,
            clock=asyncio.get_running_loop().time,
            shelf=self._shelf,
        )
        caller = Caller(
            start=start,
            wishes=wished,
            sample_rate=sample_rate,
            writer=writer,
            line=line,
            story=story,
            allowance=self._allowance(line),
            greeting=b"".join(self._greetings.get(wished.language, wished.voice, sample_rate)),
            greeting_text=self._greeting(wished.language),
            sentences=sentences(self._settings, wished.language),
            phrases=self._phrases_in(wished.language, sample_rate),
        )
        call = self._assembly.conversation(caller, self._calls.discard)
        self._calls.add(call)
        self._running.add(call.running)
        call.running.add_done_callback(self._running.discard)
        return call

    def _allowance(self, line: Line) -> Allowance:
        if line not in self._allowances:
            share = partial(_share, ref(line), self._settings.limits)
            self._allowances[line] = Allowance(self._settings.limits, asyncio.get_running_loop().time, share)
        return self._allowances[line]

    def _languages(self) -> list[str]:
        """Return the languages that calls may ask for."""
        known = self._supply.languages | dict.fromkeys(self._flow.languages())
        return [language for language in known if self._supply.speaks(language)]

    def _phrases_in(self, language: str, sample_rate: int) -> Phrases:
        if not is_english(language or self._settings.language):
            asked = "" if language == self._settings.language else language
            if audio := self._phrases.get(asked, "", sample_rate):
                return Phrases.of(sentences(self._settings, language), audio)
        return self._english_phrases[sample_rate]

    def _greeting(self, language: str) -> str:
        language = language or self._settings.language
        return lines(self._settings.greeting, language)[0] or self._flow.greeting_in(language)

    def _voice(self, language: str, voice: str) -> FrameProcessor:
        return self._supply.tts(language, voice)[0].service


def _encoding(start: Start, line: Line) -> Encoding:
    """Return the encoding that ``start`` names. Raises `HangUp` if it can't be decoded."""
    encoding = named(start.encoding)
    if encoding is None:
        known = ", ".join(each.value for each in Encoding)
        why = f"media_format.encoding {printable(start.encoding, 40)!r} is none of {known}"
        line.fault("unsupported_encoding", why)
        raise HangUp(1003, why)
    return encoding


def _warm() -> Models:
    """Load the models, and use each once, since the first use takes longest. Blocks."""
    models = Models.load()
    models.recogniser.recognise(models.speaker.speak("Hello.", 16000))
    return models


def _share(line: ref[Line], limits: AiLimits) -> Bucket | None:
    """Return the requests that the untrusted connections of a source share; else each short connection had a burst of its own."""
    found = line()
    return found.share("ai_requests", limits.requests_per_minute / 60, limits.requests_at_once) if found is not None else None


def _flow(path: str) -> flows.Flow:
    try:
        return flows.load(Path(path) if path else example_flow())
    except flows.FlowError as error:
        raise SettingsError([f"ai.flow: {problem}" for problem in error.problems]) from None
