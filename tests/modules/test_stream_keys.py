"""Keys in a file on the controller: made, kept encrypted, judged by what hosts saw, taken out; refused with the line to type."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.exotel.voicebot.plugins.plugin_utils import key_place, key_texts, key_usage
from ansible_collections.exotel.voicebot.plugins.plugin_utils.key_file import (
    KeyFile,
    NoSecret,
    NotEncrypted,
    Refused,
    Vault,
    labels,
    locked,
    new_key,
)
from ansible_collections.exotel.voicebot.plugins.plugin_utils.key_usage import Answer, Use

PROD, OTHER = VaultSecret(b"of the test"), VaultSecret(b"another")
VAULT = Vault([("other", OTHER), ("prod", PROD)], "prod")
NO_SECRET = Vault([])
OLD, NEW = "KEY:an-old-token", "exotel-20261129:" + "ab" * 32
PLAIN = f"# mine\nexotel_ws_port: 1\nexotel_ws_credentials:\n  - {OLD}\n"
LINES = key_texts.Lines("ansible-playbook deploy.yml -i inv", "ansible-playbook keys.yml -i inv")


def sealed(text: str, label: str = "prod") -> str:
    return str(VaultLib().encrypt(text, PROD, label).decode())


def indented(text: str) -> str:
    return f"!vault |\n{''.join(f'          {line}' for line in text.splitlines(keepends=True))}"


WHOLE = sealed(PLAIN)
BY_ENTRY = f"# mine\nexotel_ws_port: 1\nexotel_ws_credentials:\n  - {indented(sealed(OLD))}\n"


@pytest.mark.parametrize("text", [WHOLE, BY_ENTRY, sealed(PLAIN, "default")], ids=["whole", "by entry", "without an id"])
def test_an_encrypted_file_stays_encrypted_with_the_same_id(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.yml"
    path.write_text(text)
    path.chmod(0o644)
    file = KeyFile.read(path, VAULT)
    assert file.keys() == [OLD]
    file.with_key(NEW, plain=False).write()
    written = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ab" * 32 not in written
    assert "an-old-token" not in written
    headers = set(re.findall(r"\$ANSIBLE_VAULT\S*", written))
    assert headers == set(re.findall(r"\$ANSIBLE_VAULT\S*", text))
    again = KeyFile.read(path, Vault([("prod", PROD)]))
    assert again.keys() == [OLD, NEW]
    assert "# mine\nexotel_ws_port: 1\n" in again.text
    again.without_key(0).write()
    assert KeyFile.read(path, VAULT).keys() == [NEW]
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.yml"]


def test_a_new_file_is_encrypted_as_a_whole_and_a_list_in_another_entry_by_entry(tmp_path: Path) -> None:
    KeyFile.read(tmp_path / "keys.yml", VAULT).with_key(NEW, plain=False).write()
    assert (tmp_path / "keys.yml").read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;prod\n")
    assert KeyFile.read(tmp_path / "keys.yml", VAULT).keys() == [NEW]
    (tmp_path / "all.yml").write_text("exotel_ws_port: 1\n")
    KeyFile.read(tmp_path / "all.yml", VAULT).with_key(NEW, plain=False).write()
    text = (tmp_path / "all.yml").read_text()
    assert text.startswith("exotel_ws_port: 1\nexotel_ws_credentials:\n  - !vault |\n")
    assert KeyFile.read(tmp_path / "all.yml", VAULT).keys() == [NEW]


def test_plain_text_is_written_only_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "keys.yml"
    with pytest.raises(NoSecret):
        KeyFile.read(path, NO_SECRET).with_key(NEW, plain=False)
    KeyFile.read(path, NO_SECRET).with_key(OLD, plain=True).write()
    for vault in (VAULT, NO_SECRET):
        with pytest.raises(NotEncrypted):
            KeyFile.read(path, vault).with_key(NEW, plain=False)
    KeyFile.read(path, NO_SECRET).with_key(NEW, plain=True).write()
    assert KeyFile.read(path, NO_SECRET).keys() == [OLD, NEW]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("raw", "vault", "why"),
    [
        (WHOLE.encode(), Vault([("other", OTHER)]), "cannot be decrypted with the vault passwords that were given"),
        (WHOLE.encode(), NO_SECRET, "no vault password was given"),
        (BY_ENTRY.encode(), NO_SECRET, "no vault password was given"),
        (b"\xff\xfe", VAULT, "no text"),
        (b"#" * 1_100_000, VAULT, "more than 1048576 bytes"),
        (b"exotel_ws_credentials: [a-bare-token]\n", VAULT, "entry 1 of exotel_ws_credentials is not user:token"),
        (b"exotel_ws_credentials: ['a:b:c']\n", VAULT, "is not user:token"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, raw: bytes, vault: Vault, why: str) -> None:
    (tmp_path / "keys.yml").write_bytes(raw)
    with pytest.raises(Refused, match=why) as refused:
        KeyFile.read(tmp_path / "keys.yml", vault).keys()
    assert "a-bare-token" not in str(refused.value)
    with pytest.raises(Refused, match=r"Is a directory|no file"):
        KeyFile.read(tmp_path, VAULT)


def test_which_secret_encrypts_has_to_be_clear() -> None:
    assert VAULT.chosen().label == "prod"
    with pytest.raises(Refused, match="ANSIBLE_VAULT_ENCRYPT_IDENTITY=other"):
        Vault(VAULT.secrets).chosen()
    with pytest.raises(Refused, match="no password was given for the vault id third"):
        Vault(VAULT.secrets, "third").chosen()


def test_one_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path / "new/folder"), pytest.raises(Refused, match="another"), locked(tmp_path / "new/folder"):
        pass
    with locked(tmp_path / "new/folder"):
        pass
    assert list((tmp_path / "new/folder").iterdir()) == []


def test_no_repr_shows_a_key(tmp_path: Path) -> None:
    (tmp_path / "keys.yml").write_text(PLAIN)
    assert "an-old-token" not in repr(KeyFile.read(tmp_path / "keys.yml", VAULT))


def test_a_key_is_random_and_named_by_the_day() -> None:
    made = [new_key([], 0.0) for _ in range(2)]
    assert all(re.fullmatch("exotel-19700101:[0-9a-f]{64}", key) for key in made)
    assert made[0] != made[1]
    assert new_key(made, 0.0).startswith("exotel-19700101-2:")
    assert new_key([*made, "exotel-19700101-2:x"], 0.0).startswith("exotel-19700101-3:")
    assert labels(["KEY:a", "b:c", "KEY:d"]) == ["KEY#1", "b", "KEY#2"]


# -- where the file is ---------------------------------------------------------------------------------------------------


def test_the_file_is_the_one_that_sets_the_keys(tmp_path: Path) -> None:
    folder = tmp_path / "group_vars"

    def found(*setting: str) -> str:
        return str(key_place.default_file(str(tmp_path), lambda path: path.name in setting).relative_to(folder))

    assert found() == "all/keys.yml"
    (folder / "exotel_ws").mkdir(parents=True)
    (folder / "exotel_ws/vault.yml").touch()
    (folder / "all.yml").touch()
    assert found() == "all.yml"
    assert found("vault.yml") == "exotel_ws/vault.yml"
    with pytest.raises(Refused, match=r"set in .* and .*say which is meant, -e keys_file="):
        found("vault.yml", "all.yml")
    with pytest.raises(Refused, match="no folder"):
        key_place.default_file(None, lambda _: True)


def test_a_new_folder_must_not_hide_a_file(tmp_path: Path) -> None:
    """A new folder is refused beside a file of its name, for Ansible reads the folder only."""
    (tmp_path / "group_vars").mkdir()
    new = tmp_path / "group_vars/all/keys.yml"
    assert key_place.hides(new) == ""
    (tmp_path / "group_vars/all.yml").write_text("exotel_ws_port: 1\n")
    harm = key_place.hides(new)
    assert "would not read" in harm
    assert subprocess.run(["sh", "-c", harm.rpartition(": ")[2]], check=False).returncode == 0
    assert (tmp_path / "group_vars/all/main.yml").read_text() == "exotel_ws_port: 1\n"
    assert key_place.hides(new) == ""


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (
            {"args": ("playbooks/keys.yml",), "inventory": ("inventory/production",)},
            "playbooks/deploy.yml -i inventory/production",
        ),
        (
            {
                "args": ("exotel.voicebot.keys",),
                "inventory": ("a b",),
                "vault_ids": ("prod@~/pw",),
                "ask_vault_pass": True,
                "subset": "one",
                "extra_vars": ("@x.yml", "exotel_ws_credentials=a:b"),
            },
            "exotel.voicebot.deploy -i 'a b' --vault-id 'prod@~/pw' --ask-vault-pass --limit one -e @x.yml",
        ),
    ],
)
def test_the_next_line_is_like_the_one_that_was_typed(typed: Mapping[str, Any], line: str) -> None:
    assert key_place.line(typed, "deploy") == f"ansible-playbook {line}"


# -- what hosts saw ------------------------------------------------------------------------------------------------------


def asked(problem: str | None = None, **used: float | None) -> dict[str, Any]:
    """Return the registered result of a host that saw `OLD`, or `NEW`, that many seconds ago."""
    named = {"old": OLD, "new": NEW}
    keys = [
        {
            "id": key_usage.key_id(named[name]),
            "name": named[name].partition(":")[0],
            "state": "serving",
            "since": 0.0,
            "retired": None,
            "last": None if ago is None else 1e6 - ago,
            "count": 0 if ago is None else 2,
            "places": {} if ago is None else {"header": {"count": 2, "last": 1e6 - ago}},
        }
        for name, ago in used.items()
    ]
    return {"rc": 0, "stdout": json.dumps({"problem": problem, "time": 1e6, "keys": keys})}


def hosts(**results: Mapping[str, Any]) -> list[Answer]:
    return key_usage.answers(results, {host: {"__keys_asked": result} for host, result in results.items()})


AWAY = {"unreachable": True, "msg": "no route"}
OLD_TOOL = {"rc": 2, "stdout": "", "stderr": "No such command 'keys'."}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (hosts(a=asked(old=3601.0)), ""),
        (hosts(a=asked(old=None)), ""),
        (hosts(a=asked()), ""),
        (hosts(a=asked(old=3601.0), b=AWAY), ""),
        (hosts(a=asked(old=3599.0)), "still in use: a saw it 59 min ago (header)"),
        (hosts(a=asked(old=9e5), b=asked(old=5.0)), "still in use: b saw it 5 s ago (header)"),
        (hosts(a=asked(new=5.0)), ""),
        (hosts(a=AWAY, b=OLD_TOOL), "no host could be asked"),
        (hosts(a=asked(problem="usage.json is missing")), "no host could be asked"),
        ([], "no host could be asked"),
    ],
)
def test_a_key_that_was_shown_within_the_hour_is_still_in_use(found: list[Answer], why: str) -> None:
    assert key_usage.still_used(OLD, found).startswith(f"it is {why}" if why.startswith("still") else why)
    assert bool(key_usage.still_used(OLD, found)) == bool(why)


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (AWAY, "unreachable: no route"),
        (OLD_TOOL, "No such command 'keys'."),
        (asked(problem="usage.json is missing"), "usage.json is missing"),
        ({"rc": 0, "stdout": "[]"}, "is not that of exotelctl keys --json"),
        ({"rc": 0, "stdout": '{"problem": null, "time": 1, "keys": [{"id": 1}]}'}, "is not that of exotelctl keys --json"),
        ({"rc": 0, "stdout": " " * 1_100_000}, "is not that of exotelctl keys --json"),
    ],
)
def test_a_host_without_an_answer_is_named_with_the_reason(result: Mapping[str, Any], fault: str) -> None:
    [line] = key_usage.faults(hosts(a=result))
    assert line.startswith("a did not tell: ")
    assert fault in line


def test_one_that_could_not_log_in_has_the_reason_of_that_task() -> None:
    variables = {"a": {"__keys_asked": {"skipped": True}, "__preflight_look": AWAY}, "b": {}}
    assert [answer.fault for answer in key_usage.answers(["a", "b"], variables)] == ["unreachable: no route", "exit code unknown"]


def test_a_table_of_all_keys_on_all_hosts() -> None:
    found = [
        *hosts(a=asked(old=7200.0), b=asked(old=60.0, new=None)),
        Answer("c", uses={"0" * 16: Use("x\x1b", "retired", 1, None, {})}),
    ]
    lines = [re.split("  +", line) for line in key_usage.table([OLD, NEW], ["KEY", "exotel-20261129"], found).splitlines()]
    assert lines[1] == ["KEY", "yes", "a", "serving", "11 d", "2 h ago", "header 2"]
    assert lines[2] == ["", "b", "serving", "11 d", "1 min ago", "header 2"]
    assert lines[3] == ["", "c", "not deployed", "-", "never", "-"]
    assert lines[5] == ["", "b", "serving", "11 d", "never", "-"]
    assert lines[7][1:4] == ["no", "c", "retired"]


@pytest.mark.parametrize(
    ("keys", "found", "says"),
    [
        ([], [], "anybody may begin a call.\nTo make one: ansible-playbook keys.yml -i inv -e keys_action=add"),
        ([OLD, NEW], hosts(a=asked(old=5.0)), "Next, let a take what FILE has: ansible-playbook deploy.yml -i inv"),
        ([OLD], hosts(a=asked(old=5.0)), "begin with another: ansible-playbook keys.yml -i inv -e keys_action=add"),
        ([OLD, NEW], hosts(a=asked(old=5.0, new=5.0)), "Each was used within the last hour"),
        (
            [OLD, NEW],
            hosts(a=asked(old=9e4, new=5.0)),
            "To retire one: ansible-playbook keys.yml -i inv -e keys_action=retire -e keys_name=KEY",
        ),
    ],
)
def test_a_list_ends_with_the_next_step(keys: list[str], found: list[Answer], says: str) -> None:
    assert says in key_texts.listed(keys, labels(keys), "FILE", found, LINES)


def test_a_rotation_that_forgot_exotel_is_told() -> None:
    assert key_usage.unused([NEW], hosts(a=asked(old=9e4, new=None)))
    assert not key_usage.unused([NEW], hosts(a=asked(old=9e4, new=9e5)))
    assert not key_usage.unused([NEW], hosts(a=AWAY)), "nobody could say"
    said = key_texts.retired("KEY", ["new"], "FILE", hosts(b=AWAY), LINES, dry=False, unused=True)
    assert "is it in the URL" in said
    assert "b did not tell: unreachable" in said
    assert said.endswith("calls that are open go on: ansible-playbook deploy.yml -i inv")


def test_encryption_is_asked_for_with_the_lines_to_type() -> None:
    assert "ansible-vault encrypt FILE" in key_texts.not_encrypted("FILE", LINES)
    said = key_texts.no_secret("FILE", LINES)
    assert "openssl rand -base64 32 > ~/.exotel-vault-password" in said
    assert "-e keys_action=add --vault-password-file ~/.exotel-vault-password" in said
    assert key_texts.closed("FILE", "list", LINES).endswith("-e keys_action=list --ask-vault-pass")
