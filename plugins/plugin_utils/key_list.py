"""Find and change the list of keys in the text of a YAML file. The rest of the text stays as it is, comments too. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

NAME = "exotel_ws_credentials"
_VAULT = "!vault"
_TEXT = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_AS_A_LIST = f"write {NAME} as a list, one entry a line, each after a dash"


class Unfit(ValueError):
    """Raised for a text that cannot be read or changed here; says why, and shows nothing of it."""


@dataclass(frozen=True)
class Entry:
    """Entry of the list, as it is written: ``user:token``, or what Ansible Vault made of it if `vaulted`. No repr shows it."""

    text: str = field(repr=False)
    vaulted: bool = False


def entries(text: str) -> list[Entry] | None:
    """Return the entries of the list, None if the variable is not set. Raises `Unfit`."""
    value = _value(_root(text))
    return None if value is None else _entries(value)


def with_entry(text: str, entry: Entry) -> str:
    """Return `text` with one entry more, the last. Raises `Unfit`."""
    value = _value(_root(text))
    if value is None:
        begun = text if not text or text.endswith("\n") else f"{text}\n"
        after, before = f"{begun}{NAME}:\n{_item(entry, 2)}", []
    else:
        before = _entries(value)
        if isinstance(value, yaml.SequenceNode) and not value.flow_style:
            end = _line_end(text, value.value[-1])
            after = f"{text[:end]}\n{_item(entry, value.start_mark.column)}{text[end + 1 :]}"
        else:
            after = _rewritten(text, value, [*before, entry])
    return _checked(text, after, [*before, entry])


def without_entry(text: str, number: int) -> str:
    """Return `text` without the entry of this `number`, from 0 on. Raises `Unfit`."""
    value = _value(_root(text))
    if value is None:
        raise Unfit(f"it sets no {NAME}")
    before = _entries(value)
    left = [*before[:number], *before[number + 1 :]]
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        node = value.value[number]
        dash = text.rindex("-", value.start_mark.index, node.start_mark.index)
        begin = text.rindex("\n", 0, dash) + 1
        after = text[:begin] + text[_line_end(text, node) + 1 :]
    else:
        after = _rewritten(text, value, left)
    return _checked(text, after, left)


def _root(text: str) -> yaml.MappingNode | None:
    """Return the variables; None if there are none yet. PyYAML's own words are left out, for they cite the text."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except RecursionError:
        raise Unfit("it is nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unfit(f"it is not YAML{f': look at line {mark.line + 1}' if mark else ''}") from None
    if len(documents) > 1:
        raise Unfit("it has several YAML documents, of which Ansible takes one: make it one")
    root = documents[0] if documents else None
    if root is None or root.tag == _NULL:
        return None
    if not isinstance(root, yaml.MappingNode):
        raise Unfit("it holds no variables: write name: value, one a line")
    return root


def _value(root: yaml.MappingNode | None) -> yaml.Node | None:
    found = [value for key, value in root.value if key.value == NAME] if root else []
    if len(found) > 1:
        raise Unfit(f"it sets {NAME} twice, and only the last counts: remove one")
    return found[0] if found else None


def _entries(value: yaml.Node) -> list[Entry]:
    if value.tag == _NULL:
        return []
    if isinstance(value, yaml.SequenceNode):
        return [_entry(node, number) for number, node in enumerate(value.value, 1)]
    return [_entry(value, 1)]


def _entry(node: yaml.Node, number: int) -> Entry:
    if not isinstance(node, yaml.ScalarNode) or node.tag not in (_TEXT, _VAULT):
        raise Unfit(f"entry {number} of {NAME} is no text: put it in quotes")
    text = node.value.strip()
    if "{{" in text:
        raise Unfit(f"its {NAME} is a template: name the file that holds the list itself, and give it that name there")
    if text.startswith("["):
        raise Unfit(_AS_A_LIST)
    return Entry("".join(f"{line.strip()}\n" for line in text.splitlines()) if node.tag == _VAULT else text, node.tag == _VAULT)


def _item(entry: Entry, column: int) -> str:
    """Return the lines of an item whose dash is in this `column`."""
    if not entry.vaulted:
        return f"{' ' * column}- {json.dumps(entry.text)}\n"
    lines = "".join(f"{' ' * (column + 4)}{line}\n" for line in entry.text.splitlines())
    return f"{' ' * column}- {_VAULT} |\n{lines}"


def _end(text: str, node: yaml.Node) -> int:
    """Return where `node` ends, without the blank lines that a text in several lines takes with it."""
    start: int = node.start_mark.index
    return start + len(text[start : node.end_mark.index].rstrip())


def _line_end(text: str, node: yaml.Node) -> int:
    """Return where the last line of `node` ends, with a comment that stands in it."""
    end = text.find("\n", _end(text, node))
    return len(text) if end < 0 else end


def _rewritten(text: str, value: yaml.Node, wanted: Sequence[Entry]) -> str:
    """Return `text` with a list of one entry a line in place of `value`; a comment behind it stays in the first line."""
    start, end, line_end = value.start_mark.index, _end(text, value), _line_end(text, value)
    nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
    spans = zip([start, *(node.end_mark.index for node in nodes)], [*(node.start_mark.index for node in nodes), end])
    if any("#" in text[begin:until] for begin, until in spans):
        raise Unfit(f"there is a comment within its {NAME}: {_AS_A_LIST}")
    items = "".join(_item(entry, 2) for entry in wanted)
    return f"{text[:start].rstrip()}{text[end:line_end]}\n{items}{text[line_end + 1 :]}"


def _checked(before: str, after: str, wanted: Sequence[Entry]) -> str:
    """Return `after`. Raises `Unfit` if it does not hold the `wanted` entries, and all else that `before` holds."""
    try:
        if entries(after) == list(wanted) and _others(after) == _others(before):
            return after
    except Unfit:
        pass
    raise Unfit(f"it is written in a way that cannot be changed here: {_AS_A_LIST}")


def _others(text: str) -> str:
    root = _root(text)
    pairs = [(key, value) for key, value in root.value if key.value != NAME] if root else []
    return str(yaml.serialize(yaml.MappingNode("tag:yaml.org,2002:map", pairs), Dumper=yaml.SafeDumper))
