"""Other releases of the project, good and broken, as copies of this tree."""

import shutil
import subprocess
from pathlib import Path

from tests.lab.labhost import REPO

WORKER = "server/exotel_ws/serve.py"
SOON = "_exotel_ws_health_timeout=6"
"""A variable of a deploy: how long a new generation gets to be healthy, in seconds, for tests of one that never is."""
READY = "    await server.start(listeners, admin, shared=inherited)\n"


def copy_of_tree(to: Path) -> Path:
    """Copy all that git tracks, or would track, to ``to``: the same source, hence the same release. Fetched wheels are shared."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPO, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = REPO / name, to / name
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    wheels, shared = REPO / ".cache/wheels", to / ".cache/wheels"
    if not shared.exists():
        wheels.mkdir(parents=True, exist_ok=True)
        shared.parent.mkdir(exist_ok=True)
        shared.symlink_to(wheels)
    return to


def another_release(to: Path) -> Path:
    """Make a release that differs from this one and works."""
    tree = copy_of_tree(to)
    package = tree / "server/exotel_ws/__init__.py"
    package.write_text(package.read_text() + f"# another release: {to.name}\n")
    return tree


def release_that_does_not_start(to: Path) -> Path:
    """Make a release that passes its self-test and ends as soon as it is started as a service."""
    return _edited(to, READY, "    raise SystemExit('this release can not start: a saboteur was here')\n")


def release_that_never_gets_healthy(to: Path) -> Path:
    """Make a release that reports ready and serves calls, but never answers for its health.

    A deploy with `SOON` gives up on it after seconds.
    """
    return _edited(to, READY, "    await server.start(listeners, shared=inherited)\n")


def _edited(to: Path, old: str, new: str) -> Path:
    worker = copy_of_tree(to) / WORKER
    text = worker.read_text()
    assert old in text, f"{WORKER} has no line {old!r} to sabotage"
    worker.write_text(text.replace(old, new))
    return worker.parents[2]
