"""Find the last move of the server's address: the old port refuses calls, and the applet may still dial it."""

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_GENERATIONS: Final = Path("/etc/exotel-ws/generations")
_TOLD_S: Final = 7 * 86_400.0
"""Seconds for which a move is reported; by then somebody has corrected the applet, or nobody calls."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Move at ``since`` (Unix seconds) from the address ``listen`` to the address ``now``."""

    listen: str
    now: str
    since: float

    def __str__(self) -> str:
        old, new = self.listen.rpartition(":")[2], self.now.rpartition(":")[2]
        when = f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M} UTC"
        if old == new:
            return f"calls are taken at {self.now} since {when}, and at {self.listen} no more"
        return f"calls to port {old} are refused since {when}: the applet has to dial {new}"


def last(served: Iterable[tuple[float, str]], at: float) -> Moved | None:
    """Return the last change of address among ``served`` (Unix seconds, address); None if it was too long before ``at``."""
    history = sorted(served)
    for (_, before), (since, after) in reversed(list(itertools.pairwise(history))):
        if before != after:
            return Moved(before, after, since) if at - since < _TOLD_S else None
    return None


def look(at: float, generations: Path = _GENERATIONS) -> Moved | None:
    """Return the last move on this host that is still worth telling at ``at`` (Unix seconds)."""
    served = []
    for file in generations.glob("*/served"):
        try:
            since = datetime.fromisoformat(file.read_text().strip()).timestamp()
            served.append((since, str(json.loads(file.with_name("generation.json").read_text())["listen"])))
        except (OSError, ValueError, TypeError, KeyError):  # A generation being removed, or a file that we did not write.
            continue
    return last(served, at)
