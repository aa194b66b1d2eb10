"""The generations on this host, as everybody may read them, and the last change of the server's address.

After such a change the old port refuses calls, and the applet may still dial it.
"""

import itertools
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from exotel_phone.exits import UsageFault
from exotel_phone.target import parse

_GENERATIONS: Final = Path("/etc/exotel-ws/generations")
_TOLD_S: Final = 7 * 86_400.0
"""Seconds for which a change is told; by then somebody has corrected the applet, or nobody calls."""

_LOOPBACK: Final = {"127.0.0.1", "[::1]"}
_WILDCARDS: Final = {"0.0.0.0", "[::]"}


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation: its release, how many workers it has, since when it serves (Unix seconds, None: never), and where.

    ``dialled`` is the scheme and the port of its public URL; None if there is none, or this user may not read it.
    """

    name: str
    release: str
    workers: int
    served: float | None
    listen: str = ""
    dialled: tuple[str, int] | None = None


def load(generations: Path = _GENERATIONS) -> dict[str, Generation]:
    """Return the generations by name, without those that are being removed or that we did not write."""
    found = {}
    for file in generations.glob("*/generation.json"):
        name, mark = file.parent.name, file.with_name("served")
        try:
            said = json.loads(file.read_text())
            served = datetime.fromisoformat(mark.read_text().strip()).timestamp() if mark.exists() else None
            listen, dialled = str(said["listen"]), _dialled(file.with_name("settings.toml"))
            found[name] = Generation(name, str(said["release"]), int(said["workers"]), served, listen, dialled)
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found


def _dialled(settings: Path) -> tuple[str, int] | None:
    try:
        target = parse(str(tomllib.loads(settings.read_text("utf-8"))["public_url"]))
    except (OSError, ValueError, KeyError, UsageFault):
        return None
    return "wss" if target.secure else "ws", target.port


def address_change(generations: Iterable[Generation], at: float) -> str:
    """Say since when callers have to dial another address; "" if it did not change, or too long before ``at`` (Unix seconds)."""
    served = [(one.served, one) for one in generations if one.served is not None and one.listen]
    history = sorted(served, key=lambda item: (item[0], item[1].name))
    for (_, before), (since, after) in reversed(list(itertools.pairwise(history))):
        # A port on loopback is dialled by the edge alone, which followed.
        if before.listen != after.listen and not {_host(before), _host(after)} <= _LOOPBACK:
            return _change(before, after, since) if at - since < _TOLD_S else ""
    return ""


def _change(before: Generation, after: Generation, since: float) -> str:
    when = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M} UTC"
    if before.dialled and after.dialled and before.dialled[0] != after.dialled[0]:
        # An edge came or went: callers know nothing of the address behind it.
        (was, old), (now, new) = before.dialled, after.dialled
        return f"calls by {was}:// to port {old} are refused since {when}: the applet has to dial {now}:// and port {new}"
    if _port(before) != _port(after) and _host(after) not in _LOOPBACK:
        return f"calls to port {_port(before)} are refused since {when}: the applet has to dial {_port(after)}"
    if _host(after) in _WILDCARDS:
        return f"calls are taken at {after.listen} since {when}, and before at {before.listen} only"
    return f"calls are taken at {after.listen} since {when}, and at {before.listen} no more"


def _host(generation: Generation) -> str:
    return generation.listen.rpartition(":")[0]


def _port(generation: Generation) -> str:
    return generation.listen.rpartition(":")[2]
