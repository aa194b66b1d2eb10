"""Put together the parts of a call."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakSet, WeakValueDictionary

from exotel_ws.ai.ahead import Ahead
from exotel_ws.ai.allowance import Allowance
from exotel_ws.ai.conversation import Conversation, Parts
from exotel_ws.ai.decoder import Decoder
from exotel_ws.ai.dialogue import Collected, Dialogue, Events, Tool
from exotel_ws.ai.ear import Ear
from exotel_ws.ai.embedded.models import TurnModel
from exotel_ws.ai.endings import Endings
from exotel_ws.ai.failure.apology import Phrases
from exotel_ws.ai.failure.breaker import Breaker
from exotel_ws.ai.failure.failover import Failover
from exotel_ws.ai.failure.rescue import Rescue
from exotel_ws.ai.failure.work import Answering, Listening, Speaking, Work
from exotel_ws.ai.hearing.detector import Hearing, VoiceDetector
from exotel_ws.ai.hearing.echo import Played
from exotel_ws.ai.keypad import Keypad
from exotel_ws.ai.late import LateDialogue, Workshop
from exotel_ws.ai.mouth import Mouth
from exotel_ws.ai.outward.client import Destination, Outward
from exotel_ws.ai.playout import Playout
from exotel_ws.ai.providers.own_tools import PlannedTool
from exotel_ws.ai.providers.plan import EMBEDDED
from exotel_ws.ai.providers.supply import Named, Supply
from exotel_ws.ai.records.stopwatch import Stopwatch
from exotel_ws.ai.records.story import Story
from exotel_ws.ai.remarks import MeaningOf, Remarks, Understands
from exotel_ws.ai.sentences import Sentences
from exotel_ws.ai.settings import Ai
from exotel_ws.ai.tools import EndCall, HttpTool, Webhook
from exotel_ws.ai.voicemail import Voicemail, is_outbound
from exotel_ws.ai.wishes import Wishes, fill
from exotel_ws.ai.wording import words
from exotel_ws.encodings import Encoding
from exotel_ws.logs import printable
from exotel_ws.protocol import Start, Writer
from exotel_ws.responder import Line


@dataclass(frozen=True, slots=True)
class Caller:
    """One stream to answer: its start event, what the caller wishes, and the budget of its connection."""

    start: Start
    wishes: Wishes
    sample_rate: int
    """Hz."""
    writer: Writer
    line: Line
    story: Story
    allowance: Allowance
    greeting: bytes
    """PCM16 little-endian at ``sample_rate``; empty if it has to be spoken in the call."""
    greeting_text: str
    sentences: Sentences
    phrases: Phrases
    """Audio at ``sample_rate``."""


class Assembly:
    """Make conversations out of what the calls of a worker share."""

    def __init__(
        self,
        settings: Ai,
        supply: Supply,
        turn_model: TurnModel,
        outward: Outward,
        webhook: Destination | None,
        own_tools: Sequence[PlannedTool],
        breaker: Breaker,
        workshop: Workshop,
        understands: Understands | None = None,
        meaning: MeaningOf | None = None,
        collected: Collected | None = None,
        expected: Iterable[str] = (),
    ) -> None:
        """``webhook`` and ``own_tools`` are reached by ``outward``; ``workshop`` is that of all calls.

        ``understands``: see `Remarks`; ``meaning`` and ``collected``: see `Dialogue`; ``expected``: see `Endings`.
        """
        self._settings = settings
        self._supply = supply
        self._turn_model = turn_model
        self._outward = outward
        self._webhook = webhook
        self._own_tools = own_tools
        self._breaker = breaker
        self._remarks = Remarks(settings.barge_in, settings.turns, understands)
        self._workshop = workshop
        self._meaning, self._collected = meaning, collected
        self._expected = frozenset(map(words, expected))
        self._legs: WeakValueDictionary[str, WeakSet[Played]] = WeakValueDictionary()
        """Sound that is played in the legs of each call, by its call_sid: they may hear each other."""

    def conversation(self, caller: Caller, on_end: Callable[[Conversation], None]) -> Conversation:
        """Begin a conversation. Cheap: its pipeline is made later, in turn with those of other calls."""
        clock = asyncio.get_running_loop()
        rate, story = caller.sample_rate, caller.story
        played = Played(rate, self._legs.setdefault(caller.start.call_sid, WeakSet()) if caller.start.call_sid else None)
        hearing = Hearing(VoiceDetector(self._turn_model), played, clock.time, self._settings.turns)
        playout = Playout(caller.writer, caller.line.send, clock, sample_rate=rate)
        mouth = Mouth(playout, rate, story.bot_said)
        stopwatch = Stopwatch(story.stage)
        rescue = Rescue(self._settings.failure, caller.phrases, story, self._breaker, clock, lambda: playout.heard_until)
        talk = LateDialogue(partial(self.dialogue, caller, mouth, hearing, stopwatch, rescue), self._workshop, mouth)
        parts = Parts(
            clock=clock,
            story=story,
            stopwatch=stopwatch,
            playout=playout,
            mouth=mouth,
            played=played,
            noisy=hearing.noisy,
            clamour=hearing.clamour,
            ear=Ear(rate, talk.hear, clock.time),
            decoder=Decoder(caller.start.encoding, rate, partial(_other_encoding, caller, playout)),
            keypad=Keypad(clock),
            rescue=rescue,
            talk=talk,
            allowance=caller.allowance,
            sentences=caller.sentences,
            remarks=self._remarks,
            voicemail=Voicemail(self._settings.outbound, clock, rate, outbound=is_outbound(caller.start.custom_parameters)),
        )
        return Conversation(self._settings, caller.line, parts, caller.greeting, caller.greeting_text, on_end)

    def dialogue(
        self, caller: Caller, mouth: Mouth, hearing: Hearing, stopwatch: Stopwatch, rescue: Rescue, events: Events
    ) -> Dialogue:
        """Make the pipeline of a call. Takes some milliseconds."""
        wishes = caller.wishes
        filled: Callable[[str], str] = partial(fill, start=caller.start)
        stt = self._supply.stt(wishes.language)
        llm = self._supply.llm(wishes.language, filled)
        tts = self._supply.tts(wishes.language, wishes.voice)
        answering = self._stage("llm", llm, Answering(), rescue)
        remote = [named.service for named in llm if named.name != EMBEDDED]  # a flow answers at once
        most = self._settings.turns.ahead
        return Dialogue(
            stt=self._stage("stt", stt, Listening(), rescue),
            llm=answering,
            tts=self._stage("tts", tts, Speaking(), rescue),
            services=[named.service for named in (*stt, *llm, *tts)],
            mouth=mouth,
            stopwatch=stopwatch,
            hearing=hearing,
            turn_model=self._turn_model,
            greeting=caller.greeting_text,
            tools=self._tools(caller, events),
            events=events,
            limits=self._settings.limits,
            endings=Endings(self._settings.turns, wishes.language or self._settings.language, self._expected),
            meaning=self._meaning,
            collected=self._collected,
            ahead=Ahead(remote, lambda: answering.service, most) if remote and most else None,
        )

    def _stage(self, stage: str, services: Sequence[Named], work: Work, rescue: Rescue) -> Failover:
        by_name = dict(services)
        order = self._breaker.order(stage, list(by_name))
        made = Failover(stage, [(name, by_name[name]) for name in order], work, rescue, ready_s=self._settings.failure.ready_s)
        rescue.add(made)
        return made

    def _tools(self, caller: Caller, events: Events) -> list[Tool]:
        tools: list[Tool] = [
            EndCall("hang_up", "End the call, after the goodbye was said.", events.end),
            EndCall("transfer", "Hand the caller to a human agent.", events.end),
        ]
        if self._webhook:
            tools.append(Webhook(self._webhook, self._outward, caller.start, events))
        language = caller.wishes.language or self._settings.language
        return tools + [HttpTool(one, language, self._outward, caller.start, events) for one in self._own_tools]


def _other_encoding(caller: Caller, playout: Playout, encoding: Encoding) -> None:
    """Follow the encoding that the caller's audio has, though ``start`` says another."""
    playout.encode(encoding)
    said = printable(caller.start.encoding, 40) or "nothing"
    text = f"start says {said!r} of the encoding, and the audio is {encoding.value}: so is what the caller hears from now on"
    caller.line.fault("encoding_mismatch", text)
