"""Build a release bundle on the controller: the project's wheel and every locked wheel, in one archive.

A bundle is an uncompressed tar: RELEASE.json, then wheels/*.whl, less those that the host has in another release. It is
cached under the source tree, keyed by the release id. The locked wheels are cached apart, keyed by what is locked, so that
a change of the project alone needs no package index; two sets share what both have.

A cache is not trusted. Each locked wheel is compared with the hashes of its lock whenever a bundle is asked for, and an
archive that does not hold exactly these wheels, and the project's as it is built now, is made again.
"""

from __future__ import annotations

import errno
import fcntl
import filecmp
import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..module_utils import files
from .release_id import locks, version

# Every supported host has glibc 2.35 or newer; pip wants each older tag named.
_MANYLINUX = (*(f"manylinux_2_{minor}" for minor in range(35, 4, -1)), "manylinux2014")
# Published as source only, which a host does not build. num2words needs it for a command of its own that nobody runs.
_WITHOUT_WHEEL = frozenset({"docopt"})
_PIP_TIMEOUT_S = 600
# What is used least recently goes, unless another deploy may be at it just now.
_KEPT_BUNDLES = 2
_KEPT_WHEEL_SETS = 8
_IN_USE_S = 3600


class BundleError(Exception):
    """The bundle cannot be built; the message says why and what to do."""


def bundle(
    source: Path, release: str, python: str, machine: str, extras: Collection[str] = (), held: Collection[str] = ()
) -> Path:
    """Return the archive of `release` for CPython `python` ("3.11") on Linux `machine` ("x86_64"), built if need be.

    Wheels whose SHA-256 is among `held` are named in it, and not put into it. Safe to call from several processes at once:
    one builds, the others wait for it. Raises BundleError, also for a cached wheel that the lock does not name, and
    ValueError for an extra that is not there.
    """
    less = f"-less-{hashlib.sha256(chr(0).join(sorted(held)).encode()).hexdigest()[:8]}" if held else ""
    archive = source / ".cache" / "releases" / f"{release}{less}.tar"
    with _place_to_write(source), _lock(archive.parent / ".lock", f"another process builds {release}"):
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".building-") as work:
            wheels = [*_locked_wheels(source, python, machine, extras), _project_wheel(source, Path(work))]
            manifest = _manifest(source, release, python, machine, wheels)
            sent = [wheel for wheel in wheels if manifest["sha256"][wheel.name] not in held]
            if not _is_whole(archive, sent, manifest):
                unfinished = Path(work) / "bundle.tar"
                _write(unfinished, sent, manifest)
                unfinished.replace(archive)
        os.utime(archive)
        _prune(archive.parent.glob("*.tar"), _KEPT_BUNDLES)
    return archive


def wheels_of(archive: Path) -> dict[str, str]:
    """Return the SHA-256 of each wheel of a release by its name, read from `archive`, the latest result of bundle()."""
    with tarfile.open(archive, "r:") as tar:
        manifest = tar.extractfile("RELEASE.json")
        if manifest is None:
            raise BundleError(f"{archive} has no manifest: delete it, and type the command again")
        return dict(json.load(manifest)["sha256"])


def requirements_for(lock: str, python: str, machine: str) -> str:
    """Return the lines of a hashed lock that apply to the host.

    pip evaluates markers for the Python it runs in, whatever target it is given, so they are evaluated here.
    """
    host = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    # Comes with ansible-core; ansible-test tries every import of a file without it.
    from packaging.requirements import Requirement

    kept = []
    for entry in lock.replace("\\\n", " ").splitlines():
        name, *hashes = entry.split("#")[0].split(" --hash=")
        if not name.strip():
            continue
        requirement = Requirement(name.strip())
        if requirement.name not in _WITHOUT_WHEEL and (requirement.marker is None or requirement.marker.evaluate(host)):
            requirement.marker = None
            kept.append(" --hash=".join([str(requirement), *(text.strip() for text in hashes)]))
    return "\n".join(kept) + "\n"


def _locked_wheels(source: Path, python: str, machine: str, extras: Collection[str]) -> list[Path]:
    named = locks(source, extras)
    each = [requirements_for((source / lock).read_text("utf-8"), python, machine) for lock in named]
    wanted = "".join(dict.fromkeys(line for lines in each for line in lines.splitlines(keepends=True)))
    key = hashlib.sha256(f"{wanted}\0{python}\0{machine}".encode()).hexdigest()[:16]
    cache = source / ".cache" / "wheels" / key
    cache.parent.mkdir(parents=True, exist_ok=True)
    # Trees may share the directory of their wheels, by a link.
    with _lock(cache.parent / ".lock", f"another process fetches wheels into {cache.parent}"):
        if not cache.exists():
            _fetch(cache, wanted, python, machine, named)
    _compare(cache, wanted, named)
    os.utime(cache)
    _prune(cache.parent.glob("[!.]*"), _KEPT_WHEEL_SETS)
    return sorted(cache.iterdir())


