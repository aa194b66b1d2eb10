"""Read the file of a scripted flow: what callers may want, by examples, and what to answer. Never call it "AI"."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import yaml
from msgspec import Meta, Struct

from exotel_ws.ai import text_file
from exotel_ws.ai.scripted.likeness import words
from exotel_ws.logs import printable

Text = str | dict[str, str]
"""One text, or one for each language: ``{en: Hello., hi: नमस्ते।}``. The first serves callers of any other language."""
Lines = str | list[str] | dict[str, str | list[str]]
"""As `Text`; several lines are said in turn."""
Place = tuple[str | int, ...]

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_QUOTES: Final = "a text with one of : ? , # [ ] { } in it needs quotes"
_NOT_TEXT: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_HALF: Final = re.compile("[\ud800-\udfff]")
_MOST: Final = 1000
"""Most characters of a problem's message."""
_KEYS: Final = re.compile(r"#|[0-9*]{1,32}")


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence to say; ``then`` follows once it was heard.

    ``next`` changes the meaning of the answer to it: ``{yes: agent}`` makes a "yes" that follows mean the intent ``agent``.
    """

    say: Lines = ""
    then: Literal["", "hang_up", "transfer"] = ""
    next: dict[str, str] = {}


class Intent(Reply, frozen=True, forbid_unknown_fields=True):
    """One wish of callers: said as in one of ``examples``, keyed as ``dtmf``, or reached by ``next``.

    ``webhook`` asks the user's own system, and ``otherwise`` is said if that has nothing to say. ``repeat`` says again what was
    said last.
    """

    examples: list[str] = []
    dtmf: str = ""
    webhook: bool = False
    otherwise: Lines = ""
    repeat: bool = False


class Flow(Struct, frozen=True, forbid_unknown_fields=True):
    """Flow as a whole. ``fallback`` answers unknown sentences: the first reply the first time in a row, then the next."""

    greeting: Text
    fallback: Annotated[list[Reply], Meta(min_length=1)]
    intents: Annotated[dict[str, Intent], Meta(min_length=1)]

    def greeting_in(self, language: str) -> str:
        """Return the greeting in ``language``, as `lines` chooses it."""
        return lines(self.greeting, language)[0]

    def languages(self) -> list[str]:
        """Return the languages of its texts; none if they are in one that is not named."""
        return list(self.greeting) if isinstance(self.greeting, dict) else []


class FlowError(Exception):
    """The file is no flow. Each of ``problems`` says where it is, what is wrong, and what to do."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = [printable(problem, _MOST) for problem in problems]
        super().__init__("\n".join(self.problems))


class Problem(NamedTuple):
    """A problem, and the keys and indices that lead to its place."""

    place: Place
    text: str


def load(path: Path) -> Flow:
    """Read the flow in a file. Raises `FlowError` with all problems that can be found at once."""
    try:
        return parse(text_file.read(path), str(path))
    except text_file.NoText as error:
        raise FlowError([f"{path}: {error}"]) from None


