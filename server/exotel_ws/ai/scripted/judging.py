"""Judge a scripted flow as a whole: what contradicts itself, leads nowhere or can't be reached."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, Final

from exotel_ws.ai.scripted import slots
from exotel_ws.ai.scripted.alike import Alike
from exotel_ws.ai.scripted.flow import Flow, Intent, Lines, Place, Problem, Reply, Text, did_you_mean
from exotel_ws.ai.scripted.vocabulary import words

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_KEYS: Final = re.compile(r"#|[0-9*]{1,32}")


def judged(flow: Flow, tools: Collection[str] | None) -> Iterator[Problem]:
    """Yield what is wrong with ``flow``. ``tools`` are the names of ``ai.tools``; None if they are not known."""
    yield from _texts(flow)
    yield from _slots(flow)
    yield from _tools(flow, tools)
    yield from _where_set(flow)
    yield from _alike(flow)
    for name, intent in flow.intents.items():
        for text in _contradictions(intent):
            yield Problem(("intents", name), text)
    yield from _unreachable(flow)
    yield from _ambiguous(flow)
    yield from _nexts(flow)


def _replies(flow: Flow) -> Iterator[tuple[Place, Reply]]:
    yield from ((("fallback", i), reply) for i, reply in enumerate(flow.fallback))
    yield from ((("intents", name), intent) for name, intent in flow.intents.items())


def _texts(flow: Flow) -> Iterator[Problem]:
    said: list[tuple[Place, Lines | Text]] = [(("greeting",), flow.greeting)]
    for place, reply in _replies(flow):
        said.append(((*place, "say"), reply.say))
        if isinstance(reply, Intent):
            said.append(((*place, "answer"), reply.answer))
            said.append(((*place, "otherwise"), reply.otherwise))
            said.append(((*place, "examples"), reply.examples))
        elif not reply.say:
            yield Problem(place, "needs say")
    for name, slot in flow.slots.items():
        said += [
            (("slots", name, key), text)
            for key, text in (("ask", slot.ask), ("again", slot.again), ("read_back", slot.read_back))
        ]
    said = [(place, text) for place, text in said if place == ("greeting",) or text not in ("", [])]
    languages = list(dict.fromkeys(tag for _, text in said if isinstance(text, dict) for tag in text))
    for place, text in said:
        if isinstance(text, dict):
            yield from _languages(place, text, languages)
        each = text.items() if isinstance(text, dict) else [("", text)]
        for tag, some in each:
            if not some or any(not one.strip() for one in ([some] if isinstance(some, str) else some)):
                yield Problem((*place, tag) if tag else place, "an empty text can't be said")


def _languages(place: Place, text: dict[str, Any], languages: list[str]) -> Iterator[Problem]:
    for tag in text:
        if not _LANGUAGE.fullmatch(tag):
            yield Problem((*place, tag), "is no language (like en, hi or hi-IN)")
    if missing := [tag for tag in languages if tag not in text and _LANGUAGE.fullmatch(tag)]:
        yield Problem(place, f"is not there in {', '.join(missing)}, which other texts of this flow are in")


def _contradictions(intent: Intent) -> Iterator[str]:
    if intent.repeat and (intent.say or intent.then or intent.asks or intent.next or intent.needs):
        yield "repeat: true says the last again: say, then, next, needs, tool and webhook have no place here"
    elif not (intent.say or intent.repeat or intent.asks):
        yield "needs say, or repeat: true" + (f": what is heard before {intent.then}" if intent.then else "")
    if intent.webhook and intent.tool:
        yield "webhook: true and tool: which of the two is to be asked?"
    if intent.webhook and not intent.otherwise:
        yield "webhook: true needs otherwise: what is said where the webhook fails, or answers nothing to say"
    elif intent.tool and not intent.otherwise:
        yield "tool needs otherwise: what is said where the tool fails, or answers nothing to say"
    if (intent.otherwise or intent.answer) and not intent.asks:
        yield "otherwise and answer are said of what a webhook or a tool told: they need webhook: true or tool"
    if intent.arguments and not intent.tool:
        yield "arguments are those of a tool: they need tool"
    if intent.dtmf and not _KEYS.fullmatch(intent.dtmf):
        yield f'dtmf: "{intent.dtmf}" can\'t be pressed: up to 32 of 0-9 and *, or # alone, which ends a number'


def _slots(flow: Flow) -> Iterator[Problem]:
    needed = {name for intent in flow.intents.values() for name in intent.needs}
    for name, slot in flow.slots.items():
        for key, text in slots.problems(name, slot):
            yield Problem(("slots", name, key) if key else ("slots", name), text)
        if name not in needed:
            yield Problem(("slots", name), "is asked for by nobody: an intent has to need it")
    for name, intent in flow.intents.items():
        place: Place = ("intents", name)
        for i, slot_name in enumerate(intent.needs):
            if slot_name not in flow.slots:
                yield Problem((*place, "needs", i), f'no slot "{slot_name}" ({did_you_mean(slot_name, flow.slots)})')
        texts: list[tuple[str, Lines]] = [("say", intent.say), ("otherwise", intent.otherwise)]
        for key, said in (*texts, *(("arguments", text) for text in intent.arguments.values())):
            for unknown in sorted(set(slots.placeholders(said)) - set(intent.needs)):
                if flow.slots:
                    yield Problem((*place, key), f"{{{unknown}}} is no slot that this intent needs")


def _where_set(flow: Flow) -> Iterator[Problem]:
    for name, intent in flow.intents.items():
        place: Place = ("intents", name, "where_set")
        if intent.where_set and intent.where_set not in flow.intents:
            yield Problem(place, f'no intent "{intent.where_set}" ({did_you_mean(intent.where_set, flow.intents)})')
        elif intent.where_set and not flow.intents[intent.where_set].asks:
            yield Problem(place, f"{intent.where_set} asks nothing that can be set: it needs webhook: true, or tool")


def _tools(flow: Flow, tools: Collection[str] | None) -> Iterator[Problem]:
    for name, intent in flow.intents.items():
        if intent.tool and tools is not None and intent.tool not in tools:
            cure = did_you_mean(intent.tool, tools) if tools else f"there is none: add [ai.tools.{intent.tool}] to the settings"
            yield Problem(("intents", name, "tool"), f'no tool "{intent.tool}" in ai.tools ({cure})')


def _unreachable(flow: Flow) -> Iterator[Problem]:
    targets = {target for _, reply in _replies(flow) for target in reply.next.values()}
    targets |= {intent.where_set for intent in flow.intents.values()}
    for name, intent in flow.intents.items():
        if not (intent.examples or intent.dtmf or name in targets):
            yield Problem(("intents", name), "can't be reached: it needs examples, dtmf, or a next that leads to it")


def _alike(flow: Flow) -> Iterator[Problem]:
    lists: dict[tuple[str, ...], int] = {}
    for i, some in enumerate(flow.alike):
        if len(some) < 2:
            yield Problem(("alike", i), "needs at least two words that mean the same")
        for j, text in enumerate(some):
            heard = words(text)
            if not heard:
                yield Problem(("alike", i, j), f'"{text}" has no word in it')
            elif lists.setdefault(heard, i) != i:
                yield Problem(("alike", i, j), f'"{text}" is in list {lists[heard] + 1} too, which is meant?')


def _ambiguous(flow: Flow) -> Iterator[Problem]:
    alike = Alike(some for some in flow.alike if all(words(text) for text in some))
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    by_words: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, intent in flow.intents.items():
        if intent.dtmf:
            by_key[intent.dtmf].append(name)
        for i, example in enumerate(intent.examples):
            heard = alike.taken(words(example))
            if example.strip() and not heard:
                yield Problem(("intents", name, "examples", i), f'"{example}" has no word in it')
            elif heard and name not in by_words[heard]:
                by_words[heard].append(name)
                if len(by_words[heard]) > 1:
                    first = by_words[heard][0]
                    yield Problem(("intents", name, "examples", i), f'"{example}" is an example of {first} too, which is meant?')
    for key, names in by_key.items():
        for name in names[1:]:
            yield Problem(("intents", name, "dtmf"), f'"{key}" is the key of {names[0]} already')


def _nexts(flow: Flow) -> Iterator[Problem]:
    for place, reply in _replies(flow):
        if reply.next and reply.then:
            yield Problem((*place, "next"), f"nothing comes next: the call ends by then: {reply.then}")
        for answer, target in reply.next.items():
            for unknown in (name for name in (answer, target) if name not in flow.intents):
                yield Problem((*place, "next", answer), f'no intent "{unknown}" ({did_you_mean(unknown, flow.intents)})')
            if flow.intents.get(target, Intent()).repeat:
                yield Problem((*place, "next", answer), "leads to an intent that repeats")
