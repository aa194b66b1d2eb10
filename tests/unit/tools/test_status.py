"""``status``: the verdict on saved facts, and their display."""

import dataclasses
from typing import Any

import pytest
from exotelctl.admin import Answer, Call
from exotelctl.audit import Action
from exotelctl.edge.config import Unusable
from exotelctl.edge.facts import Edge
from exotelctl.generations import Generation
from exotelctl.port.facts import Identity, PortHolder
from exotelctl.port.plan import Decision, Kind, PortPlan
from exotelctl.status import gather, report
from exotelctl.status.facts import Facts, Usage, Worker
from exotelctl.status.judge import judge
from exotelctl.units import Unit

from tests.unit.tools.doctor_edge_facts import EDGE, STATE

NOW = 1_795_603_000.0
NEW, OLD = "20261125T102807-1c8a7fcd", "20261124T101500-ab12cd34"
CALL = Call("8b0de6af53bcfdd29e5cb990936df94r", "st", "conn_1", "09876543210", "08047112345", 61.0, 3050, 3049, "media", 0.02)


def decision(kind: Kind, pid: int, name: str = "x", unit: str = "") -> Decision:
    identity = Identity(pid, 1)
    holder = PortHolder(identity, "root", name, name, 1.0, "sleeping", unit, "", False, (), frozenset({1}))
    return Decision(holder, kind, "keep", "because")


OURS = PortPlan("ours", (decision("our-socket", 1), decision("our-service", 381)), "")


def worker(instance: str, active: str = "active", **changes: Any) -> Worker:
    unit = Unit(f"exotel-ws@{instance}.service", active, pid=381, changed_s=700.0)
    answer = Answer("draining" if active == "deactivating" else "serving", "0.1.0-aa", 4, 1, ())
    return dataclasses.replace(Worker(instance, unit, answer, usage=Usage(35 << 20, 22 << 20, 3.2, 0.5)), **changes)


def facts(**changes: Any) -> Facts:
    """Return facts of a healthy host with two workers and one call, with ``changes``."""
    healthy = Facts(
        host="exo-a",
        at=NOW,
        current=NEW,
        generations={NEW: Generation(NEW, "0.1.0-aa", 2, NOW - 60), OLD: Generation(OLD, "0.1.0-bb", 1, NOW - 86_460)},
        socket=Unit("exotel-ws.socket", "active"),
        workers=(worker(f"{NEW}-1", answer=Answer("serving", "0.1.0-aa", 4, 1, (CALL,))), worker(f"{NEW}-2")),
        port=8765,
        holders=OURS,
        deploy=Action("2026-11-25T10:28:08Z", "root@vm", "deploy", NEW, "0.1.0-aa", "", "done"),
    )
    return dataclasses.replace(healthy, **changes)


def failed(instance: str, result: str, restarts: int = 0) -> Worker:
    unit = Unit(f"exotel-ws@{instance}.service", "failed", "failed", result, restarts=restarts)
    return Worker(instance, unit)


DRAINING = worker(f"{OLD}-1", "deactivating", answer=Answer("draining", "0.1.0-bb", 9, 2, (CALL, CALL)))


def test_a_healthy_host_has_no_problem() -> None:
    [row] = judge(facts()).rows
    assert judge(facts()).problems == ()
    assert (row.state, row.calls, row.release, row.age_s) == ("serving", 1, "0.1.0-aa", 60.0)


def test_a_draining_generation_is_no_problem_and_shows_the_calls_left() -> None:
    verdict = judge(facts(workers=(*facts().workers, DRAINING)))
    assert verdict.problems == ()
    assert [(row.name, row.state, row.calls) for row in verdict.rows] == [(NEW, "serving", 1), (OLD, "draining", 2)]
    assert verdict.rows[1].age_s == 700.0
    text = report.as_text(facts(workers=(*facts().workers, DRAINING)), verdict, numbers=False)
    assert f"{OLD}  draining  2 left" in text


