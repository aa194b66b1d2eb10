"""Obstacles to making or deleting a VM, with their cures."""

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.lookup.vm_problems import problems


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """Return the variables of a VM that can be made."""
    (tmp_path / "key.pub").touch()
    return {
        "gcp_vm_project": "my-project",
        "gcp_vm_name": "voicebot-1",
        "gcp_vm_state": "present",
        "gcp_vm_ssh_key": str(tmp_path / "key"),
        "gcp_vm_yes": False,
    }


@pytest.mark.parametrize(
    ("changes", "groups", "check"),
    [
        ({}, {}, False),
        ({}, {"all": ["localhost", "voicebot-1"]}, False),
        ({}, {"all": ["voicebot-2"], "exotel_ws": ["voicebot-1"]}, False),
        ({"gcp_vm_state": "absent", "gcp_vm_yes": True}, {}, False),
        ({"gcp_vm_state": "absent", "gcp_vm_ssh_key": "/nowhere"}, {}, True),
    ],
)
def test_nothing_is_missing(values: dict[str, Any], changes: dict[str, Any], groups: dict[str, list[str]], check: bool) -> None:
    assert problems(values | changes, groups, check=check) == []


@pytest.mark.parametrize(
    ("changes", "groups", "problem"),
    [
        ({"gcp_vm_project": ""}, {}, "which project? add -e gcp_project=PROJECT; gcloud projects list shows them"),
        (
            {"gcp_vm_ssh_key": "/nowhere/key"},
            {},
            "no key /nowhere/key.pub: ssh-keygen -t ed25519 -f /nowhere/key, or name another with gcp_vm_ssh_key",
        ),
        (
            {},
            {"all": ["voicebot-2", "voicebot-1", "voicebot-3"]},
            "the inventory has hosts that would be deployed to as well (voicebot-2, voicebot-3): leave it out, "
            "or give one that has voicebot-1 alone",
        ),
        (
            {"gcp_vm_state": "absent"},
            {},
            "this would delete the VM voicebot-1 of project my-project, with its disk and its address, and cut its calls. "
            "If that is meant: add -e gcp_vm_yes=true. To see what it would do: --check",
        ),
    ],
)
def test_each_problem_has_its_cure(
    values: dict[str, Any], changes: dict[str, Any], groups: dict[str, list[str]], problem: str
) -> None:
    assert problems(values | changes, groups, check=False) == [problem]


def test_all_are_told_at_once(values: dict[str, Any]) -> None:
    assert len(problems(values | {"gcp_vm_project": "", "gcp_vm_ssh_key": "/nowhere"}, {"all": ["a"]}, check=False)) == 3


def test_a_key_of_the_home_directory_is_found(values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert problems(values | {"gcp_vm_ssh_key": "~/key"}, {}, check=False) == []
