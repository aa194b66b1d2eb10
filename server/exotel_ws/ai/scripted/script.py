"""Answer by the scripted flow. The messages of a dialogue are its whole state: nothing is kept between two requests."""

import json
from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from exotel_ws.ai.keypad import KEYS
from exotel_ws.ai.remarks import Meaning
from exotel_ws.ai.scripted import numerals, values
from exotel_ws.ai.scripted.flow import Flow, Intent, Lines, Reply, lines
from exotel_ws.ai.scripted.likeness import Examples
from exotel_ws.ai.scripted.slots import MOST_MISSES, Filling, Taken, filled, placeholders

_FALLBACK: Final = "fallback"
_NOT_YET: Final = "IN_PROGRESS"
"""pipecat's result of a tool that has not answered yet."""
_MOST_HEARD: Final = 300
"""Most characters of one turn that are compared."""
_MOST_MESSAGES: Final = 200
"""Latest messages of a dialogue that are read; earlier ones do not change the answer."""
_MOST_SAID: Final = 600
"""Most characters of a webhook's answer that are spoken: about 40 s."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A sentence to say, and a tool to call with it: ``hang_up``, ``transfer``, ``webhook``, one of the user's, or none."""

    intent: str
    say: str
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Dialogue:
    """State of a dialogue after the turns of its caller."""

    heard: str = ""
    name: str = ""
    reply: Reply = field(default_factory=Reply)
    """Reply to the last turn that did not ask to repeat."""
    repeat: bool = False
    misses: int = 0
    given: Counter[int] = field(default_factory=Counter)
    """Times each reply was given, by its identity."""
    filling: Filling | None = None
    """Slots of the intent ``wanting``, which are being asked for, or have all been filled by the last turn."""
    wanting: str = ""
    filled: bool = False
    """True if they have all been filled."""
    collected: dict[str, str] = field(default_factory=dict)
    """Values of all slots that were filled so far, of this intent and of those before."""
    owed: bool = False
    """True as long as the caller has not heard what the tool of ``reply`` told."""
    aside: bool = False
    """True if the last turn was another wish, and the question for a slot stays open behind its answer."""


