"""Target of a rollback, as a table; and the generation that it makes."""

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import (
    HostFacts,
    Refused,
    original,
    plan_rollback,
    rollback_target,
)

from tests.modules.hosts import content, generation, host, keyed

A = generation("a", content("ra"))
B = generation("b", content("rb"))
C = generation("c", content("rc"))
BACK_TO_A = generation("c-a", content("ra"), rollback_of="a")
BACK_TO_B = generation("d-b", content("rb"), rollback_of="b")
NEWER = generation("e", content("re"))
NEVER = generation("a-never", content("rx"), served=False)

OLD = generation("a", keyed("k:1", release="ra"))
ADDED = generation("b", keyed("k:1", "l:2", release="ra"))
BAD = generation("c", keyed("k:1", release="rb"))
ROTATED = generation("d", keyed("l:2", release="rb"))
BACK_TO_OLD = generation("e", keyed("l:2", release="ra"), rollback_of="a")
NEW_KEYS = generation("f", keyed("m:3", release="ra"), rollback_of="a")

WSS = 'public_url = "wss://voice.example.com"\n'
BEHIND = generation("b-edge", content("rb", settings=WSS, listen="127.0.0.1:8765"))
BEHIND_NEWER = generation("c-edge", content("rc", settings=WSS, listen="127.0.0.1:8765"))
OWN_PROXY = generation("d-proxy", content("rd", settings=WSS))

TARGETS = [
    ("one of before the edge is passed over", host(A, BEHIND, B, BEHIND_NEWER), None, "b-edge"),
    ("one with the edge that went is passed over", host(A, BEHIND, B), None, "a"),
    ("TLS of somebody else is no edge", host(A, OWN_PROXY), None, "a"),
    ("the one before", host(A, B, C), None, "b"),
    ("one that never served is passed over", host(A, NEVER, B), None, "a"),
    ("one whose release is gone is passed over", host(A, B, C, releases=frozenset({"ra", "rc"})), None, "a"),
    ("one with the same content is passed over", host(A, B, generation("b2", content("rb"))), None, "a"),
    ("twice goes back twice", host(A, B, C, BACK_TO_B), None, "a"),
    ("not to what was rolled back", host(A, B, BACK_TO_A, NEWER), None, "c-a"),
    ("by name", host(A, B, C), "a", "a"),
    ("forward, by name", host(A, B, BACK_TO_A), "b", "b"),
    ("one that differs in keys only is passed over", host(OLD, BAD, ROTATED), None, "a"),
    ("the newest of those that differ in keys only", host(OLD, ADDED, BAD, ROTATED), None, "b"),
    ("of before keys were asked for", host(A, ADDED), None, "a"),
]
REFUSALS = [
    (
        "only one of before the edge",
        host(A, BEHIND),
        None,
        "no older generation than b-edge .*but for a host without an edge.*Available: none",
    ),
    (
        "of before the edge",
        host(A, BEHIND),
        "a",
        "a is for a host without an edge.*: set exotel_ws_edge: false and run deploy.yml",
    ),
    (
        "of an edge that went",
        host(A, BEHIND, B),
        "b-edge",
        "b-edge is for a host with an edge.*: set exotel_ws_edge: true and run",
    ),
    ("nothing serves", HostFacts(), None, "nothing serves on this host.* Run deploy.yml"),
    ("no older one", host(A), None, "no older generation than a .*Serving: a. Available: none"),
    ("no older one, again", host(A, B, BACK_TO_A), None, "no older generation than a .*Available: b"),
    ("unknown", host(A, B), "zz", "no generation zz on this host. Serving: b. Available: a"),
    ("active", host(A, B), "b", "generation b is what serves already.*Available: a"),
    ("active by another name", host(A, B, BACK_TO_A), "a", "generation a is what serves already"),
    ("not to what was rolled back, with new keys", host(OLD, BAD, BACK_TO_OLD, NEW_KEYS), None, "no older generation than a"),
    ("older in its keys only", host(BAD, ROTATED), None, "no older generation than d .*, but for stream keys.*Available: none"),
    (
        "by name, another in its keys only",
        host(OLD, BAD, ROTATED),
        "c",
        r"c differs from d, which serves, in its stream keys only.*playbooks/keys\.yml, then deploy\.yml.*Available: a",
    ),
    (
        "active, with other keys",
        host(OLD, BAD, ROTATED, BACK_TO_OLD),
        "a",
        "a differs from e, which serves, in its stream",
    ),
    ("never served", host(A, NEVER, B), "a-never", "a-never never served, or its release is gone"),
]


@pytest.mark.parametrize(("facts", "name", "expected"), [case[1:] for case in TARGETS], ids=[case[0] for case in TARGETS])
def test_the_target(facts: HostFacts, name: str | None, expected: str) -> None:
    assert rollback_target(facts, name).id == expected


@pytest.mark.parametrize(("facts", "name", "reason"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_a_refusal_says_why_and_what_is_possible(facts: HostFacts, name: str | None, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        rollback_target(facts, name)


def test_what_a_rollback_makes() -> None:
    planned = plan_rollback(host(OLD, BAD, ROTATED), None, "somebody", 0.0, 5)
    assert (planned.generation.content, planned.generation.rollback_of) == (BACK_TO_OLD.content, "a")
    assert (planned.reason, str(planned.steps[0])) == ("changed: release", f"stage {planned.generation.id}")


def test_new_keys_leave_a_rollback_as_old_as_its_original() -> None:
    facts = host(OLD, BAD, BACK_TO_OLD)
    assert [original(facts, one.content) for one in (NEW_KEYS, BACK_TO_OLD, BAD, B)] == ["a", "a", None, None]
    assert original(host(OLD, BAD), ROTATED.content) is original(HostFacts(), OLD.content) is None
