"""Reach of a port: rules in the API's words go in, a verdict for every address comes out."""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.effective import Unreadable, Verdict, in_order, judge
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.ingress import Port, Target
from ansible_collections.exotel.voicebot.plugins.module_utils.gcp.ranges import Ranges
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.modules.effective_cases import NETWORK, policy, rule, vpc

PORT = Port(8765, "tcp")
TARGET = Target(NETWORK, ("10.0.0.2",), frozenset({"voice"}), frozenset({"bot@p.iam.gserviceaccount.com"}), True)
INSIDE = dataclasses.replace(TARGET, through_internet=False)
ANYWHERE = ["0.0.0.0/0"]

OPEN = vpc("open")
ANY = {"srcIpRanges": ["0.0.0.0/0"]}
COUNTRY = {"srcRegionCodes": ["KP"]}


def verdict(
    *firewalls: dict[str, Any],
    policies: tuple[dict[str, Any], ...] = (),
    first: bool = False,
    target: Target = TARGET,
    source: list[str] = ANYWHERE,
    port: Port = PORT,
) -> Verdict:
    levels = in_order({"firewalls": list(firewalls), "firewallPolicys": list(policies)}, first, target, port)
    return judge(levels, Ranges.of(source), port)


# -- one answer for everybody ------------------------------------------------------------------------------------------

FIREWALLS: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "no rule": ([], "no", "tcp:8765 is denied by the implied rule, as nothing allows it"),
    "open": ([OPEN], "yes", "tcp:8765 is allowed by rule open, priority 1000"),
    "an earlier rule denies": (
        [OPEN, vpc("block", "deny", priority=900)],
        "no",
        "tcp:8765 is denied by rule block, priority 900",
    ),
    "a later rule denies": ([vpc("block", "deny", priority=1001), OPEN], "yes", "rule open"),
    "with one priority a denial wins": ([OPEN, vpc("block", "deny")], "no", "rule block"),
    "disabled": ([OPEN, vpc("block", "deny", priority=1, disabled=True)], "yes", "rule open"),
    "egress": ([OPEN, vpc("block", "deny", priority=1, direction="EGRESS")], "yes", "rule open"),
    "another port": ([vpc("other", ports=("22", "8766-9000"))], "no", "implied"),
    "a span of ports": ([vpc("span", ports=("22", "8000-8765"))], "yes", "rule span"),
    "every port": ([vpc("all", allowed=[{"IPProtocol": "tcp"}])], "yes", "rule all"),
    "every protocol": ([vpc("all", allowed=[{"IPProtocol": "all"}])], "yes", "rule all"),
    "the protocol's number": ([vpc("six", allowed=[{"IPProtocol": "6", "ports": ["8765"]}])], "yes", "rule six"),
    "another protocol": ([vpc("udp", allowed=[{"IPProtocol": "udp", "ports": ["8765"]}])], "no", "implied"),
    "for its tag": ([vpc("tagged", targetTags=["web", "voice"])], "yes", "rule tagged"),
    "for another tag": ([vpc("tagged", targetTags=["web"])], "no", "implied"),
    "for its account": ([vpc("by-account", targetServiceAccounts=["bot@p.iam.gserviceaccount.com"])], "yes", "by-account"),
    "for another account": ([vpc("by-account", targetServiceAccounts=["x@p.iam.gserviceaccount.com"])], "no", "implied"),
    "another network": ([vpc("there", network=f"{NETWORK}-2")], "no", "implied"),
    "a link of another form": ([vpc("beta", network=f"https://compute.googleapis.com/compute/beta/{NETWORK}")], "yes", "beta"),
    "to its address": ([vpc("to", destinationRanges=["10.0.0.0/24"])], "yes", "rule to"),
    "to another address": ([vpc("to", destinationRanges=["10.9.0.0/24"])], "no", "implied"),
    "from instances only": ([vpc("inner", sourceTags=["web"])], "no", "implied"),
    "from accounts only": ([vpc("inner", sourceServiceAccounts=["web@p.iam.gserviceaccount.com"])], "no", "implied"),
    "instances are denied": ([OPEN, vpc("inner", "deny", priority=1, sourceTags=["web"])], "yes", "rule open"),
    "in two halves": (
        [vpc("low", sourceRanges=["0.0.0.0/1"]), vpc("high", sourceRanges=["128.0.0.0/1"])],
        "yes",
        "rule low, priority 1000 and rule high, priority 1000",
    ),
    "only from IPv6": ([vpc("six", sourceRanges=["::/0"])], "no", "implied"),
}

