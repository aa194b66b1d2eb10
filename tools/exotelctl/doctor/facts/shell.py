"""Ask other programs briefly, and read files that not everybody may read."""

import os
import shutil
import subprocess
from pathlib import Path

from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.privileges import OF_ROOT, is_root, lacking


def ask(*command: str, timeout_s: float = 3.0) -> str:
    """Return the output of ``command``. Raises NotSeen if it is missing, fails or is not done within ``timeout_s``."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    program = shutil.which(command[0], path=path)
    if program is None:
        raise NotSeen(f"there is no command {command[0]} here", needs=command[0])
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        raise NotSeen(f"{' '.join(command)}: not done within {timeout_s:g} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise NotSeen(f"{' '.join(command)}: {said[0] if said else f'exit code {done.returncode}'}", needs=root())
    return done.stdout.decode(errors="replace")


def require_root(what: str) -> None:
    """Raise NotSeen for another user than root."""
    if not is_root():
        raise NotSeen(f"{what} can be seen by root only", needs="root")


def read(path: Path) -> str:
    """Return the text of ``path``. Raises NotSeen."""
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        needs = root() if isinstance(error, PermissionError) else ""
        raise NotSeen(f"{path}: {error.strerror}", needs=needs) from None


def root() -> str:
    """Return what a refused look needs: ``root``, or, for root itself, the capabilities that it lacks, if any."""
    return ", ".join(lacking(*OF_ROOT)) if is_root() else "root"
