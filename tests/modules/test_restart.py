"""Steps of a restart, as tables; copies of a generation do not push out those that a rollback needs."""

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.maintenance import Maintenance
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import (
    HostFacts,
    Refused,
    plan_repair,
    plan_restart,
    plan_return,
    plan_serving,
    rollback_target,
)
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import UnitState

from tests.modules.hosts import CONTENT, DRAINING, FAILED, content, generation, host

AT = 1795342500.0  # 2026-11-22 10:15:00 UTC
AGAIN = f"20261122T101500-{CONTENT.hash()[:8]}"


def steps(facts: HostFacts) -> list[str]:
    return [str(step).replace(AGAIN, "NEW") for step in plan_restart(facts, "somebody", AT).steps]


def removed(facts: HostFacts) -> list[str]:
    return [step for step in steps(facts) if step.split()[0] in ("unlink", "remove")]


def test_a_new_generation_of_the_same_content_starts_beside_the_old_one_and_takes_over() -> None:
    planned = plan_restart(host(generation("g1")), "somebody", AT)
    assert (planned.generation.id, planned.generation.content, planned.reason) == (AGAIN, CONTENT, "restart asked for")
    assert steps(host(generation("g1"))) == [
        "stage NEW",
        "check config NEW",
        "self test NEW",
        "link NEW-1 NEW-2",
        "verify units exotel-ws.socket exotel-ws@.service exotel-ws-shutdown.service",
        "start NEW-1 NEW-2",
        "await healthy NEW-1 NEW-2",
        "point NEW-1",
        "enable exotel-ws@NEW-1.service exotel-ws@NEW-2.service",
        "switch NEW",
        "disable exotel-ws@g1-1.service exotel-ws@g1-2.service",
        "begin stop g1-1 g1-2",
    ]


def test_where_the_socket_is_down_it_comes_back_too() -> None:
    down = {"g1-1": UnitState(), "g1-2": UnitState()}
    planned = steps(host(generation("g1"), instances=down, socket=UnitState()))
    assert planned.index("start socket") < planned.index("start NEW-1 NEW-2")


REFUSALS = [
    ("nothing serves", HostFacts(), "nothing serves on this host.* Run deploy.yml"),
    ("the release is gone", host(generation("g1"), releases=frozenset()), "release r1 .* is gone from this host. Run deploy.yml"),
]


