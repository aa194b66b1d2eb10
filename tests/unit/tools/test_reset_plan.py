"""The steps of a reset, one situation a row; its choice of strangers; its statement of the price."""

import dataclasses
import json

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Content, Generation
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import UnitState
from exotelctl.port.facts import LISTEN, Identity, Parent, PortFacts, PortHolder, Socket
from exotelctl.port.plan import Decision
from exotelctl.reset import report
from exotelctl.reset.facts import Facts, Port, Worker
from exotelctl.reset.gather import on_port
from exotelctl.reset.plan import plan

SERVING = Generation("g2", Content("r2", "", {}, 2, "0.0.0.0:8765"), "t", "somebody", None, "t")
CALM = (Worker("g2-1", "active", 0), Worker("g2-2", "active", 0))
BUSY = (Worker("g1-1", "deactivating", 1), Worker("g2-1", "active", 2), Worker("g2-2", "active", 3))
LISTENER = Socket("tcp4", LISTEN, "0.0.0.0", 8765, 11, 0)


def holder(pid: int = 500, **changed: object) -> PortHolder:
    made = PortHolder(
        identity=Identity(pid, 7000),
        user="deploy",
        name="node",
        command="node server.js \x1b[31m",
        age_s=60.0,
        state="sleeping",
        unit="",
        unit_state="",
        user_unit=False,
        parents=(Parent(900, "bash"), Parent(1, "systemd")),
        inodes=frozenset({11}),
    )
    return dataclasses.replace(made, **changed)  # type: ignore[arg-type]


STRANGER = Decision(holder(), "process", "end", "a process that no unit manages")


def facts(**changed: object) -> Facts:
    made = Facts(SERVING, socket_live=True, workers=CALM, failed=(), ports=(Port(8765),))
    return dataclasses.replace(made, **changed)  # type: ignore[arg-type]


def verbs(given: Facts, drain_s: float = 0.0) -> list[str]:
    return [step.verb for step in plan(given, drain_s=drain_s).steps]


SITUATIONS = {
    "healthy": (facts(), 0, ["close", "cut", "prove", "start", "verify"]),
    "with drain": (facts(workers=BUSY), 60, ["close", "drain", "cut", "prove", "start", "verify"]),
    "nothing runs": (facts(socket_live=False, workers=()), 60, ["prove", "start", "verify"]),
    "socket lost": (facts(socket_live=False), 0, ["cut", "prove", "start", "verify"]),
    "socket alone": (facts(workers=()), 0, ["close", "prove", "start", "verify"]),
    "something failed": (
        facts(socket_live=False, workers=(), failed=("exotel-ws.socket",)),
        0,
        ["prove", "forget", "start", "verify"],
    ),
    "a stranger on the second port": (
        facts(ports=(Port(8765), Port(8009, (STRANGER,)))),
        0,
        ["close", "cut", "prove", "clear", "prove", "start", "verify"],
    ),
}


@pytest.mark.parametrize(("given", "drain_s", "expected"), SITUATIONS.values(), ids=SITUATIONS)
def test_steps(given: Facts, drain_s: float, expected: list[str]) -> None:
    assert verbs(given, drain_s) == expected


def test_every_generation_is_ended_and_its_calls_are_counted() -> None:
    planned = plan(facts(workers=BUSY), drain_s=0)
    assert planned.calls == 6
    assert planned.steps[1].names == ("g1-1", "g2-1", "g2-2")


def test_what_may_not_be_ended_refuses_the_whole_reset() -> None:
    planned = plan(facts(ports=(Port(8765), Port(8009, (STRANGER,), ("pid 7 (nginx): a service",)))), drain_s=0)
    assert (planned.steps, planned.refusal) == ((), "port 8009: pid 7 (nginx): a service")


