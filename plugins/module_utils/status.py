"""Say in a few lines what a host does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .generation import Generation
from .paths import SOCKET, generation_of
from .plan import HostFacts


class Row(NamedTuple):
    """One generation. `calls_live` is None when an instance that runs does not answer."""

    generation: str
    state: str
    release: str
    calls_live: int | None
    instances: Mapping[str, str]
    created: str
    created_by: str
    served: str | None
    rollback_of: str | None


def rows(facts: HostFacts, calls: Mapping[str, int | None]) -> list[Row]:
    """Return a row per generation, newest first. `calls` is the number of live calls of each instance that runs."""
    found = []
    for name, generation in sorted(facts.generations.items(), reverse=True):
        instances = {other: state.active for other, state in facts.instances.items() if generation_of(other) == name}
        counts = [calls[other] for other in instances if other in calls]
        found.append(
            Row(
                generation=name,
                state=_state(generation, name == facts.current, set(instances.values())),
                release=generation.content.release,
                calls_live=None if None in counts else sum(count or 0 for count in counts),
                instances=instances,
                created=generation.created,
                created_by=generation.created_by,
                served=generation.served,
                rollback_of=generation.rollback_of,
            )
        )
    return found


def table(found: Sequence[Row], socket: Mapping[str, str | None]) -> str:
    """Return the rows and the socket as text in columns, a line each."""
    cells = [("GENERATION", "STATE", "CALLS", "RELEASE", "WORKERS", "SERVED SINCE", "BY")]
    for row in found:
        calls = "?" if row.calls_live is None else str(row.calls_live)
        since = row.served or "never"
        by = f"{row.created_by}, rollback to {row.rollback_of}" if row.rollback_of else row.created_by
        cells.append((row.generation, row.state, calls, row.release, _tally(row.instances.values()), since, by))
    text = columns(cells) if found else "no generation on this host: run deploy.yml"
    port = f"port {socket['listen'] or '-'}: {SOCKET} is {socket['active']}, starts {socket['service'] or '-'}"
    return f"{text}\n{port}"


def columns(cells: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as text in columns, a line each."""
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)


def _state(generation: Generation, current: bool, active: set[str]) -> str:
    if current:
        if "active" in active:
            return "serving"
        return "starting" if "activating" in active else "down"
    for found, name in (("deactivating", "draining"), ("active", "stray"), ("activating", "stray"), ("failed", "failed")):
        if found in active:
            return name
    return "kept" if generation.served else "failed"


def _tally(states: Iterable[str]) -> str:
    counted = sorted(states)
    return " ".join(f"{counted.count(state)} {state}" for state in sorted(set(counted))) or "-"
