"""Name a release by everything that goes into it."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Collection
from pathlib import Path

import tomllib

_RUNTIME_LOCK = "requirements/runtime.lock"
# What the wheel is made of; see pyproject.toml.
_INPUTS = ("server", "tools", "plugins/module_utils", "pyproject.toml")
_VERSION = re.compile(r'^version\s*=\s*"([^"]+)"', re.MULTILINE)


def release_id(source: Path, python: str, platform: str, extras: Collection[str] = ()) -> str:
    """Return "<version>-<10 hex>" for the tree `source`, built for `python` ("3.11") on `platform` ("linux-x86_64").

    The same tree gives the same id on every controller. Raises ValueError when `source` is not a tree of this project,
    or has no such extra.
    """
    digest = hashlib.sha256(f"{python}\0{platform}\0".encode())
    for path in _files(source, [*_INPUTS, *locks(source, extras)]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(source).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{version(source)}-{digest.hexdigest()[:10]}"


def locks(source: Path, extras: Collection[str]) -> list[str]:
    """Return the lock files, relative to `source`, that hold what the project needs with these extras. Raises ValueError."""
    if not extras:
        return [_RUNTIME_LOCK]
    there = _extras(source)
    unknown = [extra for extra in extras if extra not in there]
    if unknown:
        near = difflib.get_close_matches(unknown[0], there, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"{unknown[0]} is no extra of this project ({hint}there are: {', '.join(there)})")
    # Each holds all that the project needs, and they agree with each other: see scripts/lock.
    return [f"requirements/{extra}.lock" for extra in sorted(set(extras))]


def version(source: Path) -> str:
    """Return the project's version from pyproject.toml."""
    found = _VERSION.search(_existing(source / "pyproject.toml").read_text("utf-8"))
    if not found:
        raise ValueError(f"{source / 'pyproject.toml'} has no version")
    return found.group(1)


def _extras(source: Path) -> list[str]:
    project = tomllib.loads(_existing(source / "pyproject.toml").read_text("utf-8")).get("project", {})
    return sorted(extra for extra in project.get("optional-dependencies", {}) if (source / f"requirements/{extra}.lock").exists())


def _files(source: Path, names: Collection[str]) -> list[Path]:
    files: list[Path] = []
    for name in names:
        path = _existing(source / name)
        files += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sorted(file for file in files if "__pycache__" not in file.parts)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"{path} is missing: exotel_ws_source must be a tree of this project")
    return path