DENIED = rule(10, "deny", name="no-calls")
GO_ON = rule(10, "goto_next")
POLICIES: dict[str, tuple[tuple[dict[str, Any], ...], bool, str, str]] = {
    "hierarchical before all": (
        (policy("HIERARCHY", "corp", DENIED),),
        False,
        "no",
        "tcp:8765 is denied by rule 10 (no-calls) of the hierarchical policy corp",
    ),
    "the organisation's before the folder's": (
        (policy("HIERARCHY", "corp", rule(9, "allow")), policy("HIERARCHY", "folder", DENIED)),
        False,
        "yes",
        "rule 9 of the hierarchical policy corp",
    ),
    "passed on to the folder": (
        (policy("HIERARCHY", "corp", GO_ON, rule(11, "deny")), policy("HIERARCHY", "folder", DENIED)),
        False,
        "no",
        "policy folder",
    ),
    "passed on to the rules": ((policy("HIERARCHY", "corp", GO_ON, rule(11, "deny")),), False, "yes", "rule open"),
    "by number, not as they are listed": ((policy("HIERARCHY", "corp", rule(11, "deny"), GO_ON),), False, "yes", "rule open"),
    "a system's after the hierarchy": ((policy("SYSTEM_REGIONAL", "gke", DENIED),), True, "no", "regional system policy gke"),
    "the network's after its rules": ((policy("NETWORK", "net", DENIED),), False, "yes", "rule open"),
    "the network's before its rules": ((policy("NETWORK", "net", DENIED),), True, "no", "global network policy net"),
    "the region's before the rules": ((policy("NETWORK_REGIONAL", "net", DENIED),), True, "no", "regional network policy net"),
    "the network's before the region's": (
        (policy("NETWORK_REGIONAL", "region", DENIED), policy("NETWORK", "global", rule(1, "allow"))),
        True,
        "yes",
        "global network policy global",
    ),
    "the network's by priority": (
        (policy("NETWORK", "b", DENIED, priority=20), policy("NETWORK", "a", rule(1, "allow"), priority=10)),
        True,
        "yes",
        "policy a",
    ),
    "disabled": ((policy("HIERARCHY", "corp", rule(10, "deny", disabled=True)),), False, "yes", "rule open"),
    "for another network": (
        (policy("HIERARCHY", "corp", rule(10, "deny", targetResources=[f"https://x/{NETWORK}-2"])),),
        False,
        "yes",
        "rule open",
    ),
    "for this network": (
        (policy("HIERARCHY", "corp", rule(10, "deny", targetResources=[f"https://x/{NETWORK}"])),),
        False,
        "no",
        "corp",
    ),
    "for another account": (
        (policy("HIERARCHY", "corp", rule(10, "deny", targetServiceAccounts=["x@p.iam.gserviceaccount.com"])),),
        False,
        "yes",
        "rule open",
    ),
    "for load balancers": (
        (policy("HIERARCHY", "corp", rule(10, "deny", targetType="INTERNAL_MANAGED_LB")),),
        False,
        "yes",
        "rule open",
    ),
    "for a tag that Google says it has": (
        (policy("NETWORK", "net", rule(10, "deny", targetSecureTags=[{"name": "tagValues/1", "state": "EFFECTIVE"}])),),
        True,
        "no",
        "net",
    ),
    "for a tag that is gone": (
        (policy("NETWORK", "net", rule(10, "deny", targetSecureTags=[{"name": "tagValues/1", "state": "INEFFECTIVE"}])),),
        True,
        "yes",
        "rule open",
    ),
    "from a tag that is gone": (
        (policy("NETWORK", "net", rule(1, "deny", match={"srcSecureTags": [{"name": "t", "state": "INEFFECTIVE"}]})),),
        True,
        "yes",
        "rule open",
    ),
    "another port": (
        (policy("HIERARCHY", "c", rule(1, "deny", match={**ANY, "layer4Configs": [{"ipProtocol": "tcp", "ports": ["22"]}]})),),
        False,
        "yes",
        "rule open",
    ),
    "to another address": (
        (policy("HIERARCHY", "c", rule(1, "deny", match={"destIpRanges": ["10.9.0.0/24"]})),),
        False,
        "yes",
        "rule open",
    ),
    "from the internet": (
        (policy("HIERARCHY", "c", rule(1, "deny", match={**ANY, "srcNetworkType": "INTERNET"})),),
        False,
        "no",
        "policy c",
    ),
    "from elsewhere than the internet": (
        (policy("HIERARCHY", "c", rule(1, "deny", match={**ANY, "srcNetworkContext": "NON_INTERNET"})),),
        False,
        "yes",
        "rule open",
    ),
    "from this VPC": (
        (policy("HIERARCHY", "c", rule(1, "deny", match={**ANY, "srcNetworkType": "INTRA_VPC"})),),
        False,
        "yes",
        "rule open",
    ),
    "what only Google knows makes no difference": (
        (policy("HIERARCHY", "c", rule(1, "allow", match=COUNTRY)),),
        False,
        "yes",
        "rule open",
    ),
    "nor does it behind a rule that decides": (
        (policy("HIERARCHY", "c", rule(1, "deny"), rule(2, "allow", match=COUNTRY)),),
        False,
        "no",
        "policy c",
    ),
}