class Script:
    """Answer by a flow. Calls can share one."""

    def __init__(self, flow: Flow, sounds: Callable[[str], str] | None = None, today: Callable[[], date] = date.today) -> None:
        """``sounds``: see `Examples`. ``today`` is what "tomorrow" is counted from."""
        self._flow = flow
        self._today = today
        replies = (*flow.fallback, *flow.intents.values())
        self._answers = {answer for reply in replies for answer in reply.next}
        self._examples = examples(flow, sounds)
        self._keys = {intent.dtmf: name for name, intent in flow.intents.items() if intent.dtmf}

    def answer(self, messages: list[dict[str, Any]], language: str = "", *, offered: Container[str] | None = None) -> Answer:
        """Return the answer to the last of ``messages``, in OpenAI's format. ``offered`` are the tools there are; None: any."""
        dialogue, told, spoken = self._replayed(messages, offered)
        if not dialogue.heard:
            return Answer("greeting", self._flow.greeting_in(language))
        if dialogue.repeat:
            return Answer(dialogue.name, spoken or self._flow.greeting_in(language))
        name, reply = dialogue.name, dialogue.reply
        if dialogue.filling and not dialogue.filled and not dialogue.aside:
            return Answer(name, _line(dialogue.filling.question(language), language, 0))
        turn = dialogue.given[id(reply)] - 1
        if not isinstance(reply, Intent) or not reply.asks:
            return _ending(name, _line(_with(reply.say, dialogue, language), language, turn), reply.then)
        if told is not None or not (offered is None or reply.asks in offered):
            return _of_tool(reply, told or {}, dialogue, language)
        say = _line(_with(reply.say, dialogue, language), language, turn)
        return Answer(name, say, reply.asks, _arguments(reply, dialogue))

    def collected(self, messages: list[dict[str, Any]]) -> dict[str, str]:
        """Return the values of slots that the caller gave in ``messages``, by name."""
        return self._replayed(messages, None)[0].collected if self._flow.slots else {}

    def _replayed(
        self, messages: list[dict[str, Any]], offered: Container[str] | None
    ) -> tuple[_Dialogue, dict[str, Any] | None, str]:
        """Return the dialogue after ``messages``, what its tool told since the caller's last turn, and what was said last."""
        dialogue = _Dialogue()
        told: dict[str, Any] | None = None
        spoken = ""
        for message in messages[-_MOST_MESSAGES:]:
            text = _text(message)
            match message.get("role"):
                case "user" if text and not self._goes_on(dialogue, text):
                    self._turn(dialogue, text, offered)
                    dialogue.collected |= dialogue.filling.filled if dialogue.filling else {}
                    told = None
                    asks = isinstance(dialogue.reply, Intent) and bool(dialogue.reply.asks)
                    dialogue.owed = asks and (dialogue.filling is None or dialogue.filled)
                case "assistant" if text:
                    spoken = text
                    dialogue.owed &= told is None
                case "tool":
                    told = _result(text)
        return dialogue, told, spoken

    def phrases(self) -> list[str]:
        """Return what the flow expects callers to say: examples, and words that mean the same as some of these."""
        examples = [example for intent in self._flow.intents.values() for example in intent.examples]
        return [*examples, *(text for some in self._flow.alike for text in some)]

    def understands(self, text: str) -> bool:
        """Return True if ``text`` means something to the flow, wherever its dialogue is."""
        text = text[:_MOST_HEARD]
        return self._examples.closest(text) is not None or (bool(self._flow.slots) and self._answers_a_slot(text))

    def meaning(self, text: str) -> Meaning:
        """Return what ``text`` is to the flow, wherever its dialogue is: ``end`` if it ends the call."""
        name = self._examples.closest(text[:_MOST_HEARD])
        if name:
            return "end" if self._flow.intents[name].then else "something"
        return "something" if self.understands(text) else "nothing"

    def _answers_a_slot(self, text: str) -> bool:
        if numerals.has_number(text) or values.agrees(text) is not None:
            return True
        return any(values.read(slot.kind, text, slot.lengths, self._today()) for slot in self._flow.slots.values())

    def _turn(self, dialogue: _Dialogue, heard: str, offered: Container[str] | None) -> None:
        keys = heard.startswith(KEYS)
        said = heard.removeprefix(KEYS)[:_MOST_HEARD]
        name = self._keys.get(said) if keys else self._examples.closest(said)
        name = self._where_set(name, offered)
        if dialogue.filled:
            dialogue.filling, dialogue.filled = None, False
        filling = dialogue.filling
        if filling and self._takes(dialogue, filling, name, said, keys=keys):
            dialogue.heard, dialogue.name, dialogue.reply = heard, dialogue.wanting, self._flow.intents[dialogue.wanting]
            return
        if filling is not None and dialogue.filling is None:
            name = None  # the "no" that was one too many is not one to the call
        if name and not dialogue.owed and (target := dialogue.reply.next.get(name)):
            # A yes that is held back ends nothing, even if that is what it was asked for.
            denied = not keys and self._flow.intents[target].then and self._examples.denied(said, name)
            name = None if denied else target
        name = self._where_set(name, offered)
        intent = self._flow.intents[name] if name else None
        dialogue.heard, dialogue.name = heard, name or _FALLBACK
        dialogue.repeat = intent is not None and intent.repeat
        if dialogue.repeat:
            return
        dialogue.aside = bool(intent and not dialogue.aside and dialogue.filling and dialogue.filling.put_off(intent.closes))
        if not dialogue.aside:
            dialogue.filling = None
        dialogue.misses = 0 if intent else min(dialogue.misses + 1, len(self._flow.fallback))
        dialogue.reply = intent or self._flow.fallback[dialogue.misses - 1]
        dialogue.given[id(dialogue.reply)] += 1
        if intent and intent.needs:
            dialogue.filling, dialogue.wanting = Filling(self._flow.slots, intent.needs), dialogue.name
            dialogue.filled = not keys and dialogue.filling.begin(said, self._today()) is Taken.DONE

    def _goes_on(self, dialogue: _Dialogue, heard: str) -> bool:
        """Return True for the rest of a yes ("…, that is right") that comes while a tool is asked: its answer is still wanted."""
        if not dialogue.owed or heard.startswith(KEYS) or values.agrees(heard) is not True:
            return False
        name = self._examples.closest(heard[:_MOST_HEARD])
        return name is None or name in self._answers

    def _where_set(self, name: str | None, offered: Container[str] | None) -> str | None:
        """Return the intent that is meant in place of ``name``, if what it asks is there."""
        instead = self._flow.intents[name].where_set if name else ""
        return instead if instead and (offered is None or self._flow.intents[instead].asks in offered) else name

    def _takes(self, dialogue: _Dialogue, filling: Filling, name: str | None, said: str, *, keys: bool) -> bool:
        """Return True if a turn belongs to the slots that are being asked for; another wish does not, nor one miss too many."""
        if keys and name and self._flow.intents[name].then and not (filling.part or filling.heard):
            return False
        if not keys and name and self._flow.intents[name].then == "transfer" and name not in self._answers:
            return False  # "okay, connect me to an agent" is no yes to what was read back
        if not keys and name and self._flow.intents[name].repeat and not numerals.has_number(said):
            dialogue.repeat = True  # nor is "okay, say that again"
            return True
        taken = filling.take(said, self._today(), keys=keys)
        dialogue.repeat = False
        if taken is not Taken.MISSED:
            dialogue.aside = False
            dialogue.filled = taken is Taken.DONE
            dialogue.misses = 0
            return True
        if dialogue.aside:
            return False
        answers = name in self._answers or values.only_agrees(said)
        if name and not answers and name != dialogue.wanting:
            return False
        if filling.misses < MOST_MISSES:
            return True
        dialogue.filling, dialogue.misses = None, len(self._flow.fallback) - 1
        return False