def _fetch(cache: Path, wanted: str, python: str, machine: str, named: Sequence[str]) -> None:
    """Download the wheels of the lines `wanted` into the new directory `cache`, complete or not at all."""
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=".downloading-") as work:
        requirements = Path(work) / "requirements.txt"
        requirements.write_text(wanted, "utf-8")
        wheels = Path(work) / "wheels"
        platforms = [argument for tag in _MANYLINUX for argument in ("--platform", f"{tag}_{machine}")]
        _pip(
            f"no complete set of wheels for Python {python} on {machine}. Needed: a reachable package index, "
            f"and a wheel for this host of every package in {' and '.join(named)}",
            ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--implementation=cp"],
            [f"--python-version={python}", *platforms, f"--dest={wheels}", f"--requirement={requirements}"],
        )
        _share(wheels, cache.parent)
        wheels.replace(cache)


def _compare(cache: Path, wanted: str, named: Sequence[str]) -> None:
    """Raise BundleError unless `cache` holds one file for each line of `wanted`, with a hash of that line, and nothing else."""
    hashes = {line.partition(" ")[0]: set(line.split(" --hash=sha256:")[1:]) for line in wanted.splitlines()}
    lock, cure = " and ".join(named), f"It is fetched again after: rm -r {shlex.quote(str(cache))}"
    for path in sorted(cache.iterdir()):
        digest = _sha256(path) if path.is_file() and path.suffix == ".whl" else "none"
        requirement = next((name for name, known in hashes.items() if digest in known), None)
        if requirement is None:
            raise BundleError(
                f"{path} is no wheel that {lock} names (its SHA-256 is {digest}): it was changed, or somebody put it there. "
                f"Nothing was sent to the host. Find out who writes to this directory. {cure}"
            )
        del hashes[requirement]
    if hashes:
        raise BundleError(f"{cache} has no wheel of {min(hashes)}, which {lock} names. {cure}")


def _share(wheels: Path, sets: Path) -> None:
    """Make each of `wheels` that another of `sets` has too a link to that one: 230 MB for AI mode are stored once."""
    for wheel in wheels.glob("*.whl"):
        for other in sets.glob(f"[!.]*/{wheel.name}"):
            if filecmp.cmp(wheel, other, shallow=False):
                wheel.unlink()
                wheel.hardlink_to(other)
                break


def _prune(paths: Iterable[Path], kept: int) -> None:
    """Remove all but the `kept` that were used last."""
    used = sorted(((path.stat().st_mtime, path) for path in paths), reverse=True)
    for at, path in used[kept:]:
        if at < time.time() - _IN_USE_S:
            files.remove(path)


def _project_wheel(source: Path, work: Path) -> Path:
    _pip(
        f"the wheel of {source} cannot be built. The controller's Python ({sys.executable}) needs the packages "
        "of requirements/dev.lock: `make venv` makes such an environment",
        ["wheel", "--no-deps", "--no-build-isolation", "--no-index", f"--wheel-dir={work}"],
        [str(source)],
    )
    return next(work.glob("*.whl"))


def _pip(failure: str, *arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    try:
        done = subprocess.run(
            [*command, *(argument for part in arguments for argument in part)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PIP_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"{failure}. pip was still busy after {_PIP_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise BundleError(f"{failure}. pip said:\n{done.stderr.strip()[-2000:]}")


def _manifest(source: Path, release: str, python: str, machine: str, wheels: Sequence[Path]) -> dict[str, Any]:
    return {
        "release": release,
        "version": version(source),
        "python": python,
        "platform": f"linux-{machine}",
        "sha256": {wheel.name: _sha256(wheel) for wheel in wheels},
    }


def _is_whole(archive: Path, wheels: Sequence[Path], manifest: dict[str, Any]) -> bool:
    """Return True if a cached archive equals what _write() would make of `wheels` and `manifest` now."""
    wanted = {f"wheels/{wheel.name}": manifest["sha256"][wheel.name] for wheel in wheels}
    wanted["RELEASE.json"] = hashlib.sha256(_text(manifest)).hexdigest()
    try:
        with tarfile.open(archive, "r:") as tar:
            members = tar.getmembers()
            return len(members) == len(wanted) and all(
                member.isreg() and _digest(tar.extractfile(member)) == wanted.get(member.name) for member in members
            )
    except (OSError, tarfile.TarError, ValueError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: IO[bytes] | None) -> str:
    if file is None:
        raise BundleError("a member of the bundle is no regular file: delete .cache/releases, and type the command again")
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def _text(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=2).encode() + b"\n"


def _write(archive: Path, wheels: Sequence[Path], manifest: dict[str, Any]) -> None:
    text = _text(manifest)
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo("RELEASE.json")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
        for wheel in wheels:
            tar.add(wheel, f"wheels/{wheel.name}")


@contextmanager
def _place_to_write(source: Path) -> Iterator[None]:
    """Make the directory for bundles. A file system that takes no more, now or later, is told with the cure."""
    try:
        (source / ".cache" / "releases").mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.ENOSPC, errno.EDQUOT):
            raise
        cure = (
            "make room there" if error.errno != errno.EROFS else f"deploy from a copy: cp -r {shlex.quote(str(source))} DIRECTORY"
        )
        raise BundleError(f"{error}: a release is built in .cache of this tree, so it must take files: {cure}") from error


@contextmanager
def _lock(path: Path, waiting_for: str) -> Iterator[None]:
    deadline = time.monotonic() + _PIP_TIMEOUT_S
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BundleError(f"{waiting_for}, for more than {_PIP_TIMEOUT_S} s: {path}") from None
                time.sleep(0.2)
        yield