@pytest.mark.parametrize(("firewalls", "reachable", "says"), FIREWALLS.values(), ids=FIREWALLS)
def test_vpc_rules(firewalls: list[dict[str, Any]], reachable: str, says: str) -> None:
    found = verdict(*firewalls)
    assert (found.reachable, says in found.text) == (reachable, True), found.text


@pytest.mark.parametrize(("policies", "first", "reachable", "says"), POLICIES.values(), ids=POLICIES)
def test_policies_around_an_open_rule(policies: tuple[dict[str, Any], ...], first: bool, reachable: str, says: str) -> None:
    found = verdict(OPEN, policies=policies, first=first)
    assert (found.reachable, says in found.text) == (reachable, True), found.text


# -- several answers, and none -----------------------------------------------------------------------------------------


def shares(found: Verdict) -> dict[str, list[str]]:
    return {share.reachable: share.source.cidrs() for share in found.shares}


def test_what_is_allowed_in_part_is_told_exactly() -> None:
    found = verdict(vpc("office", sourceRanges=["192.0.2.0/24"]), vpc("guest", "deny", priority=5, sourceRanges=["192.0.2.7/32"]))
    assert found.reachable == "partly"
    assert shares(found)["yes"] == (Ranges.of(["192.0.2.0/24"]) - Ranges.of(["192.0.2.7"])).cidrs()
    assert found.text == (
        "tcp:8765 is allowed from 192.0.2.0/30, 192.0.2.4/31, 192.0.2.6, 192.0.2.8/29 and 4 more ranges by rule office, priority "
        "1000, denied from everywhere else by rule guest, priority 5 and the implied rule, as nothing allows it"
    )


def test_only_what_was_asked_for_is_judged() -> None:
    firewalls = (vpc("office", sourceRanges=["192.0.2.0/24"]),)
    assert verdict(*firewalls, source=["192.0.2.128/25", "192.0.2.1"]).reachable == "yes"
    assert verdict(*firewalls, source=["198.51.100.1"]).reachable == "no"


def test_both_families_are_judged_at_once() -> None:
    target = dataclasses.replace(TARGET, internal=("10.0.0.2", "2600:1900::5"))
    found = verdict(OPEN, target=target, source=["0.0.0.0/0", "::/0"])
    assert shares(found) == {"yes": ["0.0.0.0/0"], "no": ["::/0"]}
    assert verdict(vpc("six", sourceRanges=["::/0"]), target=target, source=["::/0"]).reachable == "yes"


def test_a_destination_speaks_of_its_own_family_only() -> None:
    target = dataclasses.replace(TARGET, internal=("10.0.0.2", "2600:1900::5"))
    everything = policy("HIERARCHY", "c", rule(1, "deny", match={"destIpRanges": ["2600:1900::/32"]}))
    found = verdict(OPEN, vpc("six", sourceRanges=["::/0"]), policies=(everything,), target=target, source=["0.0.0.0/0", "::/0"])
    assert shares(found) == {"yes": ["0.0.0.0/0"], "no": ["::/0"]}


UNTELLABLE: dict[str, tuple[dict[str, Any], str]] = {
    "countries": (COUNTRY, "countries KP"),
    "threat lists": ({"srcThreatIntelligences": ["iplist-tor-exit-nodes"]}, "threat lists iplist-tor-exit-nodes"),
    "names": ({"srcFqdns": ["example.com"]}, "names example.com"),
    "address groups": ({"srcAddressGroups": ["projects/p/locations/global/addressGroups/g"]}, "address groups projects/p"),
    "secure tags": ({"srcSecureTags": [{"name": "tagValues/7", "state": "EFFECTIVE"}]}, "secure tags tagValues/7"),
}


@pytest.mark.parametrize(("match", "why"), UNTELLABLE.values(), ids=UNTELLABLE)
def test_what_only_google_knows_is_not_guessed(match: dict[str, Any], why: str) -> None:
    found = verdict(OPEN, policies=(policy("HIERARCHY", "corp", rule(10, "deny", match=match)),))
    assert found.reachable == "unknown"
    assert why in found.text
    assert found.text.endswith("otherwise rule open, priority 1000 allows it")


