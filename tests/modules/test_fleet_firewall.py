"""Firewall rules of the hosts of a play: each once, or the reason why none can be made."""

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.exotel.voicebot.plugins.filter.fleet_firewall import fleet_firewall
from ansible_collections.exotel.voicebot.plugins.lookup.firewall_rule import LookupModule

NEEDED = {
    "gcp_firewall_project": "p",
    "gcp_firewall_source_ranges": ["203.0.113.0/24"],
    "gcp_firewall_service_account_file": "",
    "gcp_firewall_impersonate_service_account": "",
    "gcp_firewall_api_endpoint": "",
}


def rule(**variables: Any) -> dict[str, Any]:
    """Return the rule of a host with these variables, given without their prefix."""
    loader = DataLoader()
    said = {name if name.startswith("exotel") else f"gcp_firewall_{name}": value for name, value in variables.items()}
    [made] = LookupModule(loader=loader, templar=Templar(loader=loader)).run([], NEEDED | said)
    return dict(made)


def test_the_rule_of_a_host_by_the_defaults() -> None:
    made = rule()
    assert (made["title"], made["ports"], made["warning"]) == ("allow-exotel-ws of p", ["8765"], "")
    assert made["does"] == "in tcp:8765 from 203.0.113.0/24 to all instances of network default, priority 1000"


def test_variables_may_be_texts() -> None:
    made = rule(exotel_ws_port="9000", tls="yes", extra_ports="8009,9000,9100-9110", target_tags="bot,web", priority="900")
    assert (made["ports"], made["tags"], made["priority"]) == (["9000", "443", "8009", "9100-9110"], ["bot", "web"], 900)
    assert made["does"] == (
        "in tcp:9000, tcp:443, tcp:8009, tcp:9100-9110 from 203.0.113.0/24 to the instances tagged bot, web of network default, "
        "priority 900"
    )


@pytest.mark.parametrize(
    ("sources", "test", "warned"),
    [
        (["0.0.0.0/0"], False, True),
        (["203.0.113.0/24", "::/0"], False, True),
        (["0.0.0.0/0"], True, False),
        (["10.0.0.0/20", "203.0.113.10"], False, False),
    ],
)
def test_a_rule_for_everybody_is_warned_of(sources: list[str], test: bool, warned: bool) -> None:
    assert rule(source_ranges=sources, test=test)["warning"].startswith("warning:") is warned


def test_hosts_share_a_rule_and_one_without_a_project_needs_none() -> None:
    fleet = fleet_firewall({"a": rule(), "b": rule(), "c": rule(project="q"), "d": rule(project="")})
    assert list(fleet["rules"]) == ["allow-exotel-ws of p", "allow-exotel-ws of q"]
    assert (fleet["without"], fleet["refusal"]) == (["d"], "")
    assert fleet["told"] == ["no gcp_project, skipped: d"]


def test_different_rules_of_one_name_are_refused() -> None:
    refusal = fleet_firewall({"a": rule(), "b": rule(exotel_ws_port=9000)})["refusal"]
    assert refusal.startswith("hosts need different rules under one name: in tcp:8765 ")
    assert " | in tcp:9000 " in refusal
    assert refusal.endswith("give each its own gcp_firewall_name")


def test_a_rule_for_nobody_is_refused_unless_it_has_to_go() -> None:
    assert fleet_firewall({"a": rule(source_ranges=[])})["refusal"].startswith("exotel_ws_allowed_sources is empty")
    assert fleet_firewall({"a": rule(source_ranges=[], state="absent")})["refusal"] == ""
    assert fleet_firewall({"a": rule(source_ranges=[], project="")})["refusal"] == ""


@pytest.mark.parametrize(
    ("state", "changed", "check", "line"),
    [
        ("present", True, False, "rule allow-exotel-ws of p lets in tcp:8765 "),
        ("present", False, True, "rule allow-exotel-ws of p lets in tcp:8765 "),
        ("present", True, True, "rule allow-exotel-ws of p would let in tcp:8765 "),
        ("absent", True, False, "rule allow-exotel-ws of p is gone"),
        ("absent", True, True, "rule allow-exotel-ws of p would be gone"),
    ],
)
def test_what_became_of_a_rule_is_told(state: str, changed: bool, check: bool, line: str) -> None:
    results = [{"item": "allow-exotel-ws of p", "changed": changed}]
    [told] = fleet_firewall({"a": rule(state=state)}, results, check)["told"]
    assert told.startswith(line)


def test_a_warning_is_told_once_and_not_of_a_rule_that_goes() -> None:
    everybody = {"source_ranges": ["0.0.0.0/0"]}
    [warning] = fleet_firewall({"a": rule(**everybody), "b": rule(**everybody, project="q")})["told"]
    assert warning.startswith("warning: anybody may connect. Ask Exotel")
    assert fleet_firewall({"a": rule(**everybody, state="absent")})["told"] == []


def test_rules_of_something_else_are_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="a rule has no 'project'"):
        fleet_firewall({"a": {}})
