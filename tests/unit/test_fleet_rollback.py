"""Targets of a fleet's rollback, as a table: the same release everywhere, or no host moves."""

from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.filter.fleet_rollback import fleet_rollback, way_back
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, plan_rollback, rollback_choices

from tests.modules.hosts import content, generation, host, keyed


def back(*releases: str, python: str = "") -> dict[str, Any]:
    """Return a host on which these served one after the other; with another `python` they have other names.

    A release that ends in ' is of other settings.
    """
    names = [release[:2] + python for release in releases]
    each = [
        generation(f"g{number}-{releases[number]}", content(name, settings=releases[number])) for number, name in enumerate(names)
    ]
    return rollback_choices(host(*each), {name: name[:2] for name in names})


NONE = rollback_choices(HostFacts(), {})
DECISIONS: list[tuple[str, dict[str, Any], dict[str, str], dict[str, str], dict[str, str]]] = [
    ("one host", {"a": back("r1", "r2", "r2'")}, {}, {"a": "g1-r2"}, {}),
    ("names differ", {"a": back("r1", "r2"), "b": back("r0", "r1", "r2")}, {}, {"a": "g0-r1", "b": "g1-r1"}, {}),
    ("settings only, everywhere", {"a": back("r1", "r1'"), "b": back("r1", "r1'")}, {}, {"a": "g0-r1", "b": "g0-r1"}, {}),
    ("settings only, on one", {"a": back("r1", "r2"), "b": back("r1", "r2", "r2'")}, {}, {"a": "g0-r1", "b": "g0-r1"}, {}),
    ("one has nothing older", {"a": back("r1", "r2"), "b": back("r2")}, {}, {"a": "g0-r1"}, {"b": "there is no older"}),
    ("nothing on one", {"a": back("r1", "r2"), "b": NONE}, {}, {"a": "g0-r1"}, {"b": "nothing serves on this host"}),
    ("by release", {"a": back("r1", "r2", "r3"), "b": back("r1", "r3")}, {"release": "r1"}, {"a": "g0-r1", "b": "g0-r1"}, {}),
    (
        "by release, which one never had",
        {"a": back("r1", "r2"), "b": back("r0", "r2")},
        {"release": "r1"},
        {"a": "g0-r1"},
        {"b": "release r1 never served here, or is gone. It has: r0, r2"},
    ),
    ("by release, which one serves", {"a": back("r1", "r2"), "b": back("r2", "r1")}, {"release": "r1"}, {"a": "g0-r1"}, {}),
    (
        "another Python on one",
        {"a": back("r1", "r2"), "b": back("r0", "r1", "r2", python="-3.13")},
        {},
        {"a": "g0-r1", "b": "g1-r1"},
        {},
    ),
    (
        "by release, another Python on one",
        {"a": back("r1", "r2", "r3"), "b": back("r1", "r2", "r3", python="-3.13")},
        {"release": "r1"},
        {"a": "g0-r1", "b": "g0-r1"},
        {},
    ),
    ("by generation", {"a": back("r1", "r2")}, {"generation": "g0-r1"}, {"a": "g0-r1"}, {}),
]


@pytest.mark.parametrize(("hosts", "asked", "targets", "left"), [case[1:] for case in DECISIONS], ids=[c[0] for c in DECISIONS])
def test_where_each_host_goes(
    hosts: dict[str, Any], asked: dict[str, str], targets: dict[str, str], left: dict[str, str]
) -> None:
    decided = fleet_rollback(hosts, **asked)
    assert (decided["targets"], decided["refusal"]) == (targets, "")
    assert set(decided["left"]) == set(left)
    assert all(decided["left"][name].startswith(why) for name, why in left.items())


REFUSALS: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    ("nobody has anything older", {"a": back("r1"), "b": NONE}, {}, "a: there is no older .*; b: nothing serves"),
    ("different releases", {"a": back("r1", "r3"), "b": back("r2", "r3")}, {}, "a to r1, b to r2.* -e exotel_ws_release="),
    ("a generation for several", {"a": back("r1", "r2"), "b": back("r1", "r2")}, {"generation": "g0-r1"}, "--limit HOST"),
    ("a release that nobody has", {"a": back("r1", "r2")}, {"release": "r9"}, "a: release r9 never served here.* r1, r2"),
]


@pytest.mark.parametrize(("hosts", "asked", "why"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_nobody_moves_and_the_reason_is_told(hosts: dict[str, Any], asked: dict[str, str], why: str) -> None:
    decided = fleet_rollback(hosts, **asked)
    assert decided["targets"] == {}
    with pytest.raises(RuntimeError, match=why):
        raise RuntimeError(decided["refusal"])


DECISION = {"targets": {"a": "g0"}, "left": {"b": "there is no older generation"}, "serves": ["c"], "refusal": ""}


@pytest.mark.parametrize(
    ("host_name", "reason", "said"),
    [
        ("a", "changed: release", "release r2 to r1, generation g0"),
        ("a", "changed: release, settings, workers", "release r2 to r1, generation g0; changed: settings, workers"),
        ("b", "", "left alone: there is no older generation"),
        ("c", "", "serves that release already"),
    ],
)
def test_each_host_is_told_its_way(host_name: str, reason: str, said: str) -> None:
    foreseen = {"release": "r1", "reason": reason} if host_name == "a" else {"skipped": True}
    assert way_back(DECISION, host_name, {"serving": {"release": "r2"}, "previous": None}, foreseen) == said


def test_a_release_that_stays_is_told_with_what_changes_and_what_was_passed_over() -> None:
    made = [
        generation("g0", keyed("a:1", workers=1)),
        generation("g1", keyed("a:1")),
        generation("g2", keyed("a:1", "b:2")),
        generation("g3", keyed("b:2")),
    ]
    facts = host(*made)
    choices = rollback_choices(facts, {})
    plan = plan_rollback(facts, None, "me", 0, 5)
    decision = fleet_rollback({"a": choices})
    assert way_back(decision, "a", choices, {"release": plan.generation.content.release, "reason": plan.reason}) == (
        "release r1 stays, generation g0; changed: workers; passed over: g1, g2, which differ in stream keys only, and those "
        "stay as they are"
    )


def test_nothing_is_said_of_other_generations_to_who_named_one() -> None:
    facts = host(
        *(generation(f"g{number}", keyed(f"a:{max(number, 1)}", workers=max(number, 1) // 3 + 1)) for number in range(5))
    )
    choices = rollback_choices(facts, {})
    assert choices["passed_over"] == ["g3"]
    told = way_back(
        fleet_rollback({"a": choices}, generation="g1"), "a", choices, {"release": "r1", "reason": "changed: workers"}
    )
    assert told == "release r1 stays, generation g1; changed: workers"


def test_a_host_where_nothing_serves_is_left_alone() -> None:
    assert way_back(DECISION, "b", NONE, {"skipped": True}).startswith("left alone: ")