def test_the_doubt_is_about_the_rest_only() -> None:
    match = {**COUNTRY, "srcIpRanges": ["192.0.2.0/24"]}
    found = verdict(OPEN, policies=(policy("HIERARCHY", "corp", rule(10, "deny", match=match)),), source=["192.0.2.0/23"])
    assert shares(found) == {"no": ["192.0.2.0/24"], "unknown": ["192.0.3.0/24"]}


def test_a_doubt_whether_it_is_passed_on_is_one() -> None:
    corp = policy("HIERARCHY", "corp", rule(10, "goto_next", match=COUNTRY), rule(11, "deny"))
    found = verdict(OPEN, policies=(corp,))
    assert found.reachable == "unknown"
    assert "rule 10 of the hierarchical policy corp passes on countries KP" in found.text


def test_inspection_decides_later() -> None:
    inspected = policy("HIERARCHY", "corp", rule(10, "apply_security_profile_group"))
    found = verdict(OPEN, policies=(inspected,))
    assert found.reachable == "unknown"
    assert "inspected" in found.text


def test_perhaps_inspected_is_not_surely_allowed() -> None:
    inspected = policy("HIERARCHY", "corp", rule(10, "apply_security_profile_group", match=COUNTRY))
    assert verdict(OPEN, policies=(inspected,)).reachable == "unknown"


def test_of_callers_inside_tags_and_accounts_are_not_known() -> None:
    inner = vpc("inner", sourceTags=["web"], sourceRanges=["10.0.0.0/9"])
    found = verdict(inner, target=INSIDE, source=["10.0.0.0/8"])
    assert shares(found) == {"yes": ["10.0.0.0/9"], "unknown": ["10.128.0.0/9"]}
    assert "instances with web" in found.text


def test_callers_inside_do_not_come_by_the_internet() -> None:
    internet = policy("HIERARCHY", "c", rule(1, "deny", match={**ANY, "srcNetworkType": "INTERNET"}))
    other = policy("HIERARCHY", "c", rule(1, "deny", match={**ANY, "srcNetworkType": "NON_INTERNET"}))
    peers = policy("HIERARCHY", "c", rule(1, "deny", match={**ANY, "srcNetworkType": "VPC_NETWORKS"}))
    answers = [verdict(OPEN, policies=(one,), target=INSIDE, source=["10.0.0.0/8"]).reachable for one in (internet, other, peers)]
    assert answers == ["yes", "no", "unknown"]


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(Unreadable, match="type UNSPECIFIED"):
        verdict(policies=(policy("UNSPECIFIED", "new"),))
    with pytest.raises(Unreadable, match="'mirror'"):
        verdict(policies=(policy("HIERARCHY", "new", rule(1, "mirror")),))


# -- against a naive evaluator, address by address ---------------------------------------------------------------------

UNIVERSE = "198.51.100.0/28"
Naive = dict[int, bool]
"""Guess for each rule with a country, by its number: it matches or not."""

networks = st.builds(
    lambda address, length: str(ipaddress.ip_network((f"198.51.100.{address}", length), strict=False)),
    st.integers(0, 15),
    st.integers(27, 32),
)
sources = st.lists(networks, min_size=1, max_size=3)
vpc_rules = st.builds(
    lambda action, priority, ranges, tags, disabled: vpc(
        "r", action, priority=priority, sourceRanges=ranges, disabled=disabled, **({"targetTags": tags} if tags else {})
    ),
    st.sampled_from(["allow", "deny"]),
    st.sampled_from([1, 2, 2, 3]),
    sources,
    st.sampled_from([[], [], ["voice"], ["web"]]),
    st.sampled_from([False, False, False, True]),
)
policy_rules = st.builds(
    lambda action, ranges, country: {"action": action, "ranges": ranges, "country": country},
    st.sampled_from(["allow", "deny", "goto_next"]),
    st.lists(networks, max_size=3),
    st.booleans(),
)
kinds = st.sampled_from(["HIERARCHY", "HIERARCHY", "SYSTEM_REGIONAL", "NETWORK", "NETWORK_REGIONAL"])