@pytest.mark.parametrize(("facts", "reason"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_a_refusal_says_why(facts: HostFacts, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        plan_restart(facts, "somebody", AT)


HISTORY = [generation(f"g{number}", content(f"other{number}")) for number in range(5)]
ONE, COPY, SERVING = generation("g5"), generation("g6"), generation("g7")
REMOVALS = [
    ("nothing of another content", host(*HISTORY, ONE), []),
    ("no release that is just staged", host(ONE, releases=frozenset({"r1", "r2"})), []),
    ("the copies before the serving one", host(*HISTORY[2:], ONE, COPY, SERVING), ["remove generations g5 g6"]),
    ("no copy that has calls", host(ONE, COPY, SERVING, instances={"g5-1": DRAINING}), ["remove generations g6"]),
    ("links of the ended", host(SERVING, links=frozenset({"g0-1", "g7-1", "g7-2"})), ["unlink g0-1"]),
]


@pytest.mark.parametrize(("facts", "expected"), [case[1:] for case in REMOVALS], ids=[case[0] for case in REMOVALS])
def test_what_a_restart_removes(facts: HostFacts, expected: list[str]) -> None:
    assert removed(facts) == expected


def test_restarts_do_not_push_out_what_a_deploy_keeps_for_a_rollback() -> None:
    a, b = generation("g1", content("ra")), generation("g2", content("rb"))
    facts = host(a, b, *(generation(f"g{number}", b.content) for number in (3, 4, 5)))
    wanted = generation("g9", content("rc"), served=False)
    removed = [str(step) for step in plan_serving(facts, wanted, 3).steps if step.verb == "remove_generations"]
    assert removed == ["remove generations g2 g3 g4"]


def test_a_rollback_after_a_restart_goes_to_what_served_before_it() -> None:
    a, b = generation("g1", content("ra")), generation("g2", content("rb"))
    assert rollback_target(host(a, b, generation("g3", b.content)), None).id == "g1"


def test_a_restart_of_a_rollback_stays_a_rollback() -> None:
    serving = generation("g3", content("ra"), rollback_of="g1")
    again = plan_restart(
        host(generation("g1", content("ra")), generation("g2", content("rb")), serving), "somebody", AT
    ).generation
    assert again.rollback_of == "g1"


def test_where_instances_still_let_go_of_the_port_the_socket_waits_for_it() -> None:
    stopping = {"g1-1": DRAINING, "g1-2": DRAINING}
    planned = steps(host(generation("g1"), instances=stopping, socket=UnitState()))
    at = planned.index("start socket")
    assert planned[at - 2 : at] == ["await address free 0.0.0.0:8765", "point NEW-1"]


def test_two_restarts_in_one_second_get_two_names() -> None:
    assert plan_restart(host(generation(AGAIN)), "somebody", AT).generation.id == AGAIN.replace("101500", "101501")


def test_a_host_that_was_cleared_gets_its_serving_generation_back_whole() -> None:
    cleared = host(generation("g1"), generation("g2"), instances={"g2-1": UnitState(), "g2-2": FAILED}, socket=UnitState())
    planned = plan_repair(cleared, "reset asked for")
    assert (planned.generation.id, planned.reason) == ("g2", "reset asked for")
    assert [str(step) for step in planned.steps] == ["start socket", "start g2-1 g2-2", "await healthy g2-1 g2-2"]


def test_there_is_nothing_to_repair_where_nothing_serves() -> None:
    with pytest.raises(Refused, match="nothing to start"):
        plan_repair(HostFacts(), "reset asked for")


def test_what_serves_already_does_not_count_among_what_is_kept_beside_it() -> None:
    facts = host(generation("g1", content("ra")), generation("g2", content("rb")), socket=UnitState())
    again = generation("g9", content("rb"), served=False)
    assert [str(step) for step in plan_serving(facts, again, 2).steps if step.verb == "remove_generations"] == []


MARK = Maintenance("2026-11-28T20:00:00Z", "me@desk", "disk swap")


def test_a_restart_does_not_end_a_maintenance() -> None:
    with pytest.raises(
        Refused, match=r"in maintenance since .*, by me@desk: disk swap. Bring it back: exotelctl maintenance off"
    ):
        plan_restart(host(generation("g1"), maintenance=MARK), "somebody", AT)


def test_a_host_comes_back_from_a_maintenance_with_what_served() -> None:
    stopped = {"g1-1": UnitState(), "g1-2": UnitState()}
    taken_out = host(generation("g1"), instances=stopped, socket=UnitState(), enabled=frozenset(), maintenance=MARK)
    planned = plan_return(taken_out, "somebody", AT)
    assert (planned.generation.id, planned.reason) == ("g1", "maintenance ends")
    assert [str(step) for step in planned.steps] == [
        "start socket",
        "start g1-1 g1-2",
        "await healthy g1-1 g1-2",
        "enable exotel-ws.socket exotel-ws-shutdown.service exotel-ws@g1-1.service exotel-ws@g1-2.service",
        "end maintenance",
    ]


def test_while_calls_still_end_it_comes_back_beside_them() -> None:
    draining = {"g1-1": DRAINING, "g1-2": UnitState()}
    planned = plan_return(host(generation("g1"), instances=draining, socket=UnitState(), maintenance=MARK), "somebody", AT)
    steps = [str(step) for step in planned.steps]
    assert planned.generation.id == AGAIN
    assert steps.index("await address free 0.0.0.0:8765") < steps.index("start socket")
    assert steps[-1] == "end maintenance"


def test_a_deploy_ends_a_maintenance_last() -> None:
    facts = host(generation("g1"), maintenance=MARK)
    for wanted in (generation("g9", served=False), generation("g9", content("r9"), served=False)):
        assert "end_maintenance" in [step.verb for step in plan_serving(facts, wanted, 5).steps]
