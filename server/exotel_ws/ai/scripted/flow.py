"""Read the file of a scripted flow: what callers may want, by examples, and what to answer. Never call it "AI"."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

import msgspec
import yaml
from msgspec import Meta, Struct

from exotel_ws.ai import text_file
from exotel_ws.ai.scripted.slots import Slot
from exotel_ws.ai.scripted.values import Kind
from exotel_ws.logs import printable

Text = str | dict[str, str]
"""One text, or one for each language: ``{en: Hello., hi: नमस्ते।}``. The first serves callers of any other language."""
Lines = str | list[str] | dict[str, str | list[str]]
"""As `Text`; several lines are said in turn."""
Place = tuple[str | int, ...]

_QUOTES: Final = "a text with one of : ? , # [ ] { } in it needs quotes"
_NOT_TEXT: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_HALF: Final = re.compile("[\ud800-\udfff]")
_MOST: Final = 1000
"""Most characters of a problem's message."""


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence to say; ``then`` follows once it was heard.

    ``next`` changes the meaning of the answer to it: ``{yes: agent}`` makes a "yes" that follows mean the intent ``agent``.
    """

    say: Lines = ""
    then: Literal["", "hang_up", "transfer"] = ""
    next: dict[str, str] = {}


class Intent(Reply, frozen=True, forbid_unknown_fields=True):
    """One wish of callers: said as in one of ``examples``, keyed as ``dtmf``, or reached by ``next``.

    ``where_set`` is the intent that is meant instead, where its webhook or tool is set. ``needs`` are slots that are filled
    first. ``webhook`` asks the user's own system, ``tool`` one of ``ai.tools`` with ``arguments``. ``answer`` is said with what
    it told, ``otherwise`` if that has nothing to say. ``repeat`` says again what was said last.
    """

    examples: list[str] = []
    dtmf: str = ""
    where_set: str = ""
    needs: list[str] = []
    webhook: bool = False
    tool: str = ""
    arguments: dict[str, str] = {}
    answer: Lines = ""
    otherwise: Lines = ""
    repeat: bool = False

    @property
    def asks(self) -> str:
        """Return the name of the tool that answers; empty if there is none."""
        return "webhook" if self.webhook else self.tool

    @property
    def closes(self) -> bool:
        """Return True if no earlier question stays open behind it: it ends the call, or asks for something itself."""
        return bool(self.then or self.needs or self.asks)


class Flow(Struct, frozen=True, forbid_unknown_fields=True):
    """Flow as a whole. ``fallback`` answers unknown sentences: the first reply the first time in a row, then the next.

    ``alike`` are lists of words and phrases that mean the same to it.
    """

    greeting: Text
    fallback: Annotated[list[Reply], Meta(min_length=1)]
    intents: Annotated[dict[str, Intent], Meta(min_length=1)]
    slots: dict[str, Slot] = {}
    alike: list[list[str]] = []

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


def load(path: Path, tools: Collection[str] | None = None) -> Flow:
    """Read the flow in a file. Raises `FlowError` with all problems that can be found at once.

    ``tools`` are the names of ``ai.tools``; None if they are not known.
    """
    try:
        return parse(text_file.read(path), str(path), tools)
    except text_file.NoText as error:
        raise FlowError([f"{path}: {error}"]) from None


def parse(text: str, name: str = "flow", tools: Collection[str] | None = None) -> Flow:
    """Read a flow; see `load`. ``name`` is the name of the file in problems."""
    from exotel_ws.ai.scripted.judging import judged  # which needs the types of this module

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
    problems = flow if isinstance(flow, list) else list(judged(flow, tools))
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
    if isinstance(some := raw.get("slots"), dict):
        found += [each for name, entry in some.items() for each in _unknown(Slot, entry, ("slots", name))]
    if isinstance(intents := raw.get("intents"), dict):
        found += [each for name, entry in intents.items() for each in _unknown(Intent, entry, ("intents", name))]
    return found


def _unknown(struct: type[Struct], raw: Any, place: Place) -> Iterator[Problem]:
    for key in raw if isinstance(raw, dict) else ():
        if key not in struct.__struct_fields__:
            yield Problem((*place, key), f"unknown key ({did_you_mean(key, struct.__struct_fields__)})")


def _converted(raw: Any) -> Flow | list[Problem]:
    """Convert piece by piece, since msgspec names only the first problem of a value, without the key of its mapping."""
    pieces: list[tuple[Place, Any, Any]] = [(("greeting",), raw.get("greeting"), Text)]
    fallback, intents = raw.get("fallback"), raw.get("intents")
    if isinstance(fallback, list):
        fallback = [{"say": entry} if isinstance(entry, str) else entry for entry in fallback]
        pieces += [(("fallback", i), entry, Reply) for i, entry in enumerate(fallback)]
    if isinstance(some := raw.get("slots"), dict):
        some = {name: _counted(entry) for name, entry in some.items()}
        pieces += [(("slots", name), entry, Slot) for name, entry in some.items()]
    if isinstance(intents, dict):
        pieces += [(("intents", name), entry, Intent) for name, entry in intents.items()]
    whole = raw | {
        key: value for key, value in (("fallback", fallback), ("intents", intents), ("slots", some)) if value is not None
    }
    problems = [problem for piece in pieces if (problem := _unlike(*piece))]
    if problems:
        return problems
    last = _unlike((), whole, Flow)
    return [last] if last else msgspec.convert(whole, Flow)


def _counted(entry: Any) -> Any:
    """Return a slot's entry with its ``digits`` as numbers, of which one may stand alone: scalars of a flow are read as texts."""
    if not isinstance(entry, dict) or "digits" not in entry:
        return entry
    told = entry["digits"]
    counts = told if isinstance(told, list) else [told]
    return entry | {"digits": [int(one) if isinstance(one, str) and one.isdecimal() else one for one in counts]}


def _unlike(place: Place, raw: Any, kind: Any) -> Problem | None:
    if raw is None and place == ("greeting",):
        return Problem((), "needs greeting: what every caller hears first")
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        if text.startswith("Invalid enum value"):
            text += f" (it can be: {', '.join(get_args(Kind) if place[0] == 'slots' else ('hang_up', 'transfer'))})"
        within = (int(index) if index else key for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", where))
        return Problem((*place, *within), text)
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the name in ``known`` that ``name`` is most like, as a question; all of them if it is like none."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