def _policies(drawn: list[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Return policies whose rules have unique numbers, so that a naive guess can be made for each."""
    count = itertools.count()
    made = []
    for kind, rules in drawn:
        named = []
        for one in rules:
            match = {"srcIpRanges": one["ranges"]} | ({"srcRegionCodes": ["KP"]} if one["country"] else {})
            named.append(
                rule(next(count), one["action"], match=match if one["ranges"] or one["country"] else {"destIpRanges": []})
            )
        made.append(policy(kind, "p", *named))
    return made


def _naive(address: str, firewalls: list[dict[str, Any]], policies: list[dict[str, Any]], first: bool, guess: Naive) -> str:
    """Return the fate of one packet, followed from rule to rule."""
    by_kind = {kind: [one for one in policies if one["type"] == kind] for kind in ("HIERARCHY", "SYSTEM_REGIONAL", "NETWORK")}
    regional = [one for one in policies if one["type"] == "NETWORK_REGIONAL"]
    network: list[Any] = [*by_kind["NETWORK"], *regional]
    levels: list[Any] = [*by_kind["HIERARCHY"], *by_kind["SYSTEM_REGIONAL"]]
    levels += [*network, firewalls] if first else [firewalls, *network]
    for level in levels:
        fate = _among(address, level) if isinstance(level, list) else _in_policy(address, level["rules"], guess)
        if fate in ("allow", "deny"):
            return fate
    return "deny"


def _within(address: str, cidrs: list[str]) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(cidr) for cidr in cidrs)


def _among(address: str, firewalls: list[dict[str, Any]]) -> str:
    met = [
        (one["priority"], "allowed" in one)
        for one in firewalls
        if not one["disabled"] and one.get("targetTags", ["voice"]) == ["voice"] and _within(address, one["sourceRanges"])
    ]
    return ("allow" if min(met)[1] else "deny") if met else ""


def _in_policy(address: str, rules: list[dict[str, Any]], guess: Naive) -> str:
    for one in rules:
        match = one["match"]
        anywhere = "srcIpRanges" not in match
        by_country = "srcRegionCodes" in match and guess[one["priority"]]
        if anywhere or by_country or _within(address, match["srcIpRanges"]):
            return str(one["action"])
    return ""


def _guesses(policies: list[dict[str, Any]]) -> Iterator[Naive]:
    open_ones = [one["priority"] for made in policies for one in made["rules"] if "srcRegionCodes" in one["match"]]
    for answers in itertools.product((False, True), repeat=len(open_ones)):
        yield dict(zip(open_ones, answers, strict=True))


@settings(deadline=None, max_examples=150)
@given(st.lists(vpc_rules, max_size=4), st.lists(st.tuples(kinds, st.lists(policy_rules, max_size=2)), max_size=3), st.booleans())
def test_every_address_fares_as_a_packet_would(
    firewalls: list[dict[str, Any]], drawn: list[tuple[str, list[dict[str, Any]]]], first: bool
) -> None:
    policies = _policies(drawn)
    found = verdict(*firewalls, policies=tuple(policies), first=first, source=[UNIVERSE])
    told = {
        str(address): share.reachable
        for share in found.shares
        for cidr in share.source.cidrs()
        for address in ipaddress.ip_network(cidr)
    }
    for address in map(str, ipaddress.ip_network(UNIVERSE)):
        fates = {_naive(address, firewalls, policies, first, guess) for guess in _guesses(policies)}
        assert told[address] == {"allow": "yes", "deny": "no"}.get("/".join(sorted(fates)), "unknown")


# -- sets of addresses -------------------------------------------------------------------------------------------------

small = st.lists(networks, max_size=5)


def _addresses(ranges: Ranges) -> set[str]:
    return {str(address) for cidr in ranges.cidrs() for address in ipaddress.ip_network(cidr)}


@settings(deadline=None)
@given(small, small)
def test_sets_of_addresses_are_exact(one: list[str], other: list[str]) -> None:
    left, right = Ranges.of(one), Ranges.of(other)
    a, b = ({str(address) for cidr in cidrs for address in ipaddress.ip_network(cidr)} for cidrs in (one, other))
    assert (_addresses(left | right), _addresses(left & right), _addresses(left - right)) == (a | b, a & b, a - b)
    assert left.size == len(a)
    assert Ranges.of(left.cidrs()) == left


def test_the_families_do_not_touch() -> None:
    ends = Ranges.of(["255.255.255.255", "::"])
    assert ends.cidrs() == ["255.255.255.255", "::"]
    assert Ranges.of(["0.0.0.0/0", "::/0"]).cidrs() == ["0.0.0.0/0", "::/0"]


def test_neighbours_become_one() -> None:
    assert Ranges.of(["10.0.0.128/25", "10.0.0.0/25"]).cidrs() == ["10.0.0.0/24"]


def test_host_bits_are_ignored() -> None:
    assert Ranges.of(["10.1.2.3/8"]).cidrs() == ["10.0.0.0/8"]
