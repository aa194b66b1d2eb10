"""Turn a bundle from the controller into a release on the host, without pip, a package index or a compiler there.

What another release on the host has installed from the same wheel is neither sent nor stored again: the files are shared.
Nothing is installed before every wheel was compared with the hashes that the controller took from its lock.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from . import files, installed
from .systemd import run

# Written last: a directory without it is an interrupted staging.
MARK = "RELEASE.json"
_OWN_WHEEL = "exotel_voicebot-"
_INSTALL_S = 300.0


class StagingFailed(Exception):
    """The release cannot be staged; the message says why."""


def staged(releases: Path) -> frozenset[str]:
    """Return the releases that are complete."""
    return frozenset(path.parent.name for path in releases.glob(f"*/{MARK}"))


def sources(releases: Path) -> dict[str, str]:
    """Return the source of each complete release: the identity of the project's own wheel, the same for every Python."""
    found = {}
    for name in staged(releases):
        manifest = json.loads((releases / name / MARK).read_text("utf-8"))
        own = [sha256 for wheel, sha256 in manifest.get("sha256", {}).items() if wheel.startswith(_OWN_WHEEL)]
        found[name] = own[0] if own else name
    return found


def held(releases: Path, python: str) -> frozenset[str]:
    """Return the SHA-256 of each wheel that a complete release for CPython `python` ("3.11") has installed unchanged."""
    return frozenset(
        sha256 for sha256, places in _places(releases, python).items() if any(installed.unchanged(*place) for place in places)
    )


def stage(bundle: Path, release: str, releases: Path, python: str, wheels: Mapping[str, str] | None = None) -> None:
    """Install `bundle` as releases/`release` with the interpreter `python`. The release is complete or it is not there.

    `wheels` has the SHA-256 of each wheel by its name, from the controller; None trusts the bundle's own manifest.
    Raises StagingFailed when the bundle is not what these or its manifest say, or holds a file more; CommandFailed when an
    installer fails.
    """
    target = releases / release
    files.remove(target)
    releases.mkdir(parents=True, exist_ok=True)
    try:
        # Beside what they become, for which there is room; /tmp may be memory.
        with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=releases) as work:
            manifest, left_out = _unpack(bundle, Path(work), wheels)
            if manifest["release"] != release:
                raise StagingFailed(f"the bundle is of release {manifest['release']}, not {release}")
            places = _places(releases, manifest["python"])
            lost = [name for name in left_out if manifest["sha256"][name] not in places]
            if lost:
                raise StagingFailed(f"the bundle has no wheels/{lost[0]}, and no release on this host has it")
            _install(Path(work), target, python)
            for name in left_out:
                installed.share(*places[manifest["sha256"][name]][-1], target)
        files.write(target / MARK, json.dumps(manifest, indent=2) + "\n")
    except BaseException:
        files.remove(target)
        raise


def _places(releases: Path, python: str) -> dict[str, list[tuple[Path, str]]]:
    """Return for the SHA-256 of each wheel the releases that have it installed, and its name there."""
    places: dict[str, list[tuple[Path, str]]] = {}
    for name in sorted(staged(releases)):
        manifest = json.loads((releases / name / MARK).read_text("utf-8"))
        if manifest["python"] == python:
            for wheel, sha256 in manifest["sha256"].items():
                places.setdefault(sha256, []).append((releases / name, wheel))
    return places


def _install(wheels: Path, target: Path, python: str) -> None:
    pip = next(wheels.glob("pip-*.whl"))
    # A virtual environment cannot be moved, so it is made in its place.
    run([python, "-m", "venv", "--without-pip", str(target)], timeout_s=_INSTALL_S)
    sent = [str(wheel) for wheel in sorted(wheels.glob("*.whl")) if wheel != pip]
    if not sent:  # another release has the same wheels: all of them are shared
        return
    options = ("--quiet", "--no-cache-dir", "--disable-pip-version-check")
    install = ("install", "--no-index", "--no-deps", "--root-user-action=ignore")
    run([f"{target}/bin/python", "-I", f"{pip}/pip", *options, *install, *sent], timeout_s=_INSTALL_S)


def _unpack(bundle: Path, wheels: Path, known: Mapping[str, str] | None) -> tuple[dict[str, Any], list[str]]:
    """Return the manifest, and the wheels that it names and the bundle does not hold."""
    left_out = []
    with tarfile.open(bundle) as tar:
        names = tar.getnames()
        there = set(names)
        if MARK not in there:
            raise StagingFailed(f"the bundle has no {MARK}")
        manifest: dict[str, Any] = json.loads(_member(tar, MARK).read())
        _refuse_more(names, manifest["sha256"], known)
        for name, sha256 in manifest["sha256"].items():
            if f"wheels/{name}" not in there:
                left_out.append(name)
                continue
            wheel = wheels / Path(name).name
            with _member(tar, f"wheels/{name}") as packed, wheel.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            if _sha256(wheel) != sha256:
                raise StagingFailed(f"{name} is damaged: its SHA-256 is not the one in the bundle's {MARK}")
    return manifest, left_out


def _refuse_more(names: Sequence[str], said: Mapping[str, str], known: Mapping[str, str] | None) -> None:
    """Raise StagingFailed if the bundle has a file that its manifest does not name, or that differs from the `known` one."""
    wheels = [name.removeprefix("wheels/") for name in names if name != MARK]
    extra = sorted({name for name in wheels if name not in said or wheels.count(name) > 1 or Path(name).name != name})
    if extra:
        raise StagingFailed(f"the bundle holds {extra[0]}, which its {MARK} does not name (once): nothing of it is installed")
    if known is None:
        return
    other = sorted(name for name in said.keys() | known.keys() if said.get(name) != known.get(name))
    if other:
        raise StagingFailed(f"the bundle's {MARK} and the controller's lock differ over {other[0]}: nothing of it is installed")


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise StagingFailed(f"{name} of the bundle is no file")
    return file


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
