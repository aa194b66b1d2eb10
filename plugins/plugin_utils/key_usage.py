"""Judge from what hosts answered to ``exotelctl keys`` which key is still in use, and show it. Pure; no key is in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.status import columns
from .tool_answers import tool_fault

RECENT_S = 3600.0
"""Seconds within which a key that was shown is still in use."""
_ANSWERED = (0, 1)
_MOST_BYTES = 1 << 20
_MOST_NAME = 60


@dataclass(frozen=True)
class Use:
    """Use of a key on one host: its state there, ages in seconds by that host's clock, and how often it was shown where."""

    name: str
    state: str
    known_s: float | None
    used_s: float | None
    places: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """Answer of a host: the use of each key by its id, or the reason why it has none."""

    host: str
    fault: str = ""
    uses: Mapping[str, Use] = field(default_factory=dict)


def key_id(key: str) -> str:
    """Return the id under which servers record the use of `key`: 16 hex digits of its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def answers(hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]]) -> list[Answer]:
    """Return the answer of each host.

    `variables` has, by host, ``__keys_asked``, the result of the task that asked, and ``__preflight_look``, that of the task
    before, which stands for it where it was skipped.
    """
    return [_answer(host, variables[host]) for host in hosts]


def _answer(host: str, variables: Mapping[str, Any]) -> Answer:
    asked = variables.get("__keys_asked") or {"skipped": True}
    result = (variables.get("__preflight_look") or {}) if asked.get("skipped") else asked
    said = str(result.get("stdout") or "")
    if result.get("rc", -1) not in _ANSWERED or not said:
        return Answer(host, tool_fault(result))
    try:
        if len(said) > _MOST_BYTES:
            raise ValueError
        told = json.loads(said)
        if told["problem"]:
            return Answer(host, _shown(told["problem"], 300))
        return Answer(host, uses={str(key["id"]): _use(key, float(told["time"])) for key in told["keys"]})
    except (ValueError, KeyError, TypeError, AttributeError):
        return Answer(host, "its answer is not that of exotelctl keys --json")


def _use(key: Mapping[str, Any], now: float) -> Use:
    places = {_shown(name): int(place["count"]) for name, place in key["places"].items() if place["count"]}
    return Use(_shown(key["name"]), _shown(key["state"]), _age(now, key["since"]), _age(now, key["last"]), places)


def _age(now: float, then: Any) -> float | None:
    return None if then is None else max(0.0, now - float(then))


def _shown(text: Any, most: int = _MOST_NAME) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(text))[:most]


def still_used(key: str, found: Sequence[Answer]) -> str:
    """Return why `key` should not be retired, as far as hosts answered; empty if nothing speaks against it."""
    seen = [(answer.host, answer.uses[key_id(key)]) for answer in found if key_id(key) in answer.uses]
    recent = [
        f"{host} saw it {age(use.used_s)} ago ({', '.join(use.places)})"
        for host, use in seen
        if use.used_s is not None and use.used_s < RECENT_S
    ]
    if recent:
        return f"it is still in use: {'; '.join(recent)}"
    return "" if any(not answer.fault for answer in found) else "no host could be asked whether it is still in use"


def unused(keys: Sequence[str], found: Sequence[Answer]) -> bool:
    """Return True if hosts answered, and none of them ever saw one of these `keys`."""
    ids = {key_id(key) for key in keys}
    told = [answer for answer in found if not answer.fault]
    return bool(told) and not any(use.used_s is not None for answer in told for id, use in answer.uses.items() if id in ids)


def table(keys: Sequence[str], names: Sequence[str], found: Sequence[Answer]) -> str:
    """Return a line for each key and host that answered: those of the file by their `names`, then what else hosts know."""
    cells: list[tuple[str, ...]] = [("KEY", "IN THE FILE", "HOST", "STATE", "KNOWN", "LAST USED", "WHERE")]
    told = [answer for answer in found if not answer.fault]
    for key, name in zip(keys, names):
        rows = [_cells(answer.host, answer.uses.get(key_id(key))) for answer in told] or [("-", *"?" * 4)]
        cells += [(name if row is rows[0] else "", "yes" if row is rows[0] else "", *row) for row in rows]
    ours = {key_id(key) for key in keys}
    others = [(use.name, answer.host, use) for answer in told for id, use in answer.uses.items() if id not in ours]
    cells += [(name, "no", *_cells(host, use)) for name, host, use in sorted(others, key=lambda other: other[:2])]
    return columns(cells)


def _cells(host: str, use: Use | None) -> tuple[str, ...]:
    if use is None:
        return (host, "not deployed", "-", "never", "-")
    where = ", ".join(f"{place} {count}" for place, count in use.places.items()) or "-"
    return (host, use.state, age(use.known_s), "never" if use.used_s is None else f"{age(use.used_s)} ago", where)


def faults(found: Sequence[Answer]) -> list[str]:
    """Return a line for each host that did not answer."""
    return [f"{answer.host} did not tell: {answer.fault}" for answer in found if answer.fault]


def age(seconds: float | None) -> str:
    """Return a duration in its largest unit, such as ``12 min``; a dash for an unknown one."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
