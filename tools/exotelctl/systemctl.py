"""Ask systemd about units, by the systemctl of the deploy engine, in less time than a deploy has."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils import systemd
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed
from exotel_phone.exits import Refusal

__all__ = ["CommandFailed", "has_systemd", "require_root", "require_systemd", "run", "show"]

_ASK_S: Final = 5.0


def has_systemd() -> bool:
    """Return True if systemd is this system's PID 1."""
    return Path("/run/systemd/system").is_dir()


def require_systemd(verb: str) -> None:
    """Raise Refusal if systemd is not PID 1: ``verb`` makes sense on a host of the server only."""
    if not has_systemd():
        raise Refusal(f"{verb} looks at systemd units, and systemd does not run here: type it on a host of the server")


def require_root(verb: str) -> None:
    """Raise Refusal for another user than root."""
    if os.geteuid() != 0:
        raise Refusal(f"{verb} needs root: sudo exotelctl {verb} …")


def run(*arguments: str) -> str:
    """Run ``systemctl`` with ``arguments`` for 5 s at most and return its output. Raises CommandFailed."""
    return systemd.run(["systemctl", "--no-pager", *arguments], timeout_s=_ASK_S)


def show(units: Sequence[str], properties: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the ``properties`` of each unit by its Id, as `systemd.show` does, in 5 s at most. Raises CommandFailed."""
    return systemd.show(units, properties, timeout_s=_ASK_S)
