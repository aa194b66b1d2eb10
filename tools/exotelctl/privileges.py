"""What this process may do to others. Root in a container often lacks capabilities, and then "use sudo" is no help."""

import os
from pathlib import Path
from typing import Final

_NUMBERS: Final = {"CAP_DAC_READ_SEARCH": 2, "CAP_KILL": 5, "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19}
OF_ROOT: Final = tuple(_NUMBERS)
"""What root has elsewhere, and a look at others needs."""
_STATUS: Final = Path("/proc/self/status")


def is_root() -> bool:
    """This process is root's, with whatever capabilities."""
    return os.geteuid() == 0


def lacking(*capabilities: str, status: Path = _STATUS) -> tuple[str, ...]:
    """Return those of ``capabilities`` that this process has not; none where the kernel does not tell."""
    try:
        lines = dict(line.partition(":")[::2] for line in status.read_text().splitlines())
        effective = int(lines["CapEff"].strip(), 16)
    except (OSError, KeyError, ValueError):
        return ()
    return tuple(name for name in capabilities if not effective >> _NUMBERS[name] & 1)


def cure(*capabilities: str) -> str:
    """Return what to do where ``capabilities`` were needed; "" where this process has them all."""
    if not is_root():
        return "needs root: put sudo in front of the command"
    return cure_of_root(lacking(*capabilities))


def cure_of_root(missing: tuple[str, ...]) -> str:
    """Return what root does without the capabilities that are ``missing``; "" where none is."""
    if not missing:
        return ""
    return f"this root lacks {' and '.join(missing)} (in a container?): give it that, or type the command on the machine itself"
