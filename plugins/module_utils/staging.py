"""Turn a bundle from the controller into a release on the host, without pip, a package index or a compiler there."""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.exotel.voicebot.plugins.module_utils import files
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import run

# Written last: a directory without it is an interrupted staging.
MARK = "RELEASE.json"
_INSTALL_S = 300.0


class StagingFailed(Exception):
    """The release cannot be staged; the message says why."""


def staged(releases: Path) -> frozenset[str]:
    """Return the releases that are complete."""
    return frozenset(path.parent.name for path in releases.glob(f"*/{MARK}"))


def stage(bundle: Path, release: str, releases: Path, python: str) -> None:
    """Install `bundle` as releases/`release` with the interpreter `python`. The release is complete or it is not there.

    Raises StagingFailed when the bundle is not what its manifest says, CommandFailed when an installer fails.
    """
    target = releases / release
    files.remove(target)
    releases.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="exotel-ws-release-") as work:
            manifest = _unpack(bundle, Path(work))
            if manifest["release"] != release:
                raise StagingFailed(f"the bundle is of release {manifest['release']}, not {release}")
            _install(Path(work), target, python)
        files.write(target / MARK, json.dumps(manifest, indent=2) + "\n")
    except BaseException:
        files.remove(target)
        raise


def _install(wheels: Path, target: Path, python: str) -> None:
    pip = next(wheels.glob("pip-*.whl"))
    # A virtual environment cannot be moved, so it is made in its place.
    run([python, "-m", "venv", "--without-pip", str(target)], timeout_s=_INSTALL_S)
    run(
        [f"{target}/bin/python", "-I", f"{pip}/pip", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
        + ["install", "--no-index", "--no-deps", "--root-user-action=ignore"]
        + [str(wheel) for wheel in sorted(wheels.glob("*.whl")) if wheel != pip],
        timeout_s=_INSTALL_S,
    )


def _unpack(bundle: Path, wheels: Path) -> dict[str, Any]:
    with tarfile.open(bundle) as tar:
        manifest: dict[str, Any] = json.loads(_member(tar, MARK))
        for name, sha256 in manifest["sha256"].items():
            content = _member(tar, f"wheels/{name}")
            if hashlib.sha256(content).hexdigest() != sha256:
                raise StagingFailed(f"{name} is damaged: its SHA-256 is not the one in the bundle's {MARK}")
            (wheels / Path(name).name).write_bytes(content)
    return manifest


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise StagingFailed(f"the bundle has no {name}")
    return file.read()
