"""Name a release by everything that goes into it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

LOCK = "requirements/runtime.lock"
# What the wheel is made of; see pyproject.toml.
_INPUTS = ("server", "tools", "plugins/module_utils", "pyproject.toml", LOCK)
_VERSION = re.compile(r'^version\s*=\s*"([^"]+)"', re.MULTILINE)


def release_id(source: Path, python: str, platform: str) -> str:
    """Return "<version>-<10 hex>" for the tree `source`, built for `python` ("3.11") on `platform` ("linux-x86_64").

    The same tree gives the same id on every controller. Raises ValueError when `source` is not a tree of this project.
    """
    digest = hashlib.sha256(f"{python}\0{platform}\0".encode())
    for path in _files(source):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(source).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{version(source)}-{digest.hexdigest()[:10]}"


def version(source: Path) -> str:
    """Return the project's version from pyproject.toml."""
    found = _VERSION.search(_existing(source / "pyproject.toml").read_text("utf-8"))
    if not found:
        raise ValueError(f"{source / 'pyproject.toml'} has no version")
    return found.group(1)


def _files(source: Path) -> list[Path]:
    files: list[Path] = []
    for name in _INPUTS:
        path = _existing(source / name)
        files += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sorted(file for file in files if "__pycache__" not in file.parts)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"{path} is missing: exotel_ws_source must be a tree of this project")
    return path