def test_a_generation_that_ended_is_not_shown() -> None:
    ended = Worker(f"{OLD}-1", Unit(f"exotel-ws@{OLD}-1.service", "inactive"))
    assert [row.name for row in judge(facts(workers=(*facts().workers, ended))).rows] == [NEW]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"current": "", "workers": (), "socket": None, "holders": PortPlan("free", (), "")}, "nothing is deployed"),
        ({"socket": None}, "exotel-ws.socket is not there"),
        ({"socket": Unit("exotel-ws.socket", "failed", result="resources")}, "exotel-ws.socket is failed (resources)"),
        ({"holders": PortPlan("free", (), "")}, "nothing listens on port 8765"),
        (
            {"holders": PortPlan("act", (*OURS.decisions, decision("orphan", 4242, "node")), "")},
            "port 8765 is held by pid 4242 (node), a stranger: exotelctl port-clean --port 8765 --dry-run",
        ),
        (
            {"holders": PortPlan("refused", (decision("service", 7, "nginx", "nginx.service"),), "")},
            "held by pid 7 (nginx, nginx.service), a stranger",
        ),
        (
            {"workers": (worker(f"{NEW}-1"), worker(f"{NEW}-2", answer=None, fault="does not answer: timed out"))},
            "worker 102807-1c8a7fcd-2 does not answer: timed out",
        ),
        (
            {"workers": (worker(f"{NEW}-1"), failed(f"{NEW}-2", "oom-kill", 3))},
            f"exotel-ws@{NEW}-2.service is failed (oom-kill), started again 3 times",
        ),
        ({"workers": (worker(f"{NEW}-1"), worker(f"{NEW}-2", "activating"))}, f"exotel-ws@{NEW}-2.service is activating"),
        ({"workers": (worker(f"{NEW}-1"),)}, "1 worker of 2 not started"),
        (
            {"workers": (*facts().workers, failed(f"{OLD}-1", "exit-code"))},
            f"generation {OLD} has failed",
        ),
        ({"workers": (*facts().workers, worker(f"{OLD}-1"))}, f"generation {OLD} runs though it is not the one"),
        (
            {"workers": (*facts().workers, dataclasses.replace(DRAINING, answer=None, fault="has no admin socket"))},
            "worker 101500-ab12cd34-1 has no admin socket",
        ),
        (
            {"workers": (worker(f"{NEW}-1"), worker(f"{NEW}-2", answer=Answer("draining", "0.1.0-aa", 0, 0, ())))},
            f"exotel-ws@{NEW}-2.service takes no new calls",
        ),
    ],
)
def test_each_trouble_is_told_and_alone(changes: dict[str, Any], problem: str) -> None:
    verdict = judge(facts(**changes))
    assert len(verdict.problems) == 1, verdict.problems
    assert problem in verdict.problems[0]
    text = report.as_text(facts(**changes), verdict, numbers=False)
    assert text.startswith("❌ exo-a")
    assert problem in text


STOPPED = dataclasses.replace(EDGE, state=dataclasses.replace(STATE, active="inactive"))


@pytest.mark.parametrize("maintenance", ["", "in maintenance since noon"])
def test_a_stopped_edge_is_told_where_the_server_serves_and_in_maintenance(maintenance: str) -> None:
    stopped = facts(
        edge=STOPPED, maintenance=maintenance, socket=Unit("exotel-ws.socket", "inactive" if maintenance else "active")
    )
    verdict = judge(stopped)
    says = "haproxy.service is inactive: no new call gets in; systemctl status haproxy.service; exotelctl doctor"
    assert verdict.problems == (says,)
    text = report.as_text(stopped, verdict, numbers=False)
    assert text.startswith("❌ exo-a")
    assert says in text
    assert "Edge: wss://voice.example.com, port 443: haproxy.service is inactive" in text
    told = report.as_json(stopped, verdict, numbers=False)
    assert (told["ok"], told["edge"]) == (False, "inactive")


@pytest.mark.parametrize(
    ("edge", "told", "line"),
    [
        (EDGE, "active", "Edge: wss://voice.example.com, port 443: haproxy.service is active"),
        (dataclasses.replace(STOPPED, state=dataclasses.replace(STATE, active="reloading")), "reloading", "is reloading"),
        (dataclasses.replace(EDGE, state=None), None, "haproxy.service is of an unknown state"),
        (Edge(), None, None),
    ],
    ids=["active", "reloading", "unknown", "none"],
)
def test_an_edge_that_is_not_known_to_be_down_is_no_problem(edge: Edge, told: str | None, line: str | None) -> None:
    seen = facts(edge=edge)
    verdict = judge(seen)
    assert verdict.problems == ()
    assert report.as_json(seen, verdict, numbers=False)["edge"] == told
    text = report.as_text(seen, verdict, numbers=False)
    assert line in text if line else "Edge" not in text


def test_an_edge_that_cannot_be_read_is_named_as_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable() -> Edge:
        raise Unusable("edge.json: not a JSON object")

    monkeypatch.setattr(gather, "look_at_unit", unusable)
    unseen: list[str] = []
    assert gather._edge(unseen) == Edge()
    assert unseen == ["the edge (edge.json: not a JSON object)"]


def test_all_workers_down_is_down() -> None:
    workers = (failed(f"{NEW}-1", "exit-code"), failed(f"{NEW}-2", "exit-code"))
    verdict = judge(facts(workers=workers))
    assert verdict.rows[0].state == "down"
    assert len(verdict.problems) == 2


