"""AI mode of a worker, and what its calls share."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary, ref

import msgspec

from exotel_ws.admission.bucket import Bucket
from exotel_ws.ai.allowance import Allowance
from exotel_ws.ai.assembly import Assembly, Caller
from exotel_ws.ai.bots import derive
from exotel_ws.ai.bots.ready import ReadyBot
from exotel_ws.ai.bots.routing import DEFAULT, Routing
from exotel_ws.ai.conversation import APPLETS, Conversation
from exotel_ws.ai.embedded.models import Models
from exotel_ws.ai.embedded.topic import Topic
from exotel_ws.ai.ended import address
from exotel_ws.ai.ended.courier import Courier
from exotel_ws.ai.ended.spool import Record, Spool
from exotel_ws.ai.failure import apology
from exotel_ws.ai.failure.breaker import Breaker
from exotel_ws.ai.late import Workshop
from exotel_ws.ai.lookup.lookup import Found, Lookup
from exotel_ws.ai.lookup.waiting import Waiting
from exotel_ws.ai.outward.client import Outward, OutwardError
from exotel_ws.ai.providers import own_tools, start_url, webhook
from exotel_ws.ai.providers.plan import EMBEDDED
from exotel_ws.ai.providers.supply import Supply
from exotel_ws.ai.records.shelf import Shelf
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.ai.scripted.endpoint import MODEL, Endpoint, model_of
from exotel_ws.ai.sentences import is_english, sentences
from exotel_ws.ai.settings import Ai, AiLimits
from exotel_ws.ai.tools import facts
from exotel_ws.ai.wishes import wishes
from exotel_ws.encodings import Encoding, named
from exotel_ws.logs import printable
from exotel_ws.protocol import SAMPLE_RATES, Start, Writer
from exotel_ws.responder import Bound, HangUp, Line
from exotel_ws.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_END_S: Final = 5.0
"""Seconds in which the calls of a worker that ends have to release everything: cut short, pipecat's tasks wait for each other."""


class _Stream(NamedTuple):
    """One stream that begins, whoever answers it."""

    writer: Writer
    line: Line
    sample_rate: int
    """Hz."""
    story: Story


