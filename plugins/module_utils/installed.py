"""Files that a wheel has become in a virtual environment, as the RECORD of its distribution says; and the same in another one."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path


def unchanged(environment: Path, wheel: str) -> bool:
    """Return whether all that was installed from `wheel` (a file name) is still there as it was. Reads all of it."""
    return bool(_distribution(environment, wheel)) and all(
        not checksum or _has(path, checksum)
        for path, checksum in _files(environment, wheel)
        if not _is_command(environment, path)
    )


def share(environment: Path, wheel: str, target: Path) -> None:
    """Install in `target` what is installed from `wheel` in `environment`, by links to the same files.

    Both are of the same interpreter and on the same file system. Raises OSError.
    """
    for path, _checksum in _files(environment, wheel):
        copy = target / path.relative_to(environment)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if _is_command(environment, path):
            # It begins with the path of its interpreter.
            copy.write_bytes(path.read_bytes().replace(str(environment).encode(), str(target).encode()))
            copy.chmod(path.stat().st_mode)
        else:
            os.link(path, copy)


def _files(environment: Path, wheel: str) -> Iterator[tuple[Path, str]]:
    """Each file and its checksum as "sha256=…"; what was made from another file has none."""
    distribution = _distribution(environment, wheel)
    if distribution is None:
        return
    with (distribution / "RECORD").open(encoding="utf-8", newline="") as record:
        for name, checksum, _size in csv.reader(record):
            yield Path(os.path.normpath(distribution.parent / name)), checksum


def _distribution(environment: Path, wheel: str) -> Path | None:
    name, version = wheel.split("-")[:2]
    found = environment.glob("lib/python3.*/site-packages/*.dist-info")
    wanted = _canonical(f"{name}-{version}")
    return next((path for path in found if _canonical(path.stem) == wanted and (path / "RECORD").is_file()), None)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_command(environment: Path, path: Path) -> bool:
    return path.parent == environment / "bin"


def _has(path: Path, checksum: str) -> bool:
    algorithm, _, wanted = checksum.partition("=")
    try:
        digest = hashlib.new(algorithm, path.read_bytes(), usedforsecurity=False).digest()
    except (OSError, ValueError):
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == wanted
