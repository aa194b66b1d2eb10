"""What systemd says of units, and the few verbs that a command of ours needs. Each call is bounded."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exotel_phone.exits import Refusal

_ASK_S: Final = 5.0


class SystemctlFailed(Exception):
    """systemctl did not do it; the text has its own words."""


def has_systemd() -> bool:
    """systemd is this system's PID 1."""
    return Path("/run/systemd/system").is_dir()


def require_systemd(verb: str) -> None:
    """Raises Refusal where systemd is not PID 1: ``verb`` makes sense on a host of the server only."""
    if not has_systemd():
        raise Refusal(f"{verb} looks at systemd units, and systemd does not run here: type it on a host of the server")


def require_root(verb: str) -> None:
    """Raises Refusal for another user than root."""
    if os.geteuid() != 0:
        raise Refusal(f"{verb} needs root: sudo exotelctl {verb} …")


def run(*arguments: str, timeout_s: float = _ASK_S) -> str:
    """``systemctl`` with ``arguments``; returns its output. Raises SystemctlFailed."""
    command = ["systemctl", "--no-pager", *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False)
    except OSError as error:
        raise SystemctlFailed(f"systemctl: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise SystemctlFailed(f"systemctl {' '.join(arguments)}: no answer within {timeout_s:g} s") from None
    if done.returncode != 0:
        raise SystemctlFailed(f"systemctl {' '.join(arguments)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def show(units: Sequence[str], properties: Sequence[str]) -> dict[str, dict[str, str]]:
    """The ``properties`` of each unit, by its Id; a pattern (``exotel-ws@*.service``) stands for the loaded ones.

    Raises SystemctlFailed.
    """
    if not units:
        return {}
    text = run("show", f"--property={','.join(['Id', *properties])}", "--", *units)
    found: dict[str, dict[str, str]] = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in values:
            found[values["Id"]] = values
    return found