OURS = holder(600, unit="exotel-ws@g2-1.service", unit_state="active")
HOLDERS = {
    "a process": (holder(), 1, 0),
    "PID 1 for our socket": (holder(1, name="systemd", parents=()), 0, 0),
    "our worker": (OURS, 0, 0),
    "our worker that drains": (dataclasses.replace(OURS, unit_state="deactivating"), 0, 0),
    "one that outlived our unit": (dataclasses.replace(OURS, unit_state="failed"), 1, 0),
    "a user's unit of our name": (dataclasses.replace(OURS, user_unit=True), 0, 1),
    "a service": (holder(unit="nginx.service", unit_state="active"), 0, 1),
    "this command": (holder(4000), 0, 1),
}


@pytest.mark.parametrize(("who", "strangers", "hindrances"), HOLDERS.values(), ids=HOLDERS)
def test_who_is_a_stranger_and_who_a_hindrance(who: PortHolder, strangers: int, hindrances: int) -> None:
    found = on_port(PortFacts(8765, (LISTENER,), (who,), "exotel-ws.socket", 0, 0, frozenset({4000}), True))
    assert (len(found.strangers), len(found.hindrances)) == (strangers, hindrances)


def test_a_listener_that_nobody_is_seen_to_hold_is_a_hindrance() -> None:
    found = on_port(PortFacts(8765, (LISTENER,), (), "", 0, 0, frozenset(), True))
    assert found.hindrances == ("0.0.0.0:8765 is held by no process that can be seen",)


PRICES = {
    "none": (CALM, 0, "It cuts no call: there is none. New calls are refused until it serves again."),
    "one": ((Worker("g2-1", "active", 1),), 0, "It cuts 1 live call."),
    "some": (BUSY, 0, "It cuts 6 live calls."),
    "drained": (BUSY, 60, "6 live calls may end by themselves for 60 s, then what is left of them is cut."),
}


@pytest.mark.parametrize(("workers", "drain_s", "expected"), PRICES.values(), ids=PRICES)
def test_the_price_is_named(workers: tuple[Worker, ...], drain_s: float, expected: str) -> None:
    given = facts(workers=workers)
    assert expected in report.plan_text(given, plan(given, drain_s=drain_s), drain_s)


def test_the_plan_names_generations_and_strangers_and_carries_no_escape() -> None:
    silent = (*BUSY, Worker("g0-1", "active", 4, answers=False))
    given = facts(workers=silent, ports=(Port(8765, (STRANGER,)),))
    text = report.plan_text(given, plan(given, drain_s=0), 0)
    assert "g1: 1 worker deactivating, 1 live call\n" in text
    assert "g2: 2 workers active, 5 live calls\n" in text
    assert "g0: 1 worker active, 4 live calls (g0-1 gives no answer: its connections are counted)" in text
    assert "port 8765: pid 500 node server.js \\x1b[31m (user deploy, age 1 min 0 s) is not ours and is ended" in text
    assert "\x1b" not in text
    assert json.dumps(report.as_json(given, plan(given, drain_s=0), "dry-run"))


def host(socket: str, **instances: str) -> HostFacts:
    states = {name.replace("_", "-"): UnitState(state) for name, state in instances.items()}
    return HostFacts(generations={"g2": SERVING}, current="g2", instances=states, socket=UnitState(socket))


STATES = {
    "down": (host("inactive"), "exotel-ws.socket is inactive, new calls are refused, 0 workers of g2 up."),
    "draining": (host("inactive", g2_1="deactivating"), "0 workers of g2 up, 1 worker still ending: g2-1."),
    "up": (host("active", g2_1="active", g2_2="active"), "exotel-ws.socket is active, calls are taken, 2 workers of g2 up."),
    "socket only": (host("active"), "exotel-ws.socket is active, new calls are refused"),
}


@pytest.mark.parametrize(("found", "expected"), STATES.values(), ids=STATES)
def test_an_unfinished_reset_tells_the_state_and_the_way_back(found: HostFacts, expected: str) -> None:
    text = report.state_text(found)
    assert expected in text
    assert "exotelctl restart (cuts no call)" in text
