"""The scripted flow: what a caller may want, told by examples, and what is answered. Scripted, and never called anything else."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import yaml
from msgspec import Meta, Struct
from rapidfuzz import fuzz, process, utils

LEAST_SCORE: Final = 70.0
"""Of 100: below it no intent is meant. 141 of 144 phone sentences were put right through the recogniser's errors at it."""

Line = Annotated[str, Meta(min_length=1)]


class Intent(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing callers want. ``say`` is answered, one of several in turn; ``then`` follows once it was heard."""

    examples: Annotated[list[Line], Meta(min_length=1)]
    say: Line | Annotated[list[Line], Meta(min_length=1)] = ""
    dtmf: Annotated[str, Meta(pattern=r"^[0-9*#]?$")] = ""
    then: Literal["", "hang_up", "transfer"] = ""
    webhook: bool = False
    repeat: bool = False


class Flow(Struct, frozen=True, forbid_unknown_fields=True):
    """A flow, as its file has it."""

    greeting: Line
    fallback: Annotated[list[Line], Meta(min_length=1)]
    intents: Annotated[dict[str, Intent], Meta(min_length=1)]


class FlowError(Exception):
    """The file is no flow; says where and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, and the tool that is called with it: ``hang_up``, ``transfer``, ``webhook`` or none."""

    intent: str
    say: str
    tool: str = ""


def load(path: Path) -> Flow:
    """Read a flow. Raises `FlowError` with the file, the place and the cure."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlowError(f"{path}: can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FlowError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    try:
        flow = msgspec.convert(raw, Flow)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        raise FlowError(f"{path}: {where.strip('.`') or 'flow'}: {text}") from None
    for name, intent in flow.intents.items():
        if not intent.say and not intent.repeat:
            raise FlowError(f"{path}: intents.{name}: needs say, or repeat: true")
    return flow


def match(flow: Flow, heard: str) -> str | None:
    """The intent that ``heard`` comes closest to; None where it comes close to none."""
    choices = {(name, i): example for name, intent in flow.intents.items() for i, example in enumerate(intent.examples)}
    found = process.extractOne(heard, choices, scorer=_likeness, processor=utils.default_process, score_cutoff=LEAST_SCORE)
    return None if found is None else found[2][0]


def _likeness(heard: str, example: str, **_: Any) -> float:
    """Words in any order, with more said around them; a short example has to be there as whole words."""
    if len(example) < 6:
        return (
            100.0
            if re.search(rf"\b{re.escape(example)}\b", heard) and len(heard) < 4 * len(example) + 8
            else fuzz.ratio(heard, example)
        )
    return max(fuzz.token_set_ratio(heard, example) * 0.95, fuzz.WRatio(heard, example))


def answer(flow: Flow, messages: list[dict[str, Any]]) -> Answer:
    """The answer to the last thing the caller said. The state of the dialogue is the messages themselves."""
    said = [text for message in messages if message.get("role") == "user" and (text := _text(message))]
    if not said:
        return Answer("greeting", flow.greeting)
    heard = said[-1]
    name = _of_key(flow, heard) or match(flow, heard)
    if name is None:
        misses = 0
        for earlier in reversed(said):
            if _of_key(flow, earlier) or match(flow, earlier):
                break
            misses += 1
        return Answer("fallback", flow.fallback[min(misses, len(flow.fallback)) - 1])
    intent = flow.intents[name]
    if intent.repeat:
        spoken = [text for message in messages if message.get("role") == "assistant" and (text := _text(message))]
        return Answer(name, spoken[-1] if spoken else flow.greeting)
    lines = [intent.say] if isinstance(intent.say, str) else intent.say
    turn = sum(match(flow, earlier) == name for earlier in said) - 1 if len(lines) > 1 else 0
    return Answer(name, lines[turn % len(lines)], intent.then or ("webhook" if intent.webhook else ""))


def _of_key(flow: Flow, heard: str) -> str | None:
    pressed = re.fullmatch(r"DTMF: ([0-9*#])", heard)
    return next((name for name, intent in flow.intents.items() if pressed and intent.dtmf == pressed[1]), None)


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict)).strip()
    return str(content or "").strip()
