"""The life of a firewall rule, from the module's options to the requests of Google's own client, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.rule import FIELDS
from hypothesis import HealthCheck, given, settings

from tests.modules.compute.server import ComputeServer
from tests.modules.gcp_module import PROJECT, FirewallRule
from tests.modules.gcp_rules import rules

NAME = FirewallRule.name
TCP = [{"protocol": "tcp", "ports": ["8765"]}]
THE_RULE: dict[str, Any] = {"description": "Exotel WebSocket Server", "allowed": TCP, "source_ranges": ["0.0.0.0/0"]}
EMAIL = "server@contract-test.iam.gserviceaccount.com"
TAGGED: dict[str, Any] = {
    **THE_RULE,
    "source_ranges": ["198.51.100.0/24"],
    "destination_ranges": ["203.0.113.0/24"],
    "source_tags": ["front"],
    "target_tags": ["exotel-ws"],
}
# Results that check mode shares with the run.
SEEN = ("changed", "rule", "fields", "replaced", "diff")
OF_ACCOUNTS: dict[str, Any] = {
    **THE_RULE,
    "source_ranges": ["198.51.100.0/24"],
    "source_service_accounts": [EMAIL],
    "target_service_accounts": [EMAIL],
}


@pytest.fixture
def apply(compute: ComputeServer, tmp_path: Path) -> FirewallRule:
    return FirewallRule(compute, tmp_path)


def stored(compute: ComputeServer) -> dict[str, Any]:
    return dict(compute.store.firewalls(PROJECT)[NAME])


def methods(compute: ComputeServer) -> list[str]:
    return [request.method for request in compute.requests.writes]


def test_the_story(compute: ComputeServer, apply: FirewallRule) -> None:
    missing = apply()
    assert missing["failed"]
    assert missing["msg"].startswith("allowed: ")

    foreseen = apply(check=True, **THE_RULE)
    assert foreseen["changed"]
    assert foreseen["operations"] == []
    assert foreseen["diff"]["before"] == {}
    assert methods(compute) == []

    made = apply(**THE_RULE)
    assert made["changed"]
    assert {key: made[key] for key in SEEN} == {key: foreseen[key] for key in SEEN}
    assert [(one["what"], one["status"]) for one in made["operations"]] == [(f"insert of firewall rule {NAME}", "DONE")]
    assert stored(compute)["allowed"] == [{"IPProtocol": "tcp", "ports": ["8765"]}]
    assert stored(compute)["sourceRanges"] == ["0.0.0.0/0"]
    assert stored(compute)["description"] == "Exotel WebSocket Server"
    assert stored(compute)["network"].endswith(f"/projects/{PROJECT}/global/networks/default")

    again = apply(**THE_RULE)
    assert (again["changed"], again["fields"], again["operations"]) == (False, [], [])
    assert again["diff"]["before"] == again["diff"]["after"] == made["diff"]["after"]
    assert apply()["changed"] is False

    going = apply(check=True, state="absent")
    assert (going["changed"], going["rule"], going["diff"]["after"]) == (True, None, {})
    assert NAME in compute.store.firewalls(PROJECT)

    gone = apply(state="absent")
    assert (gone["changed"], gone["rule"]) == (True, None)
    assert compute.store.firewalls(PROJECT) == {}
    assert apply(state="absent")["changed"] is False
    assert methods(compute) == ["POST", "DELETE"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": None}, "missing required arguments: name"),
        ({"project": None}, "missing required arguments: project"),
        ({"allowed": [{"ports": ["80"]}]}, "missing required arguments: protocol found in allowed"),
        ({"direction": "IN"}, "value of direction must be one of"),
        ({"logging": {"metadata": "INCLUDE_ALL_METADATA"}}, "missing required arguments: enabled found in logging"),
        ({"prioriti": 5}, "Unsupported parameters .*prioriti"),
        ({"name": "Allow"}, "^name: 'Allow' cannot be a rule's name"),
        ({"source_ranges": ["10.0.0.1/8"]}, r"^source_ranges: .*the network is 10\.0\.0\.0/8"),
        ({"state": "absent", "priority": -1}, "^priority: "),
        ({"project": "My Project"}, "^project: 'My Project' is not a project's ID"),
        ({"timeout": 0}, "^timeout: "),
        ({"api_endpoint": "http://compute.example.com"}, "^api_endpoint: http to compute.example.com would show the token"),
        ({"api_endpoint": "https://user:word@h"}, "^api_endpoint: .* is not https://HOST"),
        ({"auth_kind": "application_default"}, "^service_account_file: only used with"),
        ({"service_account_file": None}, "^service_account_file: needed with"),
    ],
)
def test_wrong_options_are_told_of_before_any_request(
    compute: ComputeServer, apply: FirewallRule, options: dict[str, Any], complaint: str
) -> None:
    failed = apply(**options)
    assert failed["failed"]
    assert re.search(complaint, failed["msg"])
    assert compute.requests == []


CHANGES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # the rule before, the options, the rule afterwards
    (THE_RULE, {"description": "another"}, {"description": "another"}),
    (THE_RULE, {"description": ""}, {"description": ""}),
    (THE_RULE, {"priority": 0}, {"priority": 0}),
    (THE_RULE, {"disabled": True}, {"disabled": True}),
    ({**THE_RULE, "disabled": True}, {"disabled": False}, {"disabled": False}),
    (
        THE_RULE,
        {"allowed": [*TCP, {"protocol": "icmp"}]},
        {"allowed": [{"IPProtocol": "icmp"}, {"IPProtocol": "tcp", "ports": ["8765"]}]},
    ),
    (THE_RULE, {"allowed": [{"protocol": "tcp"}]}, {"allowed": [{"IPProtocol": "tcp"}]}),
    (THE_RULE, {"source_ranges": ["198.51.100.7"]}, {"sourceRanges": ["198.51.100.7/32"]}),
    (THE_RULE, {"source_ranges": ["::/0"]}, {"sourceRanges": ["::/0"]}),
    (THE_RULE, {"destination_ranges": ["10.128.0.0/20"]}, {"destinationRanges": ["10.128.0.0/20"]}),
    (THE_RULE, {"source_tags": ["b", "a"]}, {"sourceTags": ["a", "b"]}),
    (THE_RULE, {"target_tags": ["exotel-ws"]}, {"targetTags": ["exotel-ws"]}),
    (THE_RULE, {"source_service_accounts": [EMAIL]}, {"sourceServiceAccounts": [EMAIL]}),
    (THE_RULE, {"target_service_accounts": [EMAIL]}, {"targetServiceAccounts": [EMAIL]}),
    (THE_RULE, {"logging": {"enabled": True}}, {"logConfig": {"enable": True, "metadata": "INCLUDE_ALL_METADATA"}}),
    (
        {**THE_RULE, "logging": {"enabled": True}},
        {"logging": {"enabled": True, "metadata": "EXCLUDE_ALL_METADATA"}},
        {"logConfig": {"enable": True, "metadata": "EXCLUDE_ALL_METADATA"}},
    ),
    ({**THE_RULE, "logging": {"enabled": True}}, {"logging": {"enabled": False}}, {"logConfig": {"enable": False}}),
    ({**THE_RULE, "allowed": None, "denied": TCP}, {"denied": [{"protocol": "all"}]}, {"denied": [{"IPProtocol": "all"}]}),
    # A list that is cleared is cleared at Google.
    (TAGGED, {"source_ranges": []}, {"sourceRanges": None}),
    (TAGGED, {"destination_ranges": []}, {"destinationRanges": None}),
    (TAGGED, {"source_tags": []}, {"sourceTags": None}),
    (TAGGED, {"target_tags": []}, {"targetTags": None}),
    (OF_ACCOUNTS, {"source_service_accounts": []}, {"sourceServiceAccounts": None}),
    (OF_ACCOUNTS, {"target_service_accounts": []}, {"targetServiceAccounts": None}),
    (TAGGED, {"target_tags": [], "source_tags": [], "target_service_accounts": [EMAIL]}, {"targetServiceAccounts": [EMAIL]}),
]


@pytest.mark.parametrize(("before", "given", "expected"), CHANGES)
def test_each_change_is_made_once_and_nothing_else_with_it(
    compute: ComputeServer, apply: FirewallRule, before: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    apply(**before)
    there = stored(compute)

    foreseen = apply(check=True, **given)
    assert stored(compute) == there
    changed = apply(**given)
    assert changed["changed"]
    assert foreseen["changed"]
    assert set(given) - {"source_tags", "target_tags"} <= set(changed["fields"]) <= set(given)
    assert {key: changed[key] for key in SEEN} == {key: foreseen[key] for key in SEEN}
    differing = {key for key, value in changed["diff"]["after"].items() if changed["diff"]["before"][key] != value}
    assert differing == set(changed["fields"])

    then = stored(compute)
    assert {key: then.get(key) for key in expected} == expected
    touched = {"sourceTags", "targetTags"} | set(expected)
    assert {key: value for key, value in then.items() if key not in touched} == {
        key: value for key, value in there.items() if key not in touched
    }
    assert apply(**given)["changed"] is False
    assert methods(compute) == ["POST", "PUT"]


REPLACEMENTS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"network": "vpc"}, "network", {"network": "vpc"}),
    ({"direction": "EGRESS"}, "direction", {"direction": "EGRESS"}),
    ({"denied": TCP}, "action", {"denied": [{"IPProtocol": "tcp", "ports": ["8765"]}], "allowed": None}),
]


def test_no_field_is_left_out_of_these() -> None:
    tried = [change[1] for change in CHANGES] + [change[0] for change in REPLACEMENTS]
    assert {field for options in tried for field in options} == set(FIELDS)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=rules(PROJECT), wanted=rules(PROJECT))
def test_of_any_rule_any_other_is_made(
    compute: ComputeServer, apply: FirewallRule, before: dict[str, Any], wanted: dict[str, Any]
) -> None:
    compute.store.add_network(PROJECT, "vpc")
    apply(**before)
    foreseen = apply(check=True, **wanted)
    changed = apply(**wanted)
    assert {key: changed[key] for key in SEEN} == {key: foreseen[key] for key in SEEN}
    again = apply(**wanted)
    assert (again["changed"], again["rule"]) == (False, changed["rule"])


@pytest.mark.parametrize(("given", "fixed", "expected"), REPLACEMENTS)
def test_what_google_cannot_change_is_made_anew(
    compute: ComputeServer, apply: FirewallRule, given: dict[str, Any], fixed: str, expected: dict[str, Any]
) -> None:
    compute.store.add_network(PROJECT, "vpc")
    apply(**THE_RULE, priority=77)
    foreseen = apply(check=True, **given)
    assert foreseen["replaced"]
    assert f"would be deleted and inserted again, since Google cannot change the {fixed}" in foreseen["warnings"][0]
    assert methods(compute) == ["POST"]

    replaced = apply(**given)
    assert (replaced["changed"], replaced["replaced"]) == (True, True)
    assert f"was deleted and inserted again, since Google cannot change the {fixed}" in replaced["warnings"][0]
    assert [one["what"].split()[0] for one in replaced["operations"]] == ["delete", "insert"]
    then = stored(compute)
    assert {key: str(then[key]).rpartition("/")[2] if key == "network" else then.get(key) for key in expected} == expected
    assert (then["priority"], then["description"]) == (77, "Exotel WebSocket Server")
    assert apply(**given)["changed"] is False


def test_clearing_the_last_source_opens_the_rule_and_says_so(compute: ComputeServer, apply: FirewallRule) -> None:
    apply(allowed=TCP, source_tags=["front"])
    opened = apply(source_tags=[])
    assert opened["fields"] == ["source_ranges", "source_tags"]
    assert "for every address" in opened["warnings"][0]
    assert stored(compute)["sourceRanges"] == ["0.0.0.0/0"]
    assert apply(source_tags=[])["warnings"] == []


def test_a_rule_that_somebody_made_by_hand_in_other_words_is_the_same(compute: ComputeServer, apply: FirewallRule) -> None:
    apply(**TAGGED)
    by_hand = compute.store.firewalls(PROJECT)[NAME]
    by_hand["allowed"] = [{"IPProtocol": "6", "ports": ["8765-8765"]}]
    by_hand["sourceRanges"] = ["198.51.100.0/24", "198.51.100.0/24"]
    assert apply(**TAGGED)["changed"] is False


def test_the_diff_is_in_the_words_of_the_options(apply: FirewallRule) -> None:
    apply(**THE_RULE)
    diff = apply(check=True, target_tags=["exotel-ws"])["diff"]
    assert diff["before_header"] == f"firewall rule {NAME} of project {PROJECT}"
    assert diff["before"]["target_tags"] == []
    assert diff["after"]["target_tags"] == ["exotel-ws"]
    assert diff["after"]["allowed"] == TCP
    assert json.dumps(diff).count("IPProtocol") == 0
