"""Read which units start at the next boot of this host, and whether somebody took it out of service on purpose."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils import maintenance as marks
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, Paths, unit

_UNITS: Final = Path("/etc/systemd/system")


def maintenance(root: Path = Path("/")) -> str:
    """Return ``in maintenance since …, by …: reason``; "" where the host is in service."""
    return str(marks.read(Paths(root)) or "")


def enabled(units: Path = _UNITS) -> frozenset[str]:
    """Return our units that systemd starts at boot."""
    return frozenset(path.name for path in units.glob("*.wants/exotel-ws*"))


def missing(generation: str, workers: int, started: Collection[str]) -> list[str]:
    """Return the units of the serving ``generation`` that are missing from those ``started`` at boot."""
    wanted = [SOCKET, *(unit(f"{generation}-{number}") for number in range(1, workers + 1))]
    return [name for name in wanted if name not in started]