def parse(text: str, name: str = "flow") -> Flow:
    """Read a flow; see `load`. ``name`` is the name of the file in problems."""
    try:
        read = _Reading(yaml.compose(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FlowError([f"{name}:{line}: not YAML: {error.problem} ({_QUOTES})"]) from None
    except yaml.YAMLError as error:
        raise FlowError([f"{name}: not YAML: {' '.join(str(error).split())}"]) from None
    except RecursionError:
        raise FlowError([f"{name}: lists or mappings are nested too deep"]) from None
    problems = read.problems or _unknown_keys(read.plain)
    flow: Flow | list[Problem] = problems or _converted(read.plain)
    problems = flow if isinstance(flow, list) else list(_judged(flow))
    if isinstance(flow, list) or problems:
        raise FlowError([_told(name, problem, read.lines) for problem in problems])
    return flow


def lines(said: Lines | Text, language: str) -> list[str]:
    """Return what to say in ``language``: its own lines, else those of its family (hi for hi-IN), else the first language's."""
    if isinstance(said, dict):
        known = {tag.lower(): text for tag, text in said.items()}
        wanted = language.lower()
        said = known.get(wanted) or known.get(wanted.partition("-")[0]) or next(iter(said.values()))
    return [said] if isinstance(said, str) else said


# Reading


class _Loader(yaml.SafeLoader):
    """Load YAML without aliases, since a node may hold itself, and without lone surrogates, which no request can carry."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) have no place here", problem_mark=mark)
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor: Any) -> Any:
        node = super().compose_scalar_node(anchor)
        if _HALF.search(node.value):
            raise yaml.MarkedYAMLError(problem="half a character: write the whole one itself", problem_mark=node.start_mark)
        return node


class _Reading:
    """Values of a document, and the line of each place.

    All but true, false and nothing is text: YAML would change ``yes`` and ``0``, which callers say and press.
    """

    def __init__(self, node: yaml.Node | None) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self.plain = self._value(node, ()) if node else None

    def _value(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, i)) for i, item in enumerate(node.value)]
        quoted = isinstance(node, yaml.ScalarNode) and node.style
        return node.value if quoted else _NOT_TEXT.get(node.value, node.value)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(place, f"the key in line {key_node.start_mark.line + 1} has to be a text"))
                continue
            key = key_node.value
            within = (*place, key)
            if key in made:
                self.problems.append(Problem(within, f"is there a second time, in line {key_node.start_mark.line + 1}"))
                continue
            self.lines[within] = key_node.start_mark.line + 1
            made[key] = self._value(value_node, within)
        return made


def _told(name: str, problem: Problem, known: dict[Place, int]) -> str:
    place = problem.place
    nearest = next((place[:length] for length in range(len(place), -1, -1) if place[:length] in known), ())
    path = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return f"{name}:{known.get(nearest, 1)}: {path}{': ' if path else ''}{problem.text}"


def _unknown_keys(raw: Any) -> list[Problem]:
    if not isinstance(raw, dict):
        return [Problem((), "needs greeting, fallback and intents")]
    found = list(_unknown(Flow, raw, ()))
    if isinstance(fallback := raw.get("fallback"), list):
        found += [each for i, entry in enumerate(fallback) for each in _unknown(Reply, entry, ("fallback", i))]
    if isinstance(intents := raw.get("intents"), dict):
        found += [each for name, entry in intents.items() for each in _unknown(Intent, entry, ("intents", name))]
    return found


def _unknown(struct: type[Struct], raw: Any, place: Place) -> Iterator[Problem]:
    for key in raw if isinstance(raw, dict) else ():
        if key not in struct.__struct_fields__:
            yield Problem((*place, key), f"unknown key ({_did_you_mean(key, struct.__struct_fields__)})")


def _converted(raw: Any) -> Flow | list[Problem]:
    """Convert piece by piece, since msgspec names only the first problem of a value, without the key of its mapping."""
    pieces: list[tuple[Place, Any, Any]] = [(("greeting",), raw.get("greeting"), Text)]
    fallback, intents = raw.get("fallback"), raw.get("intents")
    if isinstance(fallback, list):
        fallback = [{"say": entry} if isinstance(entry, str) else entry for entry in fallback]
        pieces += [(("fallback", i), entry, Reply) for i, entry in enumerate(fallback)]
    if isinstance(intents, dict):
        pieces += [(("intents", name), entry, Intent) for name, entry in intents.items()]
    whole = raw | {key: value for key, value in (("fallback", fallback), ("intents", intents)) if value is not None}
    problems = [problem for piece in pieces if (problem := _unlike(*piece))]
    if problems:
        return problems
    last = _unlike((), whole, Flow)
    return [last] if last else msgspec.convert(whole, Flow)


def _unlike(place: Place, raw: Any, kind: Any) -> Problem | None:
    if raw is None and place == ("greeting",):
        return Problem((), "needs greeting: what every caller hears first")
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        if text.startswith("Invalid enum value"):
            text += " (it can be: hang_up, transfer)"
        within = (int(index) if index else key for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", where))
        return Problem((*place, *within), text)
    return None


# Judging


def _judged(flow: Flow) -> Iterator[Problem]:
    yield from _texts(flow)
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
            said.append(((*place, "otherwise"), reply.otherwise))
            said.append(((*place, "examples"), reply.examples))
        elif not reply.say:
            yield Problem(place, "needs say")
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
    if intent.repeat and (intent.say or intent.then or intent.webhook or intent.next):
        yield "repeat: true says the last again: say, then, next and webhook have no place beside it"
    elif not (intent.say or intent.repeat or intent.webhook):
        yield "needs say, or repeat: true" + (f": what is heard before {intent.then}" if intent.then else "")
    if intent.webhook and not intent.otherwise:
        yield "webhook: true needs otherwise: what is said where the webhook fails, or answers nothing to say"
    if intent.otherwise and not intent.webhook:
        yield "otherwise is said where a webhook has nothing to say: it needs webhook: true"
    if intent.dtmf and not _KEYS.fullmatch(intent.dtmf):
        yield f'dtmf: "{intent.dtmf}" can\'t be pressed: up to 32 of 0-9 and *, or # alone, which ends a number'


def _unreachable(flow: Flow) -> Iterator[Problem]:
    targets = {target for _, reply in _replies(flow) for target in reply.next.values()}
    for name, intent in flow.intents.items():
        if not (intent.examples or intent.dtmf or name in targets):
            yield Problem(("intents", name), "can't be reached: it needs examples, dtmf, or a next that leads to it")


def _ambiguous(flow: Flow) -> Iterator[Problem]:
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    by_words: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, intent in flow.intents.items():
        if intent.dtmf:
            by_key[intent.dtmf].append(name)
        for i, example in enumerate(intent.examples):
            heard = words(example)
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
                yield Problem((*place, "next", answer), f'no intent "{unknown}" ({_did_you_mean(unknown, flow.intents)})')
            if flow.intents.get(target, Intent()).repeat:
                yield Problem((*place, "next", answer), "leads to an intent that repeats")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
