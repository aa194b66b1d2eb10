"""The built collection: all that a deploy needs and nothing else, and its playbooks by their full names."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils.release_id import release_id

from tests.lab.collection import Installed, build, files, install
from tests.lab.labhost import REPO
from tests.lab.releases import copy_of_tree

VERBS = sorted(file.stem for file in REPO.glob("playbooks/*.yml"))
OF_A_CLONE = {"Makefile", "ansible.cfg", "benchmarks", "deploy.yml", "firewall.yml", "galaxy.yml", "scripts", "tests"}
"""Parts of the repository that the collection leaves out, beside names that begin with a dot."""
NOT_OURS = (
    ".venv/lib/python3.11/site-packages/x.py",
    ".cache/releases/x.tar",
    ".hypothesis/x",
    "plugins/.ruff_cache/x",
    "server/exotel_ws/__pycache__/x.cpython-311.pyc",
    "benchmarks/node/node_modules/ws/x.js",
    "inventory/production/group_vars/all.yml",
    "inventory/production/files/flow.yml",
    "inventory/here/group_vars/all.yml",
    "inventory/here/host_vars/localhost.yml",
    "inventory/lab/hosts.yml",
)
"""Files that gather in a clone after a while; some hold credentials."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy this tree with its links, as if somebody had worked in it."""
    tree = copy_of_tree(tmp_path_factory.mktemp("clone"))
    own = tree / "collections/ansible_collections/exotel/voicebot"
    own.parent.mkdir(parents=True)
    own.symlink_to("../../..")
    (tree / "playbooks/collections").symlink_to("../collections")
    for name in NOT_OURS:
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("not of the collection\n")
    return tree


@pytest.fixture(scope="module")
def archive(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(clone, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(archive, tmp_path_factory.mktemp("installed"))


def test_it_holds_the_repository_less_what_belongs_to_a_clone(archive: Path, tmp_path: Path) -> None:
    tree = copy_of_tree(tmp_path)
    ours = {str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file()}
    packed = files(archive)
    assert packed - ours == {"FILES.json", "MANIFEST.json"}
    left_out = {Path(name) for name in ours - packed}
    assert {path.parts[0] for path in left_out if not any(part.startswith(".") for part in path.parts)} == OF_A_CLONE


def test_a_release_of_it_is_the_release_of_the_clone(installed: Installed, tmp_path: Path) -> None:
    for extras in [], ["ai"]:
        ours = release_id(copy_of_tree(tmp_path), "3.11", "linux-x86_64", extras)
        assert release_id(installed.tree, "3.11", "linux-x86_64", extras) == ours


def test_every_playbook_is_found_by_its_full_name(installed: Installed) -> None:
    (installed.work / "hosts.yml").write_text("exotel_ws: {hosts: {voicebot-1: {ansible_host: 203.0.113.10}}}\n")
    assert "deploy" in VERBS
    done = installed.play(*(f"exotel.voicebot.{verb}" for verb in VERBS), "-i", "hosts.yml", "--syntax-check")
    assert done.returncode == 0, done.stdout
    for verb in VERBS:
        assert f"playbook: {installed.tree}/playbooks/{verb}.yml" in done.stdout, done.stdout


def test_without_an_inventory_it_says_what_to_type(installed: Installed) -> None:
    done = installed.play("exotel.voicebot.status")
    assert done.returncode != 0
    example = "../collections/ansible_collections/exotel/voicebot/inventory/example"
    said = " ".join(done.stdout.split())
    assert f"ansible-playbook exotel.voicebot.status -i production (first: cp -r {example} production" in said, done.stdout
