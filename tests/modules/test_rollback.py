"""Target of a rollback, as a table."""

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, Refused, rollback_target

from tests.modules.hosts import content, generation, host

A = generation("a", content("ra"))
B = generation("b", content("rb"))
C = generation("c", content("rc"))
BACK_TO_A = generation("c-a", content("ra"), rollback_of="a")
BACK_TO_B = generation("d-b", content("rb"), rollback_of="b")
NEWER = generation("e", content("re"))
NEVER = generation("a-never", content("rx"), served=False)

TARGETS = [
    ("the one before", host(A, B, C), None, "b"),
    ("one that never served is passed over", host(A, NEVER, B), None, "a"),
    ("one whose release is gone is passed over", host(A, B, C, releases=frozenset({"ra", "rc"})), None, "a"),
    ("one with the same content is passed over", host(A, B, generation("b2", content("rb"))), None, "a"),
    ("twice goes back twice", host(A, B, C, BACK_TO_B), None, "a"),
    ("not to what was rolled back", host(A, B, BACK_TO_A, NEWER), None, "c-a"),
    ("by name", host(A, B, C), "a", "a"),
    ("forward, by name", host(A, B, BACK_TO_A), "b", "b"),
]
REFUSALS = [
    ("nothing serves", HostFacts(), None, "nothing serves on this host.* Run deploy.yml"),
    ("no older one", host(A), None, "no older generation than a .*Serving: a. Available: none"),
    ("no older one, again", host(A, B, BACK_TO_A), None, "no older generation than a .*Available: b"),
    ("unknown", host(A, B), "zz", "no generation zz on this host. Serving: b. Available: a"),
    ("active", host(A, B), "b", "generation b is what serves already.*Available: a"),
    ("active by another name", host(A, B, BACK_TO_A), "a", "generation a is what serves already"),
    ("never served", host(A, NEVER, B), "a-never", "a-never never served, or its release is gone"),
]


@pytest.mark.parametrize(("facts", "name", "expected"), [case[1:] for case in TARGETS], ids=[case[0] for case in TARGETS])
def test_the_target(facts: HostFacts, name: str | None, expected: str) -> None:
    assert rollback_target(facts, name).id == expected


@pytest.mark.parametrize(("facts", "name", "reason"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_a_refusal_says_why_and_what_is_possible(facts: HostFacts, name: str | None, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        rollback_target(facts, name)
