"""Hosts of a verb; without any it stops with the line to type, and never reports success."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils import targets
from ansible_collections.exotel.voicebot.plugins.plugin_utils.targets import NoTarget, Typed, config_warning, pattern

from tests.lab.labhost import REPO, play

VERBS = [
    "deploy.yml",
    *sorted(
        str(file.relative_to(REPO))
        for file in REPO.glob("playbooks/*.yml")
        if "import_playbook: targets.yml" in file.read_text() and file.name != "firewall.yml"
    ),
]


@pytest.mark.parametrize(
    ("groups", "within", "found"),
    [
        ({"all": ["a", "b"], "exotel_ws": ["a"]}, "ab", "exotel_ws"),
        ({"all": ["a"]}, "a", "all"),
        ({"all": ["a", "machine"], "lab_machine": ["machine"]}, ["a", "machine"], "all:!lab_machine"),
        ({"all": ["a", "b"], "exotel_ws": ["a", "b"]}, "b", "exotel_ws"),
    ],
)
def test_the_pattern(groups: dict[str, list[str]], within: str, found: str) -> None:
    assert pattern(groups, frozenset(within), Typed("deploy.yml", ("a,",), "")) == found


@pytest.mark.parametrize(
    ("groups", "within", "typed", "said"),
    [
        ({}, "", Typed("x.yml", (), ""), "no inventory was given"),
        ({"all": ["db"]}, ["db"], Typed("x.yml", (), ""), "has no group exotel_ws"),
        ({}, "", Typed("x.yml", ("/nonexistent/hosts.yml",), ""), "there is no inventory /nonexistent/hosts.yml"),
        ({"all": ["a"]}, "a", Typed("x.yml", ("a,", "/nonexistent"), ""), "there is no inventory /nonexistent"),
        ({"all": ["a"], "exotel_ws": []}, "a", Typed("x.yml", ("a,",), ""), "the group exotel_ws of a, has no host"),
        ({"all": ["a", "b"], "exotel_ws": ["a"]}, "b", Typed("x.yml", ("a,",), "b"), "--limit b leaves no host: there are a"),
        ({"all": ["m"], "lab_machine": ["m"]}, "m", Typed("x.yml", ("m,",), ""), "has no host to deploy to"),
    ],
)
def test_no_host(groups: dict[str, list[str]], within: str, typed: Typed, said: str) -> None:
    with pytest.raises(NoTarget, match=said.replace("(", r"\(")):
        pattern(groups, frozenset(within), typed)


def test_a_near_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "production").mkdir()
    with pytest.raises(NoTarget, match=r"Did you mean: ansible-playbook x\.yml -i .*/production"):
        pattern({}, frozenset(), Typed("x.yml", (str(tmp_path / "prodcution"),), ""))


def test_a_play_that_touches_no_host_runs_here_without_an_inventory_but_not_with_one_that_is_missing() -> None:
    assert pattern({}, frozenset(), Typed("firewall.yml", (), ""), or_here=True) == "localhost"
    with pytest.raises(NoTarget):
        pattern({}, frozenset(), Typed("firewall.yml", ("/nonexistent",), ""), or_here=True)


def test_files_beside_an_inventory_need_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    assert f"export ANSIBLE_CONFIG={REPO / 'ansible.cfg'}" in config_warning([], [str(tmp_path)])
    assert "export ANSIBLE_INVENTORY_IGNORE_REGEX='^files$'" in config_warning([], [str(tmp_path)], installed=True)
    assert config_warning(["^files$"], [str(tmp_path)]) == ""
    assert config_warning([], ["a,", str(tmp_path / "hosts.yml")]) == ""


def test_an_installed_collection_holds_no_inventories_of_its_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(targets, "INSTALLED", True)
    with pytest.raises(
        NoTarget, match=r"-i production \(first: cp -r \S+/inventory/example production, .*: -i \S+/inventory/here"
    ):
        pattern({}, frozenset(), Typed("exotel.voicebot.deploy", (), ""))
    (tmp_path / "production").mkdir()
    with pytest.raises(NoTarget, match=r"Type: ansible-playbook exotel\.voicebot\.deploy -i production; on the server"):
        pattern({}, frozenset(), Typed("exotel.voicebot.deploy", (), ""))


def test_there_are_verbs() -> None:
    assert {"deploy.yml", "playbooks/status.yml", "playbooks/logs.yml", "playbooks/restart.yml"} <= set(VERBS)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_without_an_inventory_stops_with_the_line_to_type(verb: str) -> None:
    done = play(verb, timeout=60)
    assert done.rc != 0
    said = " ".join(done.stdout.split())
    assert f"Type: ansible-playbook {verb} -i inventory/production" in said, done.stdout
    assert "on the server itself: -i inventory/here" in said, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("verb", [*VERBS, "firewall.yml", "playbooks/firewall.yml"])
def test_a_verb_with_a_misspelt_inventory_stops_with_the_line_to_type(verb: str) -> None:
    done = play(verb, "-i", "inventory/exmaple", "-e", "gcp_project=p", timeout=60)
    assert done.rc != 0
    assert f"Did you mean: ansible-playbook {verb} -i inventory/example" in " ".join(done.stdout.split()), done.stdout


@pytest.mark.slow
def test_a_limit_that_leaves_nobody_stops(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("exotel_ws: {hosts: {one: {}}}\nothers: {hosts: {two: {}}}\n")
    done = play("playbooks/status.yml", "--limit", "two", inventory=hosts, timeout=60)
    assert done.rc != 0
    assert "--limit two leaves no host: there are one" in " ".join(done.stdout.split()), done.stdout


@pytest.mark.slow
def test_a_file_that_is_no_yaml_stops_though_others_have_hosts(tmp_path: Path) -> None:
    """A file that is no YAML stops a verb though others have hosts: Ansible alone warns and goes on with the rest."""
    (tmp_path / "good.yml").write_text("exotel_ws: {hosts: {one: {}}}\n")
    (tmp_path / "spoiled.yml").write_text("exotel_ws:\n  hosts:\n    two: {a: [}\n")
    for sources in (["-i", str(tmp_path / "good.yml"), "-i", str(tmp_path / "spoiled.yml")], ["-i", str(tmp_path)]):
        done = play("playbooks/status.yml", *sources, timeout=60)
        assert done.rc != 0
        assert "spoiled.yml cannot be read, so its hosts would be left out" in " ".join(done.stdout.split()), done.stdout
        assert "TASK" not in done.stdout


def test_an_inventory_without_the_group_means_all_its_hosts(tmp_path: Path) -> None:
    """An inventory without the group means all its hosts: each is named as unreachable, with or without a limit."""
    lab = "    lab_machine: {hosts: {machine: {}}}\n"
    (tmp_path / "hosts.yml").write_text(f"all:\n  hosts: {{one.invalid: {{}}, two.invalid: {{}}}}\n  children:\n{lab}")
    for limit, asked in ((), {"one.invalid", "two.invalid"}), (("--limit", "two.invalid"), {"two.invalid"}):
        done = play("playbooks/status.yml", *limit, inventory=tmp_path / "hosts.yml", timeout=60)
        assert done.rc != 0
        assert set(re.findall(r"(\S+) cannot be reached", done.stdout)) == asked, done.stdout


@pytest.mark.parametrize("option", ["--start-at-task=Show them", "--skip-tags=always"])
def test_no_option_makes_a_verb_skip_all_hosts_of_an_inventory_without_the_group(option: str) -> None:
    done = play("playbooks/status.yml", "-i", "one.invalid,", option, timeout=60)
    assert done.rc != 0
    assert "an inventory needs the group exotel_ws" in " ".join(done.stdout.split()), done.stdout


def test_the_inventory_of_this_machine_is_one_local_host() -> None:
    listed = subprocess.run(
        [Path(sys.executable).parent / "ansible-inventory", "-i", "inventory/here", "--list"],
        cwd=REPO,
        capture_output=True,
        check=True,
        timeout=60,
    )
    said = json.loads(listed.stdout)
    assert said["exotel_ws"]["hosts"] == ["localhost"]
    assert said["_meta"]["hostvars"]["localhost"]["ansible_connection"] == "local"
