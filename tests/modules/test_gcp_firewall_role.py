"""firewall.yml and its play in deploy.yml, as typed, against the Compute API of the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab.labhost import REPO, Play, play

if TYPE_CHECKING:
    from tests.modules.compute.server import ComputeServer

PROJECT = "my-project"
NAME = "allow-exotel-ws"
ABSENT = ("-e", "gcp_firewall_state=absent")

Run = Callable[..., Play]
Fleet = Callable[[str], tuple[str, str]]


@pytest.fixture
def run(compute: ComputeServer, tmp_path: Path) -> Run:
    """Return a function that runs a playbook with further arguments; Google is the server of the test."""
    reach = ["-e", f"gcp_api_endpoint={compute.url} gcp_service_account_file={compute.credentials_file(tmp_path)}"]
    return lambda playbook, *args: play(playbook, *reach, *args, timeout=60)


@pytest.fixture
def touched(tmp_path: Path) -> Path:
    """Return the file that exists as soon as Ansible has tried to log in to a host of `fleet`."""
    return tmp_path / "touched"


@pytest.fixture
def fleet(tmp_path: Path, touched: Path) -> Fleet:
    """Return a function that writes an inventory and returns its arguments. Logins fail; its settings must not hold here."""

    def written(hosts: str) -> tuple[str, str]:
        ssh = tmp_path / "ssh"
        ssh.write_text(f"#!/bin/sh\ntouch {touched}\nexit 255\n")
        ssh.chmod(0o755)
        settings = {
            "ansible_host": "192.0.2.1",
            "ansible_connection": "ssh",
            "ansible_ssh_executable": str(ssh),
            "ansible_become": True,
            "ansible_become_user": "nobody-of-this-name",
            "ansible_python_interpreter": "/nonexistent",
        }
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(f"exotel_ws:\n  hosts:\n{hosts}\nall:\n  vars: {json.dumps(settings)}\n")
        return "-i", str(inventory)

    return written


def warned(done: Play) -> bool:
    """Return whether the play warns that everybody is let in, and names the cure."""
    return "warning: anybody may connect. Ask Exotel" in done.stdout


def rule_ports(compute: ComputeServer) -> list[str]:
    [allowed] = compute.store.firewalls(PROJECT)[NAME]["allowed"]
    ports: list[str] = allowed["ports"]
    return ports


@pytest.mark.timeout(600)  # ten plays
def test_the_rule_from_nothing_to_nothing_without_an_inventory(compute: ComputeServer, run: Run) -> None:
    def firewall(*args: str) -> Play:
        return run("firewall.yml", "-e", f"gcp_project={PROJECT}", *args)

    foreseen = firewall("--check", "--diff")
    assert (foreseen.rc, foreseen.changed) == (0, 1), foreseen.stdout
    assert compute.requests.writes == []
    assert any(line.startswith("+") and "8765" in line for line in foreseen.stdout.splitlines()), foreseen.stdout

    made = firewall()
    assert (made.rc, made.changed) == (0, 1), made.stdout
    rule = compute.store.firewalls(PROJECT)[NAME]
    assert rule["allowed"] == [{"IPProtocol": "tcp", "ports": ["8765"]}]
    assert (rule["direction"], rule["priority"], rule["description"]) == ("INGRESS", 1000, "Exotel WebSocket Server")
    assert rule["sourceRanges"] == ["0.0.0.0/0"]
    assert rule["network"].endswith(f"projects/{PROJECT}/global/networks/default")
    assert not rule.get("targetTags")
    assert f"rule {NAME} of {PROJECT} lets in tcp:8765 from 0.0.0.0/0 to all instances" in made.stdout
    assert warned(made)

    again = firewall("-i", "localhost,", "-c", "local", "-e", "gcp_firewall_test=true")
    assert (again.rc, again.changed) == (0, 0), again.stdout
    assert not warned(again)

    # Changes of the rule by hand, which would keep calls out.
    rule |= {"disabled": True, "sourceTags": ["web"], "destinationRanges": ["10.9.0.0/16"]}
    other = firewall(
        "-e", '{"exotel_ws_port": 9000, "gcp_firewall_tls": true, "gcp_firewall_extra_ports": "8009,9100-9110"}',
        "-e", "exotel_ws_allowed_sources=203.0.113.0/24,198.51.100.7/32",
    )  # fmt: skip
    assert (other.rc, other.changed) == (0, 1), other.stdout
    assert set(rule_ports(compute)) == {"443", "8009", "9000", "9100-9110"}
    assert set(compute.store.firewalls(PROJECT)[NAME]["sourceRanges"]) == {"203.0.113.0/24", "198.51.100.7/32"}
    assert compute.store.firewalls(PROJECT)[NAME]["disabled"] is False
    assert not {"sourceTags", "destinationRanges"} & compute.store.firewalls(PROJECT)[NAME].keys()
    assert not warned(other)

    # Settings that a rule could no longer have do not keep it from being removed.
    gone = firewall(*ABSENT, "-e", "exotel_ws_allowed_sources=203.0.113.0/24,::/0")
    assert (gone.rc, gone.changed) == (0, 1), gone.stdout
    assert compute.store.firewalls(PROJECT) == {}
    assert f"rule {NAME} of {PROJECT} is gone" in gone.stdout

    still = firewall(*ABSENT)
    assert (still.rc, still.changed) == (0, 0), still.stdout


def test_hosts_share_a_rule_and_each_project_has_its_own(compute: ComputeServer, run: Run, fleet: Fleet) -> None:
    hosts = """
    one: {gcp_project: project-a, exotel_ws_allowed_sources: [203.0.113.0/24]}
    two: {gcp_project: project-a, exotel_ws_allowed_sources: [203.0.113.0/24]}
    three: {gcp_project: project-b, exotel_ws_port: 9000, gcp_firewall_target_tags: [bot], exotel_ws_allowed_sources: ["::/0"]}
    elsewhere: {}"""
    done = run("firewall.yml", *fleet(hosts))
    assert (done.rc, done.changed) == (0, 1), done.stdout
    assert len(compute.requests.writes) == 2
    assert compute.store.firewalls("project-a")[NAME]["sourceRanges"] == ["203.0.113.0/24"]
    other = compute.store.firewalls("project-b")[NAME]
    assert (other["targetTags"], other["allowed"]) == (["bot"], [{"IPProtocol": "tcp", "ports": ["9000"]}])
    assert "no gcp_project, skipped: elsewhere" in done.stdout
    assert warned(done)  # of the third: the whole of IPv6


def test_what_is_typed_for_hosts_does_not_hold_here(compute: ComputeServer, run: Run, fleet: Fleet) -> None:
    """Settings typed for hosts do not hold here: ``-e`` overrides a task's keywords, so no task of a host makes the rule."""
    typed = {"ansible_become": True, "ansible_become_exe": "/nonexistent/sudo", "ansible_python_interpreter": "/nonexistent"}
    done = run("firewall.yml", *fleet("    one: {gcp_project: my-project}"), "--become", "-e", json.dumps(typed))
    assert (done.rc, done.changed) == (0, 1), done.stdout
    assert rule_ports(compute) == ["8765"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("gcp_firewal_state=absent", "unknown variable gcp_firewal_state (did you mean gcp_firewall_state?)"),
        ("gcp_firewall_state=gone", "gcp_firewall_state is gone: it must be one of present, absent"),
        ("gcp_project=", "firewall.yml -e gcp_project=PROJECT"),
        ('{"exotel_ws_allowed_sources": []}', "exotel_ws_allowed_sources is empty"),
    ],
)
def test_what_cannot_be_meant_is_refused(compute: ComputeServer, run: Run, settings: str, said: str) -> None:
    done = run("firewall.yml", "-e", f"gcp_project={PROJECT}", "-e", settings)
    assert done.rc != 0
    assert said in " ".join(done.stdout.split()), done.stdout
    assert compute.requests == []


