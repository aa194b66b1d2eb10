"""Mark of a host taken out of service on purpose; it survives a reboot and has the time, the person and the reason."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

from . import files
from .paths import Paths

_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Maintenance:
    """Mark of a host in maintenance: `since` is a UTC time, `who` asked for it, `reason` may be empty."""

    since: str
    who: str
    reason: str = ""

    def __str__(self) -> str:
        return f"in maintenance since {self.since}, by {self.who}" + (f": {self.reason}" if self.reason else "")


def read(paths: Paths) -> Maintenance | None:
    """Return the mark, None on a host that is in service. A mark that cannot be read still counts as one."""
    text = files.read(paths.maintenance)
    if text is None:
        return None
    try:
        said = json.loads(text)
        return Maintenance(*(_shown(str(said.get(name, ""))) for name in ("since", "who", "reason")))
    except (ValueError, AttributeError):
        return Maintenance("an unknown time", "somebody")


def begin(paths: Paths, who: str, reason: str) -> Maintenance:
    """Write the mark."""
    mark = Maintenance(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), _shown(who), _shown(reason))
    files.write(paths.maintenance, json.dumps(asdict(mark), ensure_ascii=False) + "\n")
    return mark


def end(paths: Paths) -> None:
    """Remove the mark, if there is one."""
    files.remove(paths.maintenance)


def _shown(text: str) -> str:
    """Return one line of `text` that a terminal can show."""
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in words)[:_MOST_CHARACTERS]
