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


def rules(**variables: Any) -> list[dict[str, Any]]:
    """Return the rules of a host with these variables; those of the role are given without their prefix."""
    loader = DataLoader()
    said = {name if name.startswith(("exotel", "edge")) else f"gcp_firewall_{name}": value for name, value in variables.items()}
    return list(LookupModule(loader=loader, templar=Templar(loader=loader)).run([], NEEDED | said))


def rule(**variables: Any) -> dict[str, Any]:
    """Return the only rule of a host with these variables, beside the one that may be left over."""
    made, second = rules(**variables)
    assert (second["name"], second["state"], second["leftover"]) == (f"{made['name']}-acme", "absent", True)
    return made


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


def test_with_an_edge_its_port_is_opened_in_place_of_the_servers() -> None:
    made = rule(exotel_ws_edge=True, edge_certificate="self_signed", extra_ports="8009")
    assert made["ports"] == ["443", "8009"]
    assert made["does"].startswith("in tcp:443, tcp:8009 from 203.0.113.0/24 ")
    assert made["does"].endswith("; tcp:8765 is closed, for the server is behind the edge")


def test_a_port_that_is_asked_for_besides_is_not_told_to_be_closed() -> None:
    made = rule(exotel_ws_edge=True, edge_certificate="files", extra_ports="8765")
    assert (made["ports"], "is closed" in made["does"]) == (["443", "8765"], False)


def test_an_acme_authority_comes_in_with_everybody_by_the_one_rule() -> None:
    assert rule(exotel_ws_edge=True, source_ranges=["0.0.0.0/0"])["ports"] == ["443", "80"]


def test_an_acme_authority_comes_in_where_only_some_may_call_by_a_second_rule() -> None:
    of_calls, of_acme = rules(exotel_ws_edge=True, extra_ports="8009", target_tags="bot")
    assert (of_calls["title"], of_calls["ports"], of_calls["sources"]) == (
        "allow-exotel-ws of p",
        ["443", "8009"],
        ["203.0.113.0/24"],
    )
    assert (of_acme["title"], of_acme["ports"], of_acme["sources"]) == ("allow-exotel-ws-acme of p", ["80"], ["0.0.0.0/0"])
    assert (of_acme["tags"], of_acme["warning"]) == (["bot"], "")
    assert "closed" not in of_acme["does"]
    fleet = fleet_firewall({"a": [of_calls, of_acme], "b": rules(exotel_ws_edge=True, extra_ports="8009", target_tags="bot")})
    assert (list(fleet["rules"]), fleet["refusal"]) == (["allow-exotel-ws of p", "allow-exotel-ws-acme of p"], "")


ACME = "allow-exotel-ws-acme of p"
GONE = "no ACME authority has to come in by a rule of its own any more"
NOT_OURS = "stays, for its description is not ours: remove it by hand if an earlier edge left it"


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"exotel_ws_edge": True, "edge_certificate": "files"},
        {"exotel_ws_edge": True, "source_ranges": ["0.0.0.0/0"]},
        {"exotel_ws_edge": True, "state": "absent"},
    ],
    ids=["without an edge", "with a certificate of one's own", "open to everybody", "closed"],
)
def test_the_second_rule_goes_when_it_is_no_longer_needed(now: dict[str, Any]) -> None:
    assert fleet_firewall({"a": rules(**now)})["rules"][ACME]["state"] == "absent"


def test_the_second_rule_stays_while_a_host_needs_it() -> None:
    with_files = rules(exotel_ws_edge=True, edge_certificate="files")
    fleet = fleet_firewall({"a": rules(exotel_ws_edge=True), "b": with_files})
    assert (fleet["refusal"], fleet["rules"][ACME]["state"]) == ("", "present")
    assert list(fleet_firewall({"b": with_files}, whole=False)["rules"]) == ["allow-exotel-ws of p"], "another host may need it"


def test_a_name_that_has_no_room_for_a_second_rule_leaves_none_over() -> None:
    assert len(rules(name="a" * 59)) == 1
    assert len(rules(name="a" * 58)) == 2


@pytest.mark.parametrize(
    ("result", "check", "told"),
    [
        ({"changed": True, "rule": None}, False, [f"rule {ACME} is gone: {GONE}"]),
        ({"changed": True, "rule": None}, True, [f"rule {ACME} would be gone: {GONE}"]),
        ({"changed": False, "rule": None}, False, []),
        ({"changed": False, "rule": {"name": "allow-exotel-ws-acme"}}, False, [f"rule {ACME} {NOT_OURS}"]),
    ],
    ids=["goes", "would go", "is not there", "is another's"],
)
def test_what_becomes_of_a_leftover_is_told(result: dict[str, Any], check: bool, told: list[str]) -> None:
    assert fleet_firewall({"a": rules()}, [{"item": ACME, **result}], check)["told"] == told


def test_nobody_who_may_call_is_refused_with_an_edge_as_well() -> None:
    assert fleet_firewall({"a": rules(exotel_ws_edge=True, source_ranges=[])})["refusal"].startswith("exotel_ws_allowed_sources")


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
    fleet = fleet_firewall({"a": rules(), "b": rules(), "c": rules(project="q"), "d": rules(project="")})
    needed = [title for title, one in fleet["rules"].items() if one["state"] == "present"]
    assert needed == ["allow-exotel-ws of p", "allow-exotel-ws of q"]
    assert (fleet["without"], fleet["refusal"]) == (["d"], "")
    assert fleet["told"] == ["no gcp_project, skipped: d"]


def test_different_rules_of_one_name_are_refused() -> None:
    refusal = fleet_firewall({"a": rules(), "b": rules(exotel_ws_port=9000)})["refusal"]
    assert refusal.startswith("hosts need different rules under one name: in tcp:8765 ")
    assert " | in tcp:9000 " in refusal
    assert refusal.endswith("give each its own gcp_firewall_name")


def test_a_rule_for_nobody_is_refused_unless_it_has_to_go() -> None:
    assert fleet_firewall({"a": rules(source_ranges=[])})["refusal"].startswith("exotel_ws_allowed_sources is empty")
    assert fleet_firewall({"a": rules(source_ranges=[], state="absent")})["refusal"] == ""
    assert fleet_firewall({"a": rules(source_ranges=[], project="")})["refusal"] == ""


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
    [told] = fleet_firewall({"a": rules(state=state)}, results, check)["told"]
    assert told.startswith(line)


def test_a_warning_is_told_once_and_not_of_a_rule_that_goes() -> None:
    everybody = {"source_ranges": ["0.0.0.0/0"]}
    [warning] = fleet_firewall({"a": rules(**everybody), "b": rules(**everybody, project="q")})["told"]
    assert warning.startswith("warning: anybody may connect. Ask Exotel")
    assert fleet_firewall({"a": rules(**everybody, state="absent")})["told"] == []


def test_rules_of_something_else_are_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="a rule has no 'project'"):
        fleet_firewall({"a": [{}]})
