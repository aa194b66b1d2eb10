"""The main path needs nothing from Galaxy: a controller with the locked packages of a deploy, and no more."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.lab.labhost import REPO, LabHost, play
from tests.lab.releases import copy_of_tree

PROJECT = "exotel-voicebot"
BESIDE = ("ansible-core", "hatchling", "pip")
"""Packages that a deploy needs on the controller beside the server's own dependencies; Google Cloud needs one more."""

BUILD = """
import pathlib, sys
from ansible_collections.exotel.voicebot.plugins.plugin_utils.bundle import bundle
print(bundle(pathlib.Path(sys.argv[1]), "built-by-ansible-core-alone", "3.11", "x86_64"))
"""

# One process runs all of them, and makes one environment: the one that has the host.
pytestmark = pytest.mark.usefixtures("oncall_host")


def needed() -> set[str]:
    """Return the names of the packages and of all their dependencies."""
    found: set[str] = set()
    wanted = [*BESIDE, PROJECT]
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in found:
            found.add(name)
            requirements = [Requirement(text) for text in metadata.requires(name) or []]
            wanted += [one.name for one in requirements if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


def locked(names: set[str]) -> str:
    """Return the entries of the lock for these names, with their hashes."""
    lock = (REPO / "requirements/dev.lock").read_text().replace("\\\n", " ")
    entries = [line for line in lock.splitlines() if "==" in line and canonicalize_name(line.partition("==")[0].strip()) in names]
    return "\n".join(entries) + "\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy this tree with no collection but its own, whatever was installed into this one."""
    tree = copy_of_tree(tmp_path_factory.mktemp("tree"))
    own = tree / "collections/ansible_collections/exotel/voicebot"
    own.parent.mkdir(parents=True)
    own.symlink_to(tree)
    return tree


@pytest.fixture(scope="module")
def controller(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the environment and return the directory of its programs."""
    directory = tmp_path_factory.mktemp("controller")
    lock = directory / "controller.lock"
    lock.write_text(locked(needed() - {PROJECT}))
    python = directory / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(python), "install", "--no-deps"]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(directory / "venv")],
        [*pip, "--require-hashes", "--requirement", str(lock)],
        [*pip, "--no-build-isolation", "--editable", str(tree)],
    ):
        subprocess.run(command, check=True, timeout=300)
    return python.parent


@pytest.fixture(scope="module")
def nothing_else(controller: Path, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set an empty home, and a path with no collection but the tree's own."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("ANSIBLE_", "GOOGLE_", "PYTHON"))]:
            environment.delenv(name)
        environment.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        environment.setenv("ANSIBLE_CONFIG", str(tree / "ansible.cfg"))
        environment.setenv("ANSIBLE_COLLECTIONS_PATH", str(tree / "collections"))
        yield


def output(*command: str | Path) -> str:
    return subprocess.run(command, cwd=REPO, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.usefixtures("nothing_else")
def test_the_controller_has_ansible_core_and_this_collection_only(controller: Path) -> None:
    installed = {canonicalize_name(one["name"]) for one in json.loads(output(controller / "pip", "list", "--format", "json"))}
    assert installed == needed()
    assert not {name for name in installed if name == "ansible" or name.startswith("google")}
    listed = json.loads(output(controller / "ansible-galaxy", "collection", "list", "--format", "json"))
    collections = {name for directory in listed.values() for name in directory}
    assert {name for name in collections if not name.startswith("ansible._")} == {
        "exotel.voicebot"
    }  # those are ansible-core's own


@pytest.mark.usefixtures("nothing_else")
def test_it_builds_a_release(controller: Path, tree: Path) -> None:
    archive = Path(output(controller / "python", "-c", BUILD, str(tree)).strip())
    with tarfile.open(archive) as bundle:
        assert [name for name in bundle.getnames() if name.startswith("wheels/exotel_voicebot-")]


@pytest.mark.usefixtures("nothing_else")
def test_a_deploy_of_what_another_controller_deployed_changes_nothing(controller: Path, tree: Path, oncall: LabHost) -> None:
    done = play("deploy.yml", "-e", f"exotel_ws_source={tree}", inventory=oncall.inventory, tools=controller)
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert "no gcp_project, skipped" in done.stdout
