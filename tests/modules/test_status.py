"""Status of a host."""

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts
from ansible_collections.exotel.voicebot.plugins.module_utils.status import rows, table
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import UnitState

from tests.modules.hosts import ACTIVE, DRAINING, FAILED, generation, host

STARTING = UnitState("activating", "auto-restart")
STATES = [
    ({}, {"g1": "kept", "g2": "serving"}),
    ({"g1-1": DRAINING}, {"g1": "draining", "g2": "serving"}),
    ({"g1-1": DRAINING, "g1-2": FAILED}, {"g1": "draining", "g2": "serving"}),
    ({"g1-1": FAILED}, {"g1": "failed", "g2": "serving"}),
    ({"g1-1": ACTIVE}, {"g1": "stray", "g2": "serving"}),
    ({"g2-1": STARTING}, {"g1": "kept", "g2": "serving"}),
    ({"g2-1": STARTING, "g2-2": STARTING}, {"g1": "kept", "g2": "starting"}),
    ({"g2-1": FAILED, "g2-2": UnitState()}, {"g1": "kept", "g2": "down"}),
]


@pytest.mark.parametrize(("instances", "expected"), STATES)
def test_the_state_of_each_generation(instances: dict[str, UnitState], expected: dict[str, str]) -> None:
    found = rows(host(generation("g1"), generation("g2"), instances=instances), {})
    assert {row.generation: row.state for row in found} == expected
    assert [row.generation for row in found] == ["g2", "g1"]


def test_one_that_never_served_is_not_kept_for_a_rollback() -> None:
    found = rows(host(generation("g1", served=False), generation("g2")), {})
    assert [row.state for row in found] == ["serving", "failed"]


def test_calls_are_added_up_and_an_instance_that_does_not_answer_makes_them_unknown() -> None:
    facts = host(generation("g1"), generation("g2"), instances={"g1-1": DRAINING, "g1-2": DRAINING})
    found = rows(facts, {"g2-1": 3, "g2-2": 4, "g1-1": 1, "g1-2": None})
    assert [row.calls_live for row in found] == [7, None]


def test_the_text_has_a_line_for_each_and_one_for_the_port() -> None:
    facts = host(generation("g1"), generation("g2", rollback_of="g0"), instances={"g1-1": DRAINING})
    socket = {"listen": "0.0.0.0:8765", "active": "active", "service": "g2-1"}
    header, serving, draining, port = table(rows(facts, {"g1-1": None}), socket).splitlines()
    assert header.split()[:4] == ["GENERATION", "STATE", "CALLS", "RELEASE"]
    assert serving.split() == ["g2", "serving", "0", "r1", "2", "active", "t", "somebody,", "rollback", "to", "g0"]
    assert draining.split()[:3] == ["g1", "draining", "?"]
    assert port == "port 0.0.0.0:8765: exotel-ws.socket is active, starts g2-1"


def test_a_bare_host_is_told_what_to_do() -> None:
    socket = {"listen": None, "active": "inactive", "service": None}
    assert table(rows(HostFacts(), {}), socket).splitlines()[0] == "no generation on this host: run deploy.yml"
