"""The collection as `ansible-galaxy` builds and installs it, used from an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(sys.executable).parent


@dataclass(frozen=True)
class Installed:
    """The collection in ``<root>/collections``, and beside it the directory ``work`` to run playbooks from.

    Ansible finds no other collection, no configuration and no home directory of a person.
    """

    root: Path

    @property
    def tree(self) -> Path:
        """The directory of the collection itself."""
        return self.root / "collections/ansible_collections/exotel/voicebot"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def play(self, *args: str | Path, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run ``ansible-playbook`` with these arguments; stdout has its errors too. ``timeout`` is in seconds."""
        return run("ansible-playbook", *args, cwd=self.work, root=self.root, timeout=timeout)


def build(tree: Path, to: Path) -> Path:
    """Build the collection of ``tree`` and return its archive in the directory ``to``."""
    run("ansible-galaxy", "collection", "build", "--output-path", to, tree, cwd=tree, root=to).check_returncode()
    [archive] = to.glob("exotel-voicebot-*.tar.gz")
    return archive


def files(archive: Path) -> set[str]:
    """Return the paths of all files in a built collection."""
    with tarfile.open(archive) as tar:
        return {member.name for member in tar if not member.isdir()}


def install(archive: Path, root: Path) -> Installed:
    """Install a built collection below ``root``, without any network."""
    installed = Installed(root)
    installed.work.mkdir(parents=True)
    offline = ("--offline", "--no-deps", "-p", root / "collections")
    run("ansible-galaxy", "collection", "install", archive, *offline, cwd=root, root=root).check_returncode()
    return installed


def run(tool: str, *args: str | Path, cwd: Path, root: Path, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's tools with a home directory and collections below ``root``."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    home = root / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [TOOLS / tool, *args],
        cwd=cwd,
        env={
            **surroundings,
            "HOME": str(home),
            "ANSIBLE_COLLECTIONS_PATH": str(root / "collections"),
            # This tree is installed in the environment of the tests, where Ansible would look as well.
            "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
            "ANSIBLE_NOCOLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
