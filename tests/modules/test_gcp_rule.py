"""A firewall rule in words: refusals, equal spellings, and its form at Google."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.entries import normal_entries
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.faults import Fault
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.rule import (
    FIELDS,
    changed_fields,
    check_name,
    fixed_fields,
    from_resource,
    merged,
    normal,
    opens_to_all,
    to_resource,
)
from hypothesis import given, settings

from tests.modules.gcp_rules import ENTRIES, entry, rules

P = "my-project"
COMPUTE = "https://www.googleapis.com/compute/v1"
TCP = [{"protocol": "tcp", "ports": ["8765"]}]
EMAIL = "a@p.iam.gserviceaccount.com"
REFUSED = [
    ({"allowed": TCP, "denied": TCP}, "denied: .*either allowed or denied"),
    ({"allowed": [entry("tpc", "80")]}, "allowed: 'tpc' is no protocol; it is one of ah, all, esp, icmp, ipip, sctp, tcp, udp"),
    ({"allowed": [entry("256")]}, "allowed: '256' is no protocol"),
    ({"allowed": [entry("²")]}, "allowed: '²' is no protocol"),
    ({"denied": [entry("icmp", "80")]}, "denied: protocol icmp has no ports; only sctp, tcp, udp have"),
    ({"denied": [entry("all", "80")]}, "denied: protocol all has no ports"),
    ({"allowed": [entry("tcp", "http")]}, "allowed: 'http' is neither a port nor a range of ports such as"),
    ({"allowed": [entry("tcp", "80,443")]}, "allowed: '80,443' is neither"),
    ({"allowed": [entry("tcp", "80 81")]}, "allowed: '80 81' is neither"),
    ({"allowed": [entry("tcp", "65536")]}, "allowed: port 65536 is above 65535"),
    ({"allowed": [entry("tcp", "90-80")]}, "allowed: range 90-80 ends before it begins; 80-90 is probably meant"),
    (
        {"source_ranges": ["10.0.0.1/24"]},
        "source_ranges: 10.0.0.1/24 has bits set beyond its prefix; the network is 10.0.0.0/24",
    ),
    ({"source_ranges": ["2001:db8::1/32"]}, "source_ranges: .*the network is 2001:db8::/32"),
    ({"destination_ranges": ["10.0.0/24"]}, "destination_ranges: '10.0.0/24' is not a range of addresses"),
    ({"source_ranges": ["exotel.com"]}, "source_ranges: 'exotel.com' is not a range"),
    ({"source_ranges": ["fe80::1%eth0"]}, "source_ranges: 'fe80::1%eth0' is not a range"),
    ({"source_ranges": ["10.0.0.0/8", "::/0"]}, "source_ranges: IPv4 and IPv6 ranges do not go together"),
    ({"source_ranges": ["10.0.0.0/8"], "destination_ranges": ["::/0"]}, "destination_ranges: IPv4 and IPv6"),
    ({"source_tags": ["a"], "target_service_accounts": [EMAIL]}, "source_tags: .*tags or service accounts, not both"),
    ({"target_tags": ["a"], "source_service_accounts": [EMAIL]}, "target_tags: .*not both"),
    ({"direction": "EGRESS", "source_tags": ["a"]}, "source_tags: only for incoming traffic"),
    ({"direction": "EGRESS", "source_service_accounts": [EMAIL]}, "source_service_accounts: only for incoming traffic"),
    ({"target_tags": ["Web"]}, "target_tags: 'Web' cannot be a network tag"),
    ({"target_service_accounts": ["robot"]}, "target_service_accounts: 'robot' is not the email address"),
    ({"priority": 65536}, "priority: 65536 is not from 0"),
    ({"priority": -1}, "priority: -1 is not from 0"),
    ({"network": "Default"}, "network: 'Default' is neither a network's name nor its link"),
    ({"network": "global/subnetworks/a"}, "network: 'global/subnetworks/a' is neither"),
    ({"network": "projects/other/global/networks/vpc"}, "network: .* is not in project my-project"),
    ({"logging": {"enabled": False, "metadata": "INCLUDE_ALL_METADATA"}}, "logging: metadata is only for"),
]


@pytest.mark.parametrize(("options", "complaint"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line_that_names_the_option(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Fault, match=f"^{complaint}") as refused:
        normal(options, P)
    assert "\n" not in str(refused.value)
    assert refused.value.reason == "invalid"


@pytest.mark.parametrize("name", ["", "Allow", "1a", "a-", "a_b", "a" * 64, "a\n"])
def test_a_name_that_cannot_be(name: str) -> None:
    with pytest.raises(Fault, match=r"^name: "):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "allow-exotel-ws", "a" * 63])
def test_a_name_that_can_be(name: str) -> None:
    check_name(name)


SAME = [
    ("allowed", [entry("TCP", "8765")], [entry("6", "8765")], TCP),
    ("allowed", [entry("tcp", "443", "80"), entry("tcp", "80")], [entry("tcp", "80-80", "443")], [entry("tcp", "80", "443")]),
    ("allowed", [entry("tcp", "80", "81-90", "85-95")], [entry("tcp", "80-95")], [entry("tcp", "80-95")]),
    (
        "allowed",
        [entry("udp"), entry("tcp", "1")],
        [entry("tcp", "1"), entry("17", "0-65535")],
        [entry("tcp", "1"), entry("udp")],
    ),
    ("denied", [entry("tcp", "80"), entry("tcp")], [{"protocol": "tcp", "ports": None}], [entry("tcp")]),
    ("denied", [entry("058")], [entry("58")], [entry("58")]),
    ("source_ranges", ["10.0.0.0/8", "1.2.3.4"], ["1.2.3.4/32", "10.0.0.0/8", "10.0.0.0/8"], ["1.2.3.4/32", "10.0.0.0/8"]),
    ("source_ranges", ["2001:DB8:0::/32"], ["2001:db8::/32"], ["2001:db8::/32"]),
    ("source_ranges", ["9.0.0.0/8", "10.0.0.0/8"], ["10.0.0.0/8", "9.0.0.0/8"], ["9.0.0.0/8", "10.0.0.0/8"]),
    ("target_tags", ["b", "a", "b"], ["a", "b"], ["a", "b"]),
    ("network", "vpc", f"{COMPUTE}/projects/{P}/global/networks/vpc", "vpc"),
    ("network", "global/networks/vpc", f"projects/{P}/global/networks/vpc", "vpc"),
    ("network", "projects/123456/global/networks/vpc", "vpc", "vpc"),
]


@pytest.mark.parametrize(("option", "one", "other", "expected"), SAME)
def test_what_means_the_same_is_the_same(option: str, one: object, other: object, expected: object) -> None:
    assert normal({option: one}, P) == normal({option: other}, P) == {option: expected}


def test_what_was_not_given_stays_and_an_empty_list_clears() -> None:
    before = merged(None, normal({"allowed": TCP, "target_tags": ["a"], "priority": 5, "source_ranges": ["10.0.0.0/8"]}, P))
    after = merged(before, normal({"target_tags": [], "description": None}, P))
    assert changed_fields(before, after) == ["target_tags"]
    assert after["target_tags"] == []


def test_a_new_rule_needs_something_to_allow_or_deny() -> None:
    with pytest.raises(Fault, match=r"^allowed: .*one of allowed and denied is needed"):
        merged(None, normal({"priority": 5}, P))


def test_the_last_action_cannot_be_cleared() -> None:
    with pytest.raises(Fault, match=r"^allowed: "):
        merged(merged(None, {"allowed": TCP}), normal({"allowed": []}, P))


def test_what_was_given_has_to_fit_what_is_there() -> None:
    there = merged(None, normal({"allowed": TCP, "target_tags": ["a"], "source_ranges": ["10.0.0.0/8"]}, P))
    with pytest.raises(Fault, match=r"^target_tags: "):
        merged(there, normal({"target_service_accounts": [EMAIL]}, P))
    with pytest.raises(Fault, match=r"^destination_ranges: IPv4 and IPv6"):
        merged(there, normal({"destination_ranges": ["::/0"]}, P))


@pytest.mark.parametrize(
    ("wanted", "field", "everywhere"),
    [
        ({}, "source_ranges", ["0.0.0.0/0"]),
        ({"destination_ranges": ["2001:db8::/32"]}, "source_ranges", ["::/0"]),
        ({"source_tags": ["a"]}, "source_ranges", []),
        ({"direction": "EGRESS"}, "destination_ranges", ["0.0.0.0/0"]),
        ({"direction": "EGRESS", "source_ranges": ["2001:db8::/32"]}, "destination_ranges", ["::/0"]),
    ],
)
def test_a_rule_without_addresses_is_for_all(wanted: dict[str, Any], field: str, everywhere: list[str]) -> None:
    assert merged(None, normal({"allowed": TCP, **wanted}, P))[field] == everywhere


def test_a_list_that_was_cleared_may_open_the_rule_to_all() -> None:
    tagged = merged(None, normal({"allowed": TCP, "source_tags": ["a"]}, P))
    for wanted, opens in (({"source_tags": []}, True), ({"source_tags": [], "source_ranges": ["0.0.0.0/0"]}, False), ({}, False)):
        assert opens_to_all(wanted, merged(tagged, normal(wanted, P))) is opens


@pytest.mark.parametrize(
    ("wanted", "fixed"),
    [
        ({"network": "vpc"}, ["network"]),
        ({"direction": "EGRESS", "source_tags": []}, ["direction"]),
        ({"denied": TCP}, ["action"]),
        ({"denied": TCP, "network": "vpc"}, ["network", "action"]),
        ({"allowed": [entry("udp")], "priority": 1, "disabled": True}, []),
    ],
)
def test_what_google_cannot_change(wanted: dict[str, Any], fixed: list[str]) -> None:
    before = merged(None, {"allowed": TCP})
    assert fixed_fields(before, merged(before, normal(wanted, P))) == fixed


def test_turning_the_log_on_keeps_what_it_says_and_off_forgets_it() -> None:
    before = merged(None, normal({"allowed": TCP, "logging": {"enabled": True, "metadata": "EXCLUDE_ALL_METADATA"}}, P))
    assert merged(before, normal({"logging": {"enabled": True}}, P)) == before
    off = merged(before, normal({"logging": {"enabled": False}}, P))
    assert off["logging"] == {"enabled": False}
    assert merged(off, normal({"logging": {"enabled": True}}, P))["logging"]["metadata"] == "INCLUDE_ALL_METADATA"


@settings(deadline=None, max_examples=50)
@given(rules(P))
def test_a_rule_comes_back_from_google_as_it_was_sent(options: dict[str, Any]) -> None:
    words = merged(None, normal(options, P))
    assert set(words) == set(FIELDS)
    assert from_resource(to_resource("x", words, P)) == words
    assert merged(words, normal(options, P)) == words


@settings(deadline=None, max_examples=50)
@given(rules(P), rules(P))
def test_what_is_given_wins_over_what_is_there(before: dict[str, Any], wanted: dict[str, Any]) -> None:
    asked = normal(wanted, P)
    after = merged(merged(None, normal(before, P)), asked)
    # The metadata of a log stay when it is only turned on.
    assert {**after, "logging": None} == {**merged(None, asked), "logging": None}


@settings(deadline=None, max_examples=50)
@given(ENTRIES)
def test_ports_in_the_normal_form_are_the_same_ports(entries: list[dict[str, Any]]) -> None:
    def held(some: list[dict[str, Any]], protocol: str) -> set[int]:
        found: set[int] = set()
        for one in some:
            if normal_entries("x", [{"protocol": one["protocol"]}])[0]["protocol"] == protocol:
                for ports in one["ports"] or ["0-65535"]:
                    first, _, last = ports.partition("-")
                    found |= set(range(int(first), int(last or first) + 1))
        return found

    after = normal_entries("x", entries)
    assert normal_entries("x", after) == after
    for protocol in ("tcp", "udp", "sctp"):
        assert held(entries, protocol) == held(after, protocol)
