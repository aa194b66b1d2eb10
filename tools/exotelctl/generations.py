"""The generations on this host, as everybody may read them, and the last change of the server's address.

After such a change the old port refuses calls, and the applet may still dial it.
"""

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_GENERATIONS: Final = Path("/etc/exotel-ws/generations")
_TOLD_S: Final = 7 * 86_400.0
"""Seconds for which a change is told; by then somebody has corrected the applet, or nobody calls."""

_LOOPBACK: Final = {"127.0.0.1", "[::1]"}


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation: its release, how many workers it has, since when it serves (Unix seconds, None: never), and where."""

    name: str
    release: str
    workers: int
    served: float | None
    listen: str = ""


def load(generations: Path = _GENERATIONS) -> dict[str, Generation]:
    """Return the generations by name, without those that are being removed or that we did not write."""
    found = {}
    for file in generations.glob("*/generation.json"):
        name, mark = file.parent.name, file.with_name("served")
        try:
            said = json.loads(file.read_text())
            served = datetime.fromisoformat(mark.read_text().strip()).timestamp() if mark.exists() else None
            found[name] = Generation(name, str(said["release"]), int(said["workers"]), served, str(said["listen"]))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found


def address_change(generations: Iterable[Generation], at: float) -> str:
    """Say since when calls are taken at another address; "" if it did not change, or too long before ``at`` (Unix seconds)."""
    history = sorted((one.served, one.listen) for one in generations if one.served is not None and one.listen)
    for (_, before), (since, after) in reversed(list(itertools.pairwise(history))):
        # A port on loopback is dialled by the edge alone, which followed.
        if before != after and not {before.rpartition(":")[0], after.rpartition(":")[0]} <= _LOOPBACK:
            return _change(before, after, since) if at - since < _TOLD_S else ""
    return ""


def _change(before: str, after: str, since: float) -> str:
    old, new = before.rpartition(":")[2], after.rpartition(":")[2]
    when = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M} UTC"
    if old == new:
        return f"calls are taken at {after} since {when}, and at {before} no more"
    return f"calls to port {old} are refused since {when}: the applet has to dial {new}"
