"""Answer by the scripted flow. The messages of a dialogue are its whole state: nothing is kept between two requests."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from exotel_ws.ai.scripted.flow import Flow, Intent, Lines, Reply, lines
from exotel_ws.ai.scripted.likeness import Examples

KEYS: Final = "DTMF: "
"""Prefix of keys that the caller pressed."""
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
    """A sentence to say, and a tool to call with it: ``hang_up``, ``transfer``, ``webhook`` or none."""

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


class Script:
    """Answer by a flow. Calls can share one."""

    def __init__(self, flow: Flow, sounds: Callable[[str], str] | None = None) -> None:
        """``sounds``: see `Examples`."""
        self._flow = flow
        examples = {name: intent.examples for name, intent in flow.intents.items()}
        self._examples = Examples(examples, final=[name for name, intent in flow.intents.items() if intent.then], sounds=sounds)
        self._keys = {intent.dtmf: name for name, intent in flow.intents.items() if intent.dtmf}

    def answer(self, messages: list[dict[str, Any]], language: str = "", *, webhook: bool = True) -> Answer:
        """Return the answer to the last of ``messages``, in OpenAI's format. ``webhook``: True if there is one to ask."""
        dialogue = _Dialogue()
        told: dict[str, Any] | None = None
        spoken = ""
        for message in messages[-_MOST_MESSAGES:]:
            text = _text(message)
            match message.get("role"):
                case "user" if text:
                    self._turn(dialogue, text)
                    told = None
                case "assistant" if text:
                    spoken = text
                case "tool":
                    told = _result(text)
        if not dialogue.heard:
            return Answer("greeting", self._flow.greeting_in(language))
        if dialogue.repeat:
            return Answer(dialogue.name, spoken or self._flow.greeting_in(language))
        name, reply = dialogue.name, dialogue.reply
        say = _line(reply.say, language, dialogue.given[id(reply)] - 1)
        if isinstance(reply, Intent) and reply.webhook:
            if told is not None or not webhook:
                return _of_webhook(name, reply, told or {}, language)
            return Answer(name, say, "webhook", {"intent": name, "data": {"heard": dialogue.heard}})
        return _ending(name, say, reply.then)

    def understands(self, text: str) -> bool:
        """Return True if ``text`` means something to the flow, wherever its dialogue is."""
        return self._examples.closest(text[:_MOST_HEARD]) is not None

    def _turn(self, dialogue: _Dialogue, heard: str) -> None:
        name = self._keys.get(heard.removeprefix(KEYS)) if heard.startswith(KEYS) else self._examples.closest(heard[:_MOST_HEARD])
        name = dialogue.reply.next.get(name or "", name)
        intent = self._flow.intents[name] if name else None
        dialogue.heard, dialogue.name = heard, name or _FALLBACK
        dialogue.repeat = intent is not None and intent.repeat
        if dialogue.repeat:
            return
        dialogue.misses = 0 if intent else min(dialogue.misses + 1, len(self._flow.fallback))
        dialogue.reply = intent or self._flow.fallback[dialogue.misses - 1]
        dialogue.given[id(dialogue.reply)] += 1


def _of_webhook(name: str, intent: Intent, told: dict[str, Any], language: str) -> Answer:
    """Return what a webhook answered as it is; its ``then`` may end the call."""
    text = told.get("say") or told.get("answer")
    say = text[:_MOST_SAID] if isinstance(text, str) and text.strip() else _line(intent.otherwise, language, 0)
    then = told.get("then")
    return _ending(name, say, then if then in ("hang_up", "transfer") else intent.then)


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