EDGE = {
    "gcp_project": PROJECT,
    "exotel_ws_edge": True,
    "edge_domain": ["voice.example.com"],
    "edge_acme_terms_agreed": True,
    "exotel_ws_allowed_sources": ["203.0.113.0/24"],
}


@pytest.mark.timeout(600)  # five plays
def test_the_rule_for_an_acme_authority_goes_when_nobody_needs_it(compute: ComputeServer, run: Run) -> None:
    acme = f"{NAME}-acme"

    def firewall(variables: dict[str, object], *args: str) -> Play:
        return run("firewall.yml", "-e", json.dumps(variables), *args)

    made = firewall(EDGE)
    assert (made.rc, set(compute.store.firewalls(PROJECT))) == (0, {NAME, acme}), made.stdout
    assert compute.store.firewalls(PROJECT)[acme]["sourceRanges"] == ["0.0.0.0/0"]

    without = {**EDGE, "edge_certificate": "self_signed"}
    limited = firewall(without, "--limit", "localhost")
    assert (limited.rc, limited.changed, acme in compute.store.firewalls(PROJECT)) == (0, 0, True), limited.stdout

    writes = len(compute.requests.writes)
    foreseen = firewall(without, "--check", "--diff")
    assert (foreseen.rc, foreseen.changed, len(compute.requests.writes)) == (0, 1, writes), foreseen.stdout
    assert f"rule {acme} of {PROJECT} would be gone" in foreseen.stdout
    assert any(line.startswith("-") and "'80'" in line for line in foreseen.stdout.splitlines()), foreseen.stdout

    gone = firewall(without)
    assert (gone.rc, gone.changed, set(compute.store.firewalls(PROJECT))) == (0, 1, {NAME}), gone.stdout
    assert f"rule {acme} of {PROJECT} is gone: no ACME authority" in gone.stdout
    again = firewall(without)
    assert (again.rc, again.changed, acme in again.stdout) == (0, 0, False), again.stdout


