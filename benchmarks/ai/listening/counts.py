"""Counts of each row: its calls placed, then judged by what was heard, and by what the server says it understood."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Final

from exotel_phone.talk.call import Call
from rapidfuzz import fuzz, utils

from benchmarks.ai.listening import callers, calls
from benchmarks.ai.listening.calls import PAUSES_S, Plan
from benchmarks.ai.listening.judge import NOTHING, Answer, Texts, answer, ended, heard, into
from benchmarks.ai.listening.sentences import EASY
from benchmarks.ai.server import Bot, Told

_ALIKE: Final = 60.0
"""Least likeness, in percent, of a transcript to a sentence that was said."""
_WHOLE: Final = 80.0
"""Least likeness, in percent, of what was heard of an answer to its text, for it to be whole; some words may come twice."""
_WRITTEN_S: Final = 1.0
"""Seconds until a server has written down a call that is over."""
_ACTS: Final = frozenset(("opening_hours", "order_status", "agent", "no", "goodbye"))
"""Intents that a sentence without one must not be taken for; to ask what is wanted, or to say what cannot be done, is right."""
_NOISY: Final = ("noise", "noisy", "loud")


@dataclass
class Count:
    """Hits among so many; ``notes`` tell each case that is not as it should be."""

    hits: int = 0
    of: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, hit: bool, note: str = "") -> None:
        """Count a case."""
        self.hits += hit
        self.of += 1
        if note:
            self.notes.append(note)


@dataclass
class Counts:
    """Counts of one server.

    ``clean`` and ``indian`` are right answers, ``ended`` remarks that ended the call, ``thrown`` answers thrown away for a
    listener's word, ``holes_s`` the longest hole in each that was kept. ``into`` are pauses, by their length, into which the bot
    spoke, and ``halves`` sentences answered by halves. ``own`` are turns that an echo made, ``ends`` how these calls ended.
    ``crowded`` and ``second`` are right answers in a room of voices and beside a second talker; ``noisy`` are calls from the room
    that were told. ``late_ms`` is how far the callers fell behind their own pace.
    """

    clean: Count = field(default_factory=Count)
    indian: Count = field(default_factory=Count)
    ended: Count = field(default_factory=Count)
    thrown: Count = field(default_factory=Count)
    holes_s: list[float] = field(default_factory=list)
    into: dict[str, Count] = field(default_factory=dict)
    halves: Count = field(default_factory=Count)
    own: Count = field(default_factory=Count)
    ends: list[str] = field(default_factory=list)
    crowded: Count = field(default_factory=Count)
    noisy: Count = field(default_factory=Count)
    second: Count = field(default_factory=Count)
    late_ms: float = 0.0


Placed = list[tuple[Plan, Call]]


async def place(bot: Bot, only: Sequence[str] = ()) -> dict[str, Placed]:
    """Place all calls that are counted, row by row, or those of the rows ``only``. Raises LoadError."""
    rows: dict[str, Callable[[], list[Plan]]] = {
        "clean": calls.clean,
        "remarks": calls.remarks,
        "listeners": calls.listeners,
        **{f"pause {seconds:g} s": partial(calls.pauses, seconds) for seconds in PAUSES_S},
        "echoes": calls.echoes,
        "crowded": calls.crowded,
        "second talker": calls.second_talkers,
    }
    placed: dict[str, Placed] = {}
    for name, plan in rows.items():
        if not only or name.partition(" ")[0] in only:
            plans = plan()
            placed[name] = list(zip(plans, await calls.place(bot.url, plans), strict=True))
            print(f"  {name}: {len(plans)} calls", flush=True)
    await asyncio.sleep(_WRITTEN_S)
    return placed


def judged(placed: dict[str, Placed], told: dict[str, Told], texts: Texts) -> Counts:
    """Judge what was placed. This recognises all that the bot said, which takes minutes."""
    counts = Counts(late_ms=max((call.late_max_ms for row in placed.values() for _, call in row), default=0.0))
    for name, row in placed.items():
        kind = name.partition(" ")[0]
        for number, (plan, call) in enumerate(row):
            one = _Judged(plan, call, told.get(call.ids.call_sid, Told()), texts)
            match kind:
                case "clean":
                    _clean(counts, number, one)
                case "remarks":
                    counts.ended.add(one.ended, one.note if one.ended else "")
                case "listeners":
                    _listener(counts, one)
                case "pause":
                    _pause(counts, name, one)
                case "echoes":
                    _echo(counts, one)
                case "crowded":
                    _crowded(counts, one)
                case "second":
                    _second(counts, one)
    return counts


class _Judged:
    """A call, its answers, and what the server says of it."""

    def __init__(self, plan: Plan, call: Call, told: Told, texts: Texts) -> None:
        self.call, self.told, self.texts = call, told, texts
        script = list(plan.script)
        self.said = script[plan.turn]
        self.answers = [answer(call, said, texts) if said.begins else Answer("", frozenset([NOTHING])) for said in script]
        self.answer = self.answers[plan.turn]

    @property
    def ended(self) -> bool:
        return ended(self.call, self.answers, self.texts)

    def said_by_caller(self, text: str) -> bool:
        """Return whether ``text``, a turn that the server understood, is like one that the caller said."""
        said = (said.turn.say for said in self.call.said)
        return any(fuzz.ratio(text, one, processor=utils.default_process) >= _ALIKE for one in said)

    @property
    def note(self) -> str:
        return f"{self.said.turn.say} [{' | '.join(self.told.heard)}] → {self.answer.words or NOTHING} ({self.call.end.how})"


def _clean(counts: Counts, number: int, one: _Judged) -> None:
    sentence, voice = callers.SENTENCES[number]
    right = bool(one.answer.intents & sentence.right) if sentence.right else not one.answer.intents & _ACTS
    note = "" if right else f"{voice.name}: {one.note}"
    counts.clean.add(right, note)
    if voice.indian:
        counts.indian.add(right)


def _listener(counts: Counts, one: _Judged) -> None:
    """Judge whether the whole answer was heard, and if so, how long nothing was heard in the middle of it."""
    spoken = [piece for piece in one.call.spoken if piece.begins >= one.call.said[0].ends]
    words = " ".join(filter(None, map(heard, spoken)))
    whole = one.texts.of("opening_hours")
    kept = one.said.over_bot and fuzz.ratio(whole, words, processor=utils.default_process) >= _WHOLE
    counts.thrown.add(not kept, "" if kept else f"{one.said.turn.say} [{' | '.join(one.told.heard)}] → {words or NOTHING}")
    if kept:
        spans = [(piece.begins, piece.begins + len(piece.pcm) / 2 / its.rate) for its in spoken for piece in its.pieces]
        counts.holes_s.append(max((begins - ends for (_, ends), (begins, _) in pairwise(spans)), default=0.0))


def _pause(counts: Counts, name: str, one: _Judged) -> None:
    spoke = into(one.call, one.said)
    counts.into.setdefault(name, Count()).add(spoke, one.note if spoke else "")
    alone = spoke or len(one.told.heard) > 1
    counts.halves.add(alone, f"{name}: {one.note}" if alone else "")


def _echo(counts: Counts, one: _Judged) -> None:
    for text in one.told.heard:
        own = not one.said_by_caller(text)
        counts.own.add(own, text if own else "")
    seconds = one.call.end.at - one.call.said[0].ends
    counts.ends.append(f"{one.told.outcome or one.call.end.how} after {seconds:.0f} s")


def _crowded(counts: Counts, one: _Judged) -> None:
    right = dict(EASY)
    for said, its in zip(one.call.said, one.answers, strict=False):
        hit = right[said.turn.say] in its.intents
        counts.crowded.add(hit, "" if hit else f"{said.turn.say} → {its.words or NOTHING}")
    for turn in one.call.unsaid:
        counts.crowded.add(False, f"{turn.say} → (the call was over: {one.call.end.how})")
    words = " ".join(its.words for its in one.answers).lower()
    counts.noisy.add(any(word in words for word in _NOISY))


def _second(counts: Counts, one: _Judged) -> None:
    """Judge whether the caller was answered rightly, and nobody else at all."""
    right = dict(EASY)[one.said.turn.say] in one.answer.intents
    hit = right and not one.ended and all(map(one.said_by_caller, one.told.heard))
    counts.second.add(hit, "" if hit else one.note)
