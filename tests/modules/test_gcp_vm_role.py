"""provision.yml stops with the cure before Google is asked for anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.labhost import play

pytestmark = pytest.mark.slow  # starts ansible-playbook


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["gcp_vm_zoen=x"], "unknown variable gcp_vm_zoen (did you mean gcp_vm_zone?)"),
        (["gcp_vm_state=gone"], "gcp_vm_state is gone: it must be one of present, absent."),
        (["gcp_vm_ssh_key=/nowhere/key"], "no key /nowhere/key.pub: ssh-keygen -t ed25519 -f /nowhere/key"),
        (["gcp_vm_ssh_key=/nowhere/key"], "which project? add -e gcp_project=PROJECT"),
        (["gcp_project=my-project", "gcp_vm_state=absent"], "would delete the VM voicebot-1 of project my-project"),
    ],
)
def test_what_is_missing_is_said(args: list[str], said: str) -> None:
    done = play("playbooks/provision.yml", *(f"--extra-vars={arg}" for arg in args), timeout=60)
    assert done.rc == 2, done.stdout
    assert said in " ".join(done.stdout.split())


def test_no_other_host_is_deployed_to_by_the_way(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("exotel_ws: {hosts: {voicebot-1: {}, voicebot-2: {}}}\n")
    done = play("playbooks/provision.yml", inventory=inventory, timeout=60)
    assert done.rc == 2, done.stdout
    assert "the inventory has hosts that would be deployed to as well (voicebot-2)" in " ".join(done.stdout.split())