def test_a_rule_of_somebody_else_is_not_taken_for_a_leftover(compute: ComputeServer, run: Run) -> None:
    theirs = {"gcp_project": PROJECT, "gcp_firewall_name": f"{NAME}-acme", "gcp_firewall_description": "Our web shop"}
    assert run("firewall.yml", "-e", json.dumps(theirs)).rc == 0
    done = run("firewall.yml", "-e", f"gcp_project={PROJECT}")
    assert (done.rc, done.changed) == (0, 1), done.stdout
    assert set(compute.store.firewalls(PROJECT)) == {NAME, f"{NAME}-acme"}
    assert f"rule {NAME}-acme of {PROJECT} stays, for its description is not ours" in done.stdout


def test_two_rules_of_one_name_are_refused(compute: ComputeServer, run: Run, fleet: Fleet) -> None:
    hosts = """
    one: {gcp_project: project-a}
    two: {gcp_project: project-a, exotel_ws_port: 9000}"""
    done = run("firewall.yml", *fleet(hosts))
    assert done.rc != 0
    assert "give each its own gcp_firewall_name" in " ".join(done.stdout.split()), done.stdout
    assert compute.requests == []


TWO_HOSTS = f"""
    one: {{gcp_project: {PROJECT}}}
    two: {{gcp_project: {PROJECT}}}"""


def test_a_deploy_that_cannot_look_at_its_hosts_leaves_the_firewall_alone(
    compute: ComputeServer, run: Run, fleet: Fleet, touched: Path
) -> None:
    # A rule that moves from the call port to the edge's would cut callers off from a host that stays as it was.
    done = run("deploy.yml", *fleet(TWO_HOSTS))
    assert done.rc != 0
    assert touched.exists()
    assert compute.requests == [], done.stdout


def test_a_deploy_opens_the_firewall_after_the_look_at_all_hosts_and_before_it_changes_any() -> None:
    plays = yaml.safe_load((REPO / "playbooks/deploy.yml").read_text(encoding="utf-8"))
    firewall, look, change = (
        next(number for number, play in enumerate(plays) if {"role": f"exotel.voicebot.{role}"} in play.get("roles", ()))
        for role in ("gcp_firewall", "preflight", "exotel_ws")
    )
    assert look < firewall < change
    assert [plays[look]["any_errors_fatal"], plays[firewall]["any_errors_fatal"]] == [True, True], "a fault ends it for all hosts"
