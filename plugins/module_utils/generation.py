"""Generations, and how they are kept on the host.

A generation is a release plus everything rendered for it, its secrets included. Its directory is written once, whole,
and never changed; only the mark `served` is added when it takes over. The secrets are files that only root can read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import files
from .paths import Paths

_STAGING = ".staging-"
_PRIVATE = 0o640


@dataclass(frozen=True)
class Content:
    """All that makes one generation behave differently from another.

    `settings` is the text of settings.toml, `units` the text of each unit file by name, `workers` the number of
    instances, `listen` the address of the call port ("0.0.0.0:8765"), `files` the text of each further file that the
    settings name as files/<name>, `credentials` the text of each secret that its units load as credentials/<name>.
    """

    release: str
    settings: str
    units: Mapping[str, str]
    workers: int
    listen: str
    files: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    def hash(self, key: bytes = b"") -> str:
        """Return a digest of the whole content with the host's `key`, without which nobody can test guesses of a secret on it."""
        return hmac.new(key, json.dumps(asdict(self), sort_keys=True).encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Generation:
    """A generation on the host. `created` and `served` are UTC times (`served` is None until it has taken over)."""

    id: str
    content: Content
    created: str
    created_by: str
    rollback_of: str | None = None
    served: str | None = None
    hash: str = field(default="", compare=False)

    @property
    def instances(self) -> tuple[str, ...]:
        return tuple(f"{self.id}-{number}" for number in range(1, self.content.workers + 1))


def new_generation(content: Content, created_by: str, now: float, rollback_of: str | None = None, key: bytes = b"") -> Generation:
    """Return a generation of `content` named after the time `now` (seconds since the epoch) and its hash with `key`."""
    at, digest = time.gmtime(now), content.hash(key)
    return Generation(
        id=f"{time.strftime('%Y%m%dT%H%M%S', at)}-{digest[:8]}",
        content=content,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", at),
        created_by=created_by,
        rollback_of=rollback_of,
        hash=digest,
    )


def read_key(paths: Paths) -> bytes:
    """Return the key of this host's hashes, or a fresh one if this user can read none."""
    try:
        return paths.hash_key.read_bytes()
    except (FileNotFoundError, PermissionError):
        return os.urandom(32).hex().encode()


def keep_key(paths: Paths, key: bytes) -> None:
    """Write the key of this host's hashes, readable by root only."""
    paths.hash_key.parent.mkdir(parents=True, exist_ok=True)
    files.write(paths.hash_key, key.decode("ascii"), 0o600)


def save(paths: Paths, generation: Generation, group: str | None = None) -> None:
    """Write the generation's directory: it appears whole or not at all.

    Its settings and files may hold secrets (a webhook's address, say): only their owner and `group` can read them.
    """
    # Remove the unfinished directory of a killed deploy, which may hold secrets; there is only one deploy at a time.
    for left in paths.generations.glob(f"{_STAGING}*"):
        files.remove(left)
    staging = paths.generations / f"{_STAGING}{generation.id}"
    try:
        _write(staging, generation, group, paths)
    except BaseException:
        files.remove(staging)
        raise
    staging.rename(paths.generations / generation.id)


def _write(staging: Path, generation: Generation, group: str | None, paths: Paths) -> None:
    content = generation.content
    staging.mkdir(parents=True)
    files.write(staging / "settings.toml", content.settings, _PRIVATE)
    for directory, texts in ((staging / "units", content.units), (staging / "files", content.files)):
        directory.mkdir()
        for name, text in texts.items():
            files.write(directory / name, text)
    secrets = staging / "credentials"
    secrets.mkdir(mode=0o700)
    for name, text in content.credentials.items():
        files.write(secrets / name, text, 0o600)
    for earlier in paths.generations.glob("*/"):
        _keep_private(earlier, group)
    _keep_private(staging, group)
    (staging / "release").symlink_to(paths.releases / content.release)
    facts = {
        "generation": generation.id,
        "release": content.release,
        "hash": generation.hash,
        "created": generation.created,
        "created_by": generation.created_by,
        "rollback_of": generation.rollback_of,
        "workers": content.workers,
        "listen": content.listen,
    }
    files.write(staging / "generation.json", json.dumps(facts, indent=2) + "\n")


def _keep_private(directory: Path, group: str | None) -> None:
    """Make a generation's settings and files readable to its owner and `group` only; earlier versions did not."""
    for path in (directory / "settings.toml", *directory.glob("files/*")):
        if path.is_file():
            if group is not None:
                shutil.chown(path, group=group)
            path.chmod(_PRIVATE)


def mark_served(paths: Paths, name: str) -> None:
    """Note that the generation has taken over, and when."""
    files.write(paths.generations / name / "served", time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))


def load_all(paths: Paths) -> dict[str, Generation]:
    """Return every generation on the host, oldest first."""
    found = sorted(path.parent for path in paths.generations.glob("*/generation.json"))
    return {path.name: _load(path) for path in found if not path.name.startswith(_STAGING)}


def _load(directory: Path) -> Generation:
    facts = json.loads((directory / "generation.json").read_text("utf-8"))
    served = files.read(directory / "served")
    return Generation(
        id=directory.name,
        content=Content(
            release=facts["release"],
            settings=_private(directory / "settings.toml"),
            units=_texts(directory / "units"),
            workers=facts["workers"],
            listen=facts["listen"],
            files=_texts(directory / "files"),
            credentials=_texts(directory / "credentials"),
        ),
        created=facts["created"],
        created_by=facts["created_by"],
        rollback_of=facts["rollback_of"],
        served=served.strip() if served else None,
        hash=facts.get("hash", ""),
    )


def _texts(directory: Path) -> dict[str, str]:
    return {path.name: _private(path) for path in sorted(directory.glob("*"))}


def _private(path: Path) -> str:
    """Return the text of a file; empty for a user who may not read it: they may see a generation, but not make a new one."""
    try:
        return path.read_text("utf-8")
    except PermissionError:
        return ""
