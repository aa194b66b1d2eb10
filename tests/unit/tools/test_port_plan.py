"""The plan: holders to end, to keep and to refuse, with the reasons. One situation a row."""

import dataclasses
import json

import pytest
from exotelctl.port import report
from exotelctl.port.facts import LISTEN, Identity, Parent, PortFacts, PortHolder, Socket, Worker
from exotelctl.port.plan import plan

V4 = Socket("tcp4", LISTEN, "0.0.0.0", 8765, 11, 0)
V6 = Socket("tcp6", LISTEN, "::", 8765, 12, 0)
SHELL = (Parent(900, "bash"), Parent(1, "systemd"))
ORPHAN = (Parent(1, "systemd"),)


def holder(pid: int = 500, **changed: object) -> PortHolder:
    made = PortHolder(
        identity=Identity(pid, 7000),
        user="deploy",
        name="node",
        command="node server.js",
        age_s=60.0,
        state="sleeping",
        unit="",
        unit_state="",
        user_unit=False,
        parents=SHELL,
        inodes=frozenset({11}),
    )
    return dataclasses.replace(made, **changed)  # type: ignore[arg-type]


def facts(*holders: PortHolder, listeners: tuple[Socket, ...] = (V4,), socket_unit: str = "", **changed: object) -> PortFacts:
    made = PortFacts(8765, listeners, holders, socket_unit, 0, 0, frozenset({4000, 4001}), True)
    return dataclasses.replace(made, **changed)  # type: ignore[arg-type]


SYSTEMD = holder(1, name="systemd", command="/sbin/init", parents=())
OURS = holder(600, unit="exotel-ws@g-1.service", unit_state="active", parents=ORPHAN, worker=Worker(600, draining=False, calls=0))
BUSY = dataclasses.replace(OURS, worker=Worker(600, draining=False, calls=3))
DRAINING = holder(
    650, unit="exotel-ws@f-1.service", unit_state="deactivating", parents=ORPHAN, worker=Worker(650, draining=True, calls=2)
)
CHILD = dataclasses.replace(OURS, identity=Identity(601, 7001), parents=(Parent(600, "exotel-ws"), *ORPHAN))
NONE: frozenset[int] = frozenset()

