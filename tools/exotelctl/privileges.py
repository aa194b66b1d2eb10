"""Find the capabilities that this process lacks: root in a container often lacks some, and "use sudo" is no help then."""

import os
from pathlib import Path
from typing import Final

_NUMBERS: Final = {"CAP_DAC_READ_SEARCH": 2, "CAP_KILL": 5, "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19}
OF_ROOT: Final = tuple(_NUMBERS)
"""Capabilities that root usually has, and that inspecting other processes needs."""
_STATUS: Final = Path("/proc/self/status")


def is_root() -> bool:
    """Return True if this process runs as root, with or without capabilities."""
    return os.geteuid() == 0


def lacking(*capabilities: str, status: Path = _STATUS) -> tuple[str, ...]:
    """Return those of ``capabilities`` that this process lacks; none where the kernel does not tell."""
    try:
        lines = dict(line.partition(":")[::2] for line in status.read_text().splitlines())
        effective = int(lines["CapEff"].strip(), 16)
    except (OSError, KeyError, ValueError):
        return ()
    return tuple(name for name in capabilities if not effective >> _NUMBERS[name] & 1)


def cure(*capabilities: str) -> str:
    """Return how to get the needed ``capabilities``; "" where this process has them all."""
    if not is_root():
        return "needs root: put sudo in front of the command"
    return cure_of_root(lacking(*capabilities))


def cure_of_root(missing: tuple[str, ...]) -> str:
    """Return how root can get the ``missing`` capabilities; "" where none is missing."""
    if not missing:
        return ""
    return f"this root lacks {' and '.join(missing)} (in a container?): give it that, or type the command on the machine itself"