def test_calls_are_unknown_where_a_worker_is_silent() -> None:
    silent = worker(f"{NEW}-2", answer=None, fault="does not answer: timed out")
    text = report.as_text(
        facts(workers=(facts().workers[0], silent)), judge(facts(workers=(facts().workers[0], silent))), numbers=False
    )
    assert f"{NEW}  serving  ?" in text
    assert "102807-1c8a7fcd-2  381  35.0 MiB  22.0 MiB" in text
    assert CALL.call_sid in text


def test_numbers_are_masked_unless_asked_for() -> None:
    masked = report.as_text(facts(), judge(facts()), numbers=False)
    assert "098•••••210  080•••••345  1 min 1 s" in masked
    assert "98765" not in masked + str(report.as_json(facts(), judge(facts()), numbers=False))
    assert "09876543210  08047112345" in report.as_text(facts(), judge(facts()), numbers=True)
    [call] = report.as_json(facts(), judge(facts()), numbers=True)["calls"]  # type: ignore[misc]
    assert (call["caller"], call["worker"]) == ("09876543210", f"{NEW}-1")


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({}, None),
        ({"state": "greeting"}, "greeting  0      -"),
        ({"state": "speaking", "turns": 3, "voice_to_voice_ms": 612.4}, "speaking  3      612 ms"),
    ],
    ids=["echo", "a call that has just begun", "a call"],
)
def test_what_the_bot_does(changes: dict[str, Any], columns: str | None) -> None:
    call = dataclasses.replace(CALL, **changes)
    changed = facts(workers=(worker(f"{NEW}-1", answer=Answer("serving", "r", 1, 1, (call,))), worker(f"{NEW}-2")))
    text = report.as_text(changed, judge(changed), numbers=False)
    assert ("BOT" in text) is (columns is not None)
    assert columns is None or columns in text


def test_what_others_supplied_is_harmless() -> None:
    hostile = "\x1b[2J\u202e\n"
    call = dataclasses.replace(CALL, state=hostile, call_sid=hostile, caller=hostile, called=hostile, last_event=hostile)
    changed = facts(
        workers=(
            worker(f"{NEW}-1", answer=Answer(hostile, hostile, 1, 1, (call,))),
            worker(f"{NEW}-2", answer=None, fault=f"answers {hostile}"),
        ),
        deploy=Action("2026-11-25T10:28:08Z", hostile, "deploy", hostile, "r", "", f"failed: {hostile}"),
        holders=PortPlan("act", (*OURS.decisions, decision("orphan", 7, hostile, hostile)), ""),
    )
    for numbers in (True, False):
        text = report.as_text(changed, judge(changed), numbers=numbers)
        assert text.replace("\n", "").isprintable()


def test_many_calls_do_not_fill_the_screen() -> None:
    many = facts(workers=(worker(f"{NEW}-1", answer=Answer("serving", "r", 30, 30, (CALL,) * 30)), worker(f"{NEW}-2")))
    text = report.as_text(many, judge(many), numbers=False)
    assert text.count(CALL.call_sid) == 20
    assert "… and 10 calls more" in text


def test_what_was_not_seen_is_said() -> None:
    blind = facts(
        workers=tuple(dataclasses.replace(item, answer=None) for item in facts().workers),
        holders=PortPlan("unseen", (), ""),
        deploy=None,
        unseen=("live calls and whether the workers answer", "the last deploy"),
    )
    assert judge(blind).problems == ()
    text = report.as_text(blind, judge(blind), numbers=False)
    assert text.startswith("✅ exo-a")
    assert "as far as was seen" in text
    assert "Not seen without root: live calls and whether the workers answer, the last deploy." in text
    assert "not asked" in text


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ((), "Not seen: the port in use (no TOML)."),
        (("CAP_SYS_PTRACE",), "Not seen: the port in use (no TOML); this root lacks CAP_SYS_PTRACE"),
    ],
)
def test_root_is_not_told_to_use_sudo(lacks: tuple[str, ...], says: str) -> None:
    seen = facts(unseen=("the port in use (no TOML)",), as_root=True, lacks=lacks)
    text = report.as_text(seen, judge(seen), numbers=False)
    assert says in text
    assert "sudo" not in text


def test_a_unit_is_told_under_keys_that_stay() -> None:
    told = report.as_json(facts(), judge(facts()), numbers=False)["workers"]
    unit = {"name": f"exotel-ws@{NEW}-1.service", "active": "active", "sub": "", "result": "success", "pid": 381}
    assert told[0]["unit"] == {**unit, "restarts": 0, "age_s": 700.0}  # type: ignore[index]


def test_calls_that_a_worker_did_not_list_are_counted() -> None:
    full = worker(f"{NEW}-1", answer=Answer("serving", "0.1.0-aa", 4, 1, (CALL,), unlisted=2))
    [row] = judge(facts(workers=(full,))).rows
    assert row.calls == 3