SITUATIONS = {
    "plain": (facts(holder()), "act", [("process", "end")]),
    "orphan": (facts(holder(parents=ORPHAN)), "act", [("orphan", "end")]),
    "stopped": (facts(holder(state="stopped")), "act", [("stopped", "end")]),
    "traced": (facts(holder(state="tracing-stop")), "act", [("stopped", "end")]),
    "headless": (facts(holder(state="zombie", headless=True)), "act", [("headless", "end")]),
    "inherited": (
        facts(holder(500), holder(501, parents=(Parent(500, "node"), *SHELL))),
        "act",
        [("process", "end"), ("inherited", "end")],
    ),
    "two reuseport holders": (
        facts(holder(500), holder(501, inodes=frozenset({13})), listeners=(V4, dataclasses.replace(V4, inode=13))),
        "act",
        [("process", "end"), ("process", "end")],
    ),
    "ipv6 and ipv4": (
        facts(holder(500), holder(501, inodes=frozenset({12})), listeners=(V4, V6)),
        "act",
        [("process", "end"), ("process", "end")],
    ),
    "our socket alone": (facts(SYSTEMD, socket_unit="exotel-ws.socket"), "ours", [("our-socket", "keep")]),
    "our socket and worker": (
        facts(SYSTEMD, OURS, socket_unit="exotel-ws.socket"),
        "refused",
        [("our-socket", "keep"), ("our-service", "refuse")],
    ),
    "our worker without the socket unit": (facts(OURS), "refused", [("our-service", "refuse")]),
    "our worker, draining": (facts(DRAINING), "ours", [("draining", "keep")]),
    "our socket, worker, and a draining generation": (
        facts(SYSTEMD, OURS, dataclasses.replace(DRAINING, inodes=NONE, accepted=2), socket_unit="exotel-ws.socket"),
        "refused",
        [("our-socket", "keep"), ("our-service", "refuse"), ("draining", "keep")],
    ),
    "draining calls, nothing listens": (
        facts(dataclasses.replace(DRAINING, inodes=NONE), listeners=()),
        "free",
        [("draining", "keep")],
    ),
    "our worker has a child": (
        facts(SYSTEMD, OURS, CHILD, socket_unit="exotel-ws.socket"),
        "act",
        [("our-socket", "keep"), ("our-service", "keep"), ("inherited", "end")],
    ),
    "our worker has a child with connections": (
        facts(SYSTEMD, OURS, dataclasses.replace(CHILD, accepted=1), socket_unit="exotel-ws.socket"),
        "refused",
        [("our-socket", "keep"), ("our-service", "refuse"), ("inherited", "refuse")],
    ),
    "an intruder on our socket": (
        facts(SYSTEMD, OURS, holder(), socket_unit="exotel-ws.socket"),
        "act",
        [("our-socket", "keep"), ("our-service", "keep"), ("intruder", "end")],
    ),
    "a foreign service on our socket": (
        facts(SYSTEMD, OURS, holder(unit="x.service", unit_state="active"), socket_unit="exotel-ws.socket"),
        "refused",
        [("our-socket", "keep"), ("our-service", "refuse"), ("service", "refuse")],
    ),
    "hung": (facts(holder(), listeners=(dataclasses.replace(V4, waiting=2),)), "act", [("hung", "end")]),
    "a user's unit of our name": (
        facts(dataclasses.replace(OURS, user_unit=True)),
        "refused",
        [("service", "refuse")],
    ),
    "our worker, systemd silent": (facts(dataclasses.replace(OURS, unit_state="")), "refused", [("our-service", "refuse")]),
    "our worker and a stray": (
        facts(
            SYSTEMD,
            OURS,
            holder(700, inodes=frozenset({13})),
            listeners=(V4, dataclasses.replace(V4, inode=13)),
            socket_unit="exotel-ws.socket",
        ),
        "act",
        [("our-socket", "keep"), ("our-service", "keep"), ("process", "end")],
    ),
    "leftover of a dead unit of ours": (
        facts(dataclasses.replace(OURS, unit_state="inactive")),
        "act",
        [("leftover", "end")],
    ),
    "leftover of a failed foreign unit": (facts(holder(unit="x.service", unit_state="failed")), "act", [("leftover", "end")]),
    "foreign service": (facts(holder(unit="nginx.service", unit_state="active")), "refused", [("service", "refuse")]),
    "user service": (facts(holder(unit="web.service", user_unit=True)), "refused", [("service", "refuse")]),
    "foreign service and a stray": (
        facts(holder(500, unit="nginx.service", unit_state="active"), holder(501)),
        "refused",
        [("service", "refuse"), ("process", "end")],
    ),
    "foreign socket unit": (facts(SYSTEMD, socket_unit="other.socket"), "refused", [("socket-unit", "refuse")]),
    "pid 1 itself": (facts(SYSTEMD), "refused", [("protected", "refuse")]),
    "pm2": (facts(holder(parents=(Parent(800, "PM2 v5.3.0: God"), *ORPHAN))), "refused", [("supervised", "refuse")]),
    "pm2 through a shell": (
        facts(holder(parents=(Parent(801, "sh"), Parent(800, "PM2 v5.3.0: God"), *ORPHAN))),
        "refused",
        [("supervised", "refuse")],
    ),
    "docker": (
        facts(holder(name="docker-proxy", unit="docker.service", unit_state="active")),
        "refused",
        [("container-proxy", "refuse")],
    ),
    "container": (facts(holder(parents=(Parent(800, "containerd-shim"), *ORPHAN))), "refused", [("supervised", "refuse")]),
    "this command": (facts(holder(4000)), "refused", [("protected", "refuse")]),
    "its ancestor": (facts(holder(4001)), "refused", [("protected", "refuse")]),
    "nothing": (facts(listeners=()), "free", []),
    "time_wait only": (facts(listeners=(), closing=7), "free", []),
    "unseen, not root": (facts(as_root=False), "unseen", []),
    "unseen, root": (facts(), "unseen", []),
    "one seen, one not": (facts(holder(), listeners=(V4, V6)), "unseen", [("process", "end")]),
}


