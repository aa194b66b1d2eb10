"""Playbooks whose variables are encrypted say so before all else: what, where, and the option to add."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.lab.labhost import play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # starts ansible-playbook

TOKEN = "a-token-of-the-vault"
NONE = "and no vault password was given: add --vault-password-file FILE or --ask-vault-pass"
WRONG = "and no vault password that was given opens it: give the one it was encrypted with, --vault-password-file FILE"


@pytest.mark.parametrize(
    ("playbook", "whole", "password"),
    [
        ("deploy.yml", False, False),
        ("playbooks/doctor.yml", False, False),
        ("playbooks/logs.yml", False, True),
        ("playbooks/verify.yml", True, False),
        ("playbooks/status.yml", True, True),
    ],
)
def test_what_is_encrypted_is_named_with_the_option_to_add(playbook: str, whole: bool, password: bool, tmp_path: Path) -> None:
    def encrypted(text: str) -> str:
        return str(VaultLib([("default", VaultSecret(b"of the test"))]).encrypt(text).decode())

    (tmp_path / "wrong").write_text("another\n")
    folder = tmp_path / "production"
    file = folder / "group_vars/all.yml"
    file.parent.mkdir(parents=True)
    (folder / "hosts.yml").write_text("exotel_ws: {hosts: {voicebot-1: {ansible_host: 127.0.0.2, ansible_port: 9}}}\n")
    if whole:
        file.write_text(encrypted(f"exotel_ws_credentials: ['KEY:{TOKEN}']\n"))
    else:
        lines = "".join(f"    {line}\n" for line in encrypted(f"KEY:{TOKEN}").splitlines())
        file.write_text(f"exotel_ws_credentials:\n  - !vault |\n{lines}")
    done = play(
        playbook, *(["--vault-password-file", str(tmp_path / "wrong")] if password else []), inventory=folder, timeout=120
    )
    said = " ".join(done.stdout.split())
    assert done.rc != 0
    what = f"{file} is encrypted" if whole else f"exotel_ws_credentials is encrypted in {file}"
    assert f"{what}, {WRONG if password else NONE}" in said, said
    assert (done.failed, done.ok) == ((0, 0) if whole else (1, 0)), said
    assert TOKEN not in said