def examples(flow: Flow, sounds: Callable[[str], str] | None = None) -> Examples:
    """Return the examples of a flow. ``sounds``: see `Examples`.

    An answer that ends the call by some ``next`` has to be meant as surely as an intent that always ends it.
    """
    replies = (*flow.fallback, *flow.intents.values())
    nexts = [pair for reply in replies for pair in reply.next.items()]
    answers = {answer for answer, _ in nexts}
    partings = {answer for answer, target in nexts if flow.intents[target].then == "hang_up"}
    return Examples(
        {name: intent.examples for name, intent in flow.intents.items()},
        ends={name: intent.then or ("hang_up" if name in partings else "") for name, intent in flow.intents.items()},
        sounds=sounds,
        answers=answers | {name for name, intent in flow.intents.items() if intent.repeat},
        alike=flow.alike,
    )


def _of_tool(intent: Intent, told: dict[str, Any], dialogue: _Dialogue, language: str) -> Answer:
    """Return what a tool answered: its own words, or the flow's with what it told; its ``then`` may end the call."""
    text = told.get("say") or told.get("answer")
    said = text[:_MOST_SAID] if isinstance(text, str) and text.strip() else ""
    if not said and intent.answer and "error" not in told:
        plain = {key: str(value)[:_MOST_SAID] for key, value in told.items() if isinstance(value, str | int | float)}
        whole = _with(filled(intent.answer, plain), dialogue, language)
        said = "" if next(placeholders(whole), None) else _line(whole, language, 0)[:_MOST_SAID]
    then = told.get("then")
    ends = then if then in ("hang_up", "transfer") else intent.then
    return _ending(dialogue.name, said or _line(_with(intent.otherwise, dialogue, language), language, 0), ends)


def _with(said: Lines, dialogue: _Dialogue, language: str) -> Lines:
    """Return ``said`` with the values of the slots that were filled in it, as they are spoken."""
    if not dialogue.filling:
        return said
    slots, known = dialogue.filling.slots, dialogue.filling.filled
    return filled(said, {name: values.spoken(slots[name].kind, value, language) for name, value in known.items()})


def _arguments(intent: Intent, dialogue: _Dialogue) -> dict[str, Any]:
    """Return what the tool of ``intent`` is called with."""
    filling = dialogue.filling
    known = {name: values.argument(filling.slots[name].kind, value) for name, value in filling.filled.items()} if filling else {}
    if intent.webhook:
        return {"intent": dialogue.name, "data": {"heard": dialogue.heard, **known}}
    return {name: _argument(text, known) for name, text in intent.arguments.items()} if intent.arguments else known


def _argument(text: str, known: Mapping[str, Any]) -> Any:
    """Return the value of an argument: that of a slot itself, or a text with values in it."""
    alone = text.removeprefix("{").removesuffix("}")
    if text == f"{{{alone}}}" and alone in known:
        return known[alone]
    return filled(text, {key: str(one) for key, one in known.items()})


def _ending(name: str, say: str, then: str) -> Answer:
    """Return an answer that ends the call if there is a ``then``; the reason that is given is the intent's name."""
    return Answer(name, say, then, {"reason": name} if then else {})


def _line(said: Lines, language: str, turn: int) -> str:
    choice = lines(said, language)
    return choice[turn % len(choice)]


def _result(text: str) -> dict[str, Any] | None:
    """Return the result of a tool, None if there is none yet. One that is no object counts as empty: it is not asked again."""
    if text == _NOT_YET:
        return None
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content[:_MOST_MESSAGES] if isinstance(part, dict)).strip()
    return str(content or "").strip()