@pytest.mark.parametrize(("given", "verdict", "decided"), SITUATIONS.values(), ids=SITUATIONS.keys())
def test_situation(given: PortFacts, verdict: str, decided: list[tuple[str, str]]) -> None:
    made = plan(given, force=False)
    assert made.verdict == verdict
    assert [(decision.kind, decision.action) for decision in made.decisions] == decided
    assert all(decision.why for decision in made.decisions)
    assert all(decision.instead for decision in made.decisions if decision.action == "refuse" and decision.kind != "protected")


@pytest.mark.parametrize("given", [item[0] for item in SITUATIONS.values()], ids=SITUATIONS.keys())
@pytest.mark.parametrize("force", [False, True])
def test_pid_1_this_command_and_its_ancestors_are_never_ended(given: PortFacts, force: bool) -> None:
    assert {decision.holder.pid for decision in plan(given, force=force).to_end}.isdisjoint({1, *given.protected})


def test_the_refusal_names_the_command_to_use() -> None:
    def instead(given: PortFacts) -> str:
        return plan(given, force=False).decisions[0].instead

    assert instead(facts(OURS)) == (
        "ansible-playbook deploy.yml -i INVENTORY (never needs the port free); "
        "to take it down: systemctl stop exotel-ws.socket exotel-ws@g-1.service"
    )
    assert instead(facts(holder(unit="nginx.service", unit_state="active"))) == "systemctl stop nginx.service"
    assert instead(facts(holder(unit="web.service", user_unit=True))) == "systemctl --user stop web.service"
    assert instead(facts(SYSTEMD, socket_unit="other.socket")) == "systemctl stop other.socket"
    assert "pm2 delete" in instead(SITUATIONS["pm2"][0])


def test_force_ends_the_managed_but_keeps_the_socket_unit() -> None:
    made = plan(facts(SYSTEMD, OURS, socket_unit="exotel-ws.socket"), force=True)
    assert made.verdict == "act"
    assert [(decision.kind, decision.action) for decision in made.decisions] == [
        ("our-socket", "keep"),
        ("our-service", "end"),
    ]
    assert "calls that last longer than the wait are cut" in made.decisions[1].why


def test_force_cuts_no_call_that_is_known_of() -> None:
    idle = dataclasses.replace(OURS, identity=Identity(602, 7002))
    made = plan(facts(SYSTEMD, BUSY, idle, socket_unit="exotel-ws.socket"), force=True)
    assert (made.verdict, made.to_end) == ("refused", ())
    assert "serves 3 calls now" in made.decisions[1].why
    made = plan(SITUATIONS["our worker has a child with connections"][0], force=True)
    assert (made.decisions[2].kind, made.decisions[2].action) == ("inherited", "refuse")


def test_force_never_ends_a_draining_generation() -> None:
    for given in (DRAINING, dataclasses.replace(DRAINING, worker=None, accepted=2)):
        (decision,) = plan(facts(given), force=True).decisions
        assert (decision.kind, decision.action) == ("draining", "keep")
    assert "has 2 connections left" in decision.why


def test_a_container_proxy_names_the_container_and_not_the_engine() -> None:
    (decision,) = plan(SITUATIONS["docker"][0], force=False).decisions
    assert "publish=8765" in decision.instead
    assert "docker.service" not in decision.instead


def test_connections_that_nobody_accepts_are_said() -> None:
    waiting = (dataclasses.replace(V4, waiting=1),)
    assert (
        "1 connection waits to be accepted"
        in plan(facts(holder(parents=ORPHAN), listeners=waiting), force=False).decisions[0].why
    )
    silent = dataclasses.replace(OURS, worker=None)
    assert "gives no answer (sleeping)" in plan(facts(silent, listeners=waiting), force=False).decisions[0].why


STRAY_BESIDE_OURS = SITUATIONS["our worker and a stray"][0]
OURS_ALONE = facts(SYSTEMD, OURS, socket_unit="exotel-ws.socket")