class AiMode:
    """See `exotel_ws.responder.Mode`."""

    private: Final = True
    needs_start: Final = True

    def __init__(self, settings: Settings) -> None:
        """Check the settings before a model is loaded. Raises `SettingsError` if a bot, a flow or a service can't be used."""
        self._settings = ai = msgspec.convert(settings.ai, Ai)
        self._flows = derive.load(ai, settings.paths).flows
        self._routing = Routing(ai.bots)
        self.most_calls: Final = Bound(ai.max_calls, "ai.max_calls")
        self.most_restarts: Final = Bound(ai.limits.starts_per_minute, "ai_starts")
        self._webhook = webhook.destination(ai)
        self._asks = start_url.destination(ai)
        self._own_tools = own_tools.plan(ai).tools
        self._calls: set[Conversation | Waiting] = set()
        self._allowances: WeakKeyDictionary[Line, Allowance] = WeakKeyDictionary()
        """Allowance of each connection; a restarted stream continues with what is left."""
        self._running: set[asyncio.Task[None]] = set()
        self._tally = AiTally(self._flows)
        record = ai.record
        self._shelf = Shelf(record) if record.transcripts or record.audio else None
        self._endpoint: Endpoint
        self._bots: dict[str, ReadyBot] = {}
        self._preparing: asyncio.Task[None] | None = None
        self._outward: Outward
        self._ended = address.destination(ai)
        self._courier: Courier | None = None

    def metrics(self, registry: "CollectorRegistry") -> Callable[[], None]:
        from exotel_ws.ai.records.metrics import AiMetrics  # prometheus_client chooses how it stores values when it is imported

        return AiMetrics(self._tally, registry).publish

    async def open(self) -> None:
        if self._shelf:
            self._shelf.open()
        settings = self._settings
        self._outward = Outward()
        if self._ended:
            self._courier = Courier(Spool(settings.spool, time.time), self._ended, self._outward, self._tally, time.time)
        models = await asyncio.to_thread(Models.load)
        models.turn_model.backlog.on_left_out = self._tally.not_judged
        speaker = models.speaker
        own = {name: its for name, its in self._flows.items() if name != DEFAULT and its is not self._flows[DEFAULT]}
        self._endpoint = await asyncio.to_thread(Endpoint, self._flows[DEFAULT], speaker.sounds, own)
        await self._endpoint.open()
        english = sentences(settings, settings.language if is_english(settings.language) else "en")
        phrases = await asyncio.to_thread(apology.prepare, english, speaker.speak_whole, SAMPLE_RATES)
        breaker, workshop = Breaker(settings.failure.skip_after, settings.failure.skip_s, time.monotonic), Workshop()
        each = derive.of_each(settings)
        topics: dict[str, Topic] = {}
        for name, its in each.items():
            model = model_of(name) if name in own else MODEL
            by_flow = its.llm[0] == EMBEDDED
            if by_flow and model not in topics:
                script = self._endpoint.script(model)
                topics[model] = await asyncio.to_thread(models.recogniser.topic, script.phrases(), script.meaning)
            supply = Supply(
                derive.services_of(its, name),
                models,
                self._endpoint.url,
                self._endpoint.key,
                model,
                topics[model] if by_flow else None,
            )
            assembly = Assembly(
                its,
                supply,
                models.turn_model,
                self._outward,
                self._webhook,
                self._own_tools,
                breaker,
                workshop,
                understands=partial(self._endpoint.understands, model) if by_flow else None,
                meaning=partial(self._endpoint.meaning, model) if by_flow else None,
                collected=partial(self._endpoint.collected, model) if by_flow else None,
                expected=self._endpoint.script(model).phrases() if by_flow else (),
            )
            self._bots[name] = ReadyBot(name, its, self._flows[name], supply, assembly, phrases, len(each))
        await self._bots[DEFAULT].prepare()
        self._preparing = asyncio.create_task(self._prepare())

    async def close(self) -> None:
        for call in list(self._calls):
            call.stopped()
        if self._running:
            await asyncio.wait(self._running, timeout=_END_S)
        if self._preparing:
            self._preparing.cancel()
            await asyncio.wait({self._preparing})
        for bot in self._bots.values():
            await bot.close()
        if self._courier:
            await self._courier.close()
        await self._outward.close()
        await self._endpoint.close()
        if self._shelf:
            await asyncio.to_thread(self._shelf.close)

    def full(self) -> str:
        most = self._settings.max_calls
        return f"{len(self._calls)} live calls, ai.max_calls = {most}" if len(self._calls) >= most else ""

    def respond(self, start: Start, writer: Writer, line: Line, *, sample_rate: int) -> Conversation | Waiting:
        """See `exotel_ws.responder.Mode`. Raises `HangUp` if the audio can't be decoded."""
        writer.encoding = _encoding(start, line)
        # Before anybody is asked who calls: a worker that dies meanwhile can say nothing more.
        line.next_applet(APPLETS[self._settings.failure.then])
        story = Story(
            self._settings,
            start,
            conn_id=line.log.conn_id,
            sample_rate=sample_rate,
            tally=self._tally,
            log=line.log,
            clock=asyncio.get_running_loop().time,
            shelf=self._shelf,
            report=self._courier.report(_began(start, sample_rate)) if self._courier else None,
        )
        call = _Stream(writer, line, sample_rate, story)
        made: Conversation | Waiting
        if self._asks is None or not self._may_ask(line):
            made = self._converse(Found(start), call, self._calls.discard)
        else:
            lookup = Lookup(self._asks, self._outward)
            made = Waiting(partial(self._ask, lookup, start, call), story, line, self._calls.discard)
            self._keep(made.running)
        self._calls.add(made)
        return made

    async def _ask(self, lookup: Lookup, start: Start, call: "_Stream") -> Conversation:
        """Begin the conversation once it is known who calls, or that nobody says so in time."""
        try:
            found = await lookup.ask(start)
            self._tally.lookups["answered"] += 1
        except OutwardError as error:
            found = Found(start)
            self._tally.lookups["failed"] += 1
            call.line.log.warning(f"⚠️ ai.start_url told nothing of the call: {error}", event="lookup", REASON=str(error))
        return self._converse(found, call, lambda _call: None)

    def _may_ask(self, line: Line) -> bool:
        """Return False if connections of a source that has proven nothing begin more calls than a minute of turns has."""
        share = _share(ref(line), self._settings.limits, "ai_lookups")
        if share is None or share.take(asyncio.get_running_loop().time()):
            return True
        self._tally.lookups["not_asked"] += 1
        line.bite("ai_requests", "a call began without asking ai.start_url")
        return False

    def _converse(self, found: Found, call: "_Stream", on_end: Callable[[Conversation], None]) -> Conversation:
        start, line, rate = found.start, call.line, call.sample_rate
        chosen = self._routing.choose(start, line.path)
        bot = self._bots[chosen.name]
        wished = wishes(start, bot.languages, bot.voices)
        greeting = found.greeting if bot.says(found.greeting) else ""
        unusable = [*found.unusable, *wished.unusable, *(["bot"] if chosen.unknown else [])]
        if unusable or greeting != found.greeting:
            names = ", ".join(dict.fromkeys([*unusable, *(["greeting"] if greeting != found.greeting else [])]))
            line.log.warning(f"⚠️ Not usable or not allowed, and passed over: {names}", event="parameters")
            line.bite("ai_names", f"a call asked for a {names} that is not allowed, and has the usual one")
        call.story.answers(bot.name)
        caller = Caller(
            start=start,
            wishes=wished,
            sample_rate=rate,
            writer=call.writer,
            line=line,
            story=call.story,
            allowance=self._allowance(line),
            greeting=b"" if greeting else bot.greeting(wished.language, wished.voice, rate),
            greeting_text=greeting or bot.greeting_text(wished.language),
            sentences=bot.sentences(wished.language),
            phrases=bot.phrases(wished.language, rate),
        )
        made = bot.assembly.conversation(caller, on_end)
        self._keep(made.running)
        return made

    def _keep(self, running: asyncio.Task[None]) -> None:
        """Remember a task of a call until it has ended."""
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def _allowance(self, line: Line) -> Allowance:
        if line not in self._allowances:
            share = partial(_share, ref(line), self._settings.limits)
            self._allowances[line] = Allowance(self._settings.limits, asyncio.get_running_loop().time, share)
        return self._allowances[line]

    async def _prepare(self) -> None:
        """Let the other bots speak beforehand, one after the other: a worker may have many, and calls meanwhile."""
        for name, bot in self._bots.items():
            if name != DEFAULT:
                await bot.prepare()


def _began(start: Start, sample_rate: int) -> Record:
    """Return what is told of a call that has just begun, and all that will be if its worker is killed."""
    return {
        "event": "call.ended",
        **facts(start),
        "rate": sample_rate,
        "began": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "ended": None,
        "duration_ms": None,
        "outcome": "",
        "reason": "",
        "summary": "",
        "slots": {},
        "latencies_ms": {},
        "transcript": [],
        "transcript_lost": 0,
    }


def _encoding(start: Start, line: Line) -> Encoding:
    """Return the encoding that ``start`` names. Raises `HangUp` if it can't be decoded."""
    encoding = named(start.encoding)
    if encoding is None:
        known = ", ".join(each.value for each in Encoding)
        why = f"media_format.encoding {printable(start.encoding, 40)!r} is none of {known}"
        line.fault("unsupported_encoding", why)
        raise HangUp(1003, why)
    return encoding


def _share(line: ref[Line], limits: AiLimits, name: str = "ai_requests") -> Bucket | None:
    """Return the requests that the untrusted connections of a source share; else each short connection had a burst of its own."""
    found = line()
    return found.share(name, limits.requests_per_minute / 60, limits.requests_at_once) if found is not None else None
