"""Write files and links so that a reader, or a power cut, sees the old or the new one and nothing between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o644, accept: Callable[[Path], object] | None = None) -> None:
    """Replace `path` by `text`, through a file beside it that is synced and then renamed.

    `accept` is called with that file before it is renamed. What it raises leaves `path` as it was.
    """
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # Never wider than `mode` while it is written.
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if accept:
        try:
            accept(unfinished)
        except BaseException:
            unfinished.unlink()
            raise
    unfinished.replace(path)


def read(path: Path) -> str | None:
    """Return the text of `path`, or None when there is no such file."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def link(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`, replacing another link in one step."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(path)


def linked_name(path: Path) -> str | None:
    """Return the last part of what the link `path` points to, or None when it is no link."""
    return Path(os.readlink(path)).name if path.is_symlink() else None


def remove(path: Path) -> None:
    """Remove a file, a link or a directory tree; what is already gone is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