@pytest.mark.parametrize(
    ("before", "force", "after", "settled"),
    [
        (STRAY_BESIDE_OURS, False, OURS_ALONE, True),
        (STRAY_BESIDE_OURS, False, STRAY_BESIDE_OURS, False),
        (STRAY_BESIDE_OURS, False, facts(holder(unit="nginx.service", unit_state="active")), False),
        (OURS_ALONE, True, OURS_ALONE, False),
        (OURS_ALONE, True, facts(SYSTEMD, socket_unit="exotel-ws.socket"), False),
        (facts(holder()), False, facts(listeners=()), False),
    ],
)
def test_settled_when_nothing_but_our_units_is_left_and_none_of_them_was_to_end(
    before: PortFacts, force: bool, after: PortFacts, settled: bool
) -> None:
    assert plan(before, force=force).is_settled_by(plan(after, force=False)) == settled


def test_only_ours() -> None:
    ours = {name for name, (given, _, _) in SITUATIONS.items() if plan(given, force=False).only_ours}
    assert ours == {name for name in SITUATIONS if name.startswith("our ") and not {"stray", "child"} & set(name.split())}


def test_a_parent_is_ended_before_its_children() -> None:
    child = holder(400, parents=(Parent(500, "node"), *SHELL))
    grandchild = holder(300, parents=(Parent(400, "node"), Parent(500, "node"), *SHELL))
    made = plan(facts(grandchild, child, holder(500)), force=False)
    assert [decision.holder.pid for decision in made.to_end] == [500, 400, 300]


def test_who_cannot_be_seen_is_said() -> None:
    assert "needs root" in plan(facts(as_root=False), force=False).reason
    assert "pid namespace" in plan(facts(), force=False).reason
    assert "SO_REUSEADDR" in plan(facts(listeners=(), closing=7), force=False).reason


def test_a_hostile_command_line_is_harmless_in_text_and_json() -> None:
    nasty = holder(command="sh -c '\x1b]0;owned\x07'\n\u202e", name="\x1b[2J", parents=(Parent(9, "\x1b[2J"), *ORPHAN))
    given = facts(nasty)
    made = plan(given, force=False)
    text = report.plan_text(given, made, 10)
    assert all(line.isprintable() for line in text.splitlines())
    assert r"\x1b]0;owned\x07" in text
    assert "\\u001b" not in json.dumps(report.as_json(given, made, "act", [], None, None))


def test_the_receipt_names_programs_and_not_their_arguments() -> None:
    made = plan(facts(holder(command="node server.js --token hush", name="no\nde")), force=False)
    entry = report.planned(8765, "alice", made.to_end[0])
    assert entry["MESSAGE"] == r"port-clean port=8765 by=alice plan: end pid 500 (no\nde, user deploy, process)"
    assert entry | {"PORT": "8765", "STAGE": "plan", "HOLDER_PID": "500", "HOLDER_KIND": "process"} == entry
    assert not [value for value in entry.values() if "hush" in value or "\n" in value]


def test_what_was_not_looked_at_is_said() -> None:
    quick = facts(SYSTEMD, OURS, socket_unit="exotel-ws.socket", everywhere=False)
    assert "--thorough" in report.plan_text(quick, plan(quick, force=False), 10)
    assert "--thorough" not in report.plan_text(OURS_ALONE, plan(OURS_ALONE, force=False), 10)


def test_the_text_says_who_and_what_will_be_done() -> None:
    given = facts(holder(state="stopped", age_s=273_600), closing=2, connections=1)
    text = report.plan_text(given, plan(given, force=False), 10)
    for part in (
        "tcp4 0.0.0.0:8765",
        "tcp6 none",
        "1 connection, 2 in TIME_WAIT",
        "pid 500  node server.js",
        "user deploy, age 3 d 4 h, stopped, unit none",
        "parents: 900 bash ← 1 systemd",
        "A stopped process",
        "→ SIGTERM, SIGCONT, wait 10 s, SIGKILL",
    ):
        assert part in text
