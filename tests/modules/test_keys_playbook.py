"""playbooks/keys.yml as it is typed: a key is shown once and nowhere else, and what cannot be done changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultSecret
from ansible_collections.exotel.voicebot.plugins.plugin_utils.key_file import KeyFile, Vault

from tests.lab.labhost import Play, play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # starts ansible-playbook, several times in a test

PLAYBOOK = "playbooks/keys.yml"
SHOWN = re.compile(r"^The new key, shown this once: (exotel-\d{8}(?:-\d)?):([0-9a-f]{64})$", re.MULTILINE)
VAULT = Vault([("default", VaultSecret(b"of the test"))])
OLD = "KEY:an-old-token"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """Write an inventory whose host cannot be reached, with variables of its own; return its folder."""
    (tmp_path / "password").write_text("of the test\n")
    folder = tmp_path / "production"
    (folder / "group_vars").mkdir(parents=True)
    (folder / "hosts.yml").write_text("exotel_ws: {hosts: {voicebot-1: {ansible_host: 127.0.0.2, ansible_port: 9}}}\n")
    (folder / "group_vars/all.yml").write_text("# of the operator\nexotel_ws_workers: 2\n")
    return folder


def run(inventory: Path, *args: str, password: bool = True) -> Play:
    secret = ("--vault-password-file", str(inventory.parent / "password")) if password else ()
    return play(PLAYBOOK, *secret, *args, inventory=inventory, timeout=120)


def keys(inventory: Path) -> list[str]:
    return KeyFile.read(inventory / "group_vars/all.yml", VAULT).keys()


def test_a_token_is_on_one_line_of_the_screen_and_nowhere_else(
    inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_LOG_PATH", str(tmp_path / "log"))
    loud = ("-vvv", "--diff")
    dry = run(inventory, *loud, "--check", "-e", "keys_action=add")
    assert (dry.rc, dry.changed) == (0, 1), dry.stdout
    assert not SHOWN.search(dry.stdout)
    assert keys(inventory) == []

    outputs, tokens = [], []
    for number in (1, 2):
        done = run(inventory, *loud, "-e", "keys_action=add")
        assert (done.rc, done.changed) == (0, 1), done.stdout
        [(name, token)] = SHOWN.findall(done.stdout)
        assert keys(inventory)[number - 1 :] == [f"{name}:{token}"]
        assert done.stdout.count(token) == 1
        outputs.append(done.stdout.replace(token, ""))
        tokens.append(token)
    names = [key.partition(":")[0] for key in keys(inventory)]
    for args in (
        ["keys_action=list"],
        ["keys_action=retire", "-e", f"keys_name={names[0]}"],
        ["keys_action=retire", "-e", f"keys_name={names[0]}", "-e", "keys_force=true"],
    ):
        outputs.append(run(inventory, *loud, "-e", *args).stdout)
    assert keys(inventory) == [f"{names[1]}:{tokens[1]}"]
    for output in (*outputs, (tmp_path / "log").read_text(), (inventory / "group_vars/all.yml").read_text()):
        assert [token for token in tokens if token in output] == []
    listed, refused, retired = outputs[-3:]
    assert f"{names[0]}    yes" in re.sub(" +yes", "    yes", listed)
    assert "voicebot-1 did not tell: unreachable: " in " ".join(listed.split())
    assert f"{names[0]} is not retired, no host could be asked" in " ".join(refused.split())
    assert f"-{names[0]}\n {names[1]}" in retired
    assert "Next, let the servers refuse it" in " ".join(retired.split())
    assert (inventory / "group_vars/all.yml").read_text().startswith("# of the operator\nexotel_ws_workers: 2\n")

    last = run(inventory, "-e", "keys_action=retire", "-e", f"keys_name={names[1]}", "-e", "keys_force=true")
    assert last.rc != 0
    assert f"{names[1]} is the last key" in " ".join(last.stdout.split())


def test_what_cannot_be_done_is_refused_with_the_line_to_type(inventory: Path) -> None:
    file = inventory / "group_vars/all.yml"
    before = file.read_text()
    for args, password, says in (
        (["keys_action=add"], False, "-e keys_action=add --vault-password-file ~/.exotel-vault-password"),
        (["keys_action=addd"], True, "add, list, retire"),
        (["keys_nmae=x"], True, "unknown variable keys_nmae (did you mean keys_name?)"),
        (["keys_action=add", "-e", f"exotel_ws_credentials={OLD}"], True, "a deploy gives voicebot-1 other keys"),
        (["keys_action=add", "-e", f"keys_file={inventory}/group_vars/all/keys.yml"], True, "Ansible would not read"),
    ):
        done = run(inventory, "-e", *args, password=password)
        assert done.rc != 0
        assert says in " ".join(done.stdout.split()), done.stdout
        assert file.read_text() == before
        assert [path.name for path in (inventory / "group_vars").iterdir()] == ["all.yml"]


def test_the_other_name_of_the_action_works_and_an_encrypted_file_of_its_own(inventory: Path) -> None:
    (inventory / "group_vars/all.yml").unlink()
    done = run(inventory, "-e", "action=add")
    assert (done.rc, done.changed) == (0, 1), done.stdout
    made = inventory / "group_vars/all/keys.yml"
    assert made.read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert len(KeyFile.read(made, VAULT).keys()) == 1
    assert f"ansible-playbook playbooks/deploy.yml -i {inventory}" in " ".join(done.stdout.split())
