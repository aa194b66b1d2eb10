"""Report of exotelctl port-clean, as playbooks read it."""

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.exotel.voicebot.plugins.filter.port_report import port_report


def holder(pid: int, action: str = "end", instead: str = "") -> dict[str, Any]:
    return {"pid": pid, "name": "node", "user": "www", "age_s": 7.9, "action": action, "why": f"reason {pid}", "instead": instead}


def port(number: int = 8765, **changes: Any) -> dict[str, Any]:
    """Return the report of a free port, with changes."""
    free = {"port": number, "verdict": "free", "plan": "free", "reason": "nobody holds it", "proof": "", "only_ours": False}
    return {**free, "holders": [], "endings": [], "still_held_by": [], **changes}


def report(*ports: dict[str, Any], rc: int = 0, dry_run: bool = False) -> dict[str, Any]:
    said = ports[0] if len(ports) == 1 else {"ports": ports}
    return port_report({"rc": rc, "stdout": json.dumps(said)}, dry_run=dry_run)


REFUSED = port(plan="refused", verdict="refused", reason="sshd", holders=[holder(9, "refuse", "systemctl stop ssh")])
STILL = port(
    plan="act",
    verdict="still-held",
    reason="",
    proof="bind: in use",
    holders=[holder(5), holder(6, "keep")],
    still_held_by=[holder(5), holder(6, "keep"), holder(7, "refuse", "kill 7")],
    endings=[{"pid": 5, "outcome": "survived", "signals": ["TERM", "KILL"], "seconds": 1.0}],
)
ENDED = port(
    plan="act",
    verdict="freed",
    reason="a stranger",
    proof="bound",
    holders=[holder(5)],
    endings=[{"pid": 5, "outcome": "ended", "signals": ["TERM"], "seconds": 0.1}],
)


@pytest.mark.parametrize(
    ("result", "answered"),
    [({"rc": 2, "stdout": "{}"}, False), ({"rc": -9}, False), ({}, False), ({"skipped": True}, False), ({"rc": 0}, True)],
)
def test_without_ports_there_is_nothing_to_do(result: dict[str, Any], answered: bool) -> None:
    nothing = {"acts": False, "signalled": False, "ends": [], "states": [], "blocked": []}
    assert port_report(result) == {"answered": answered, **nothing}


def test_what_is_ended_is_told_with_its_outcome() -> None:
    found = report(ENDED)
    assert (found["acts"], found["signalled"], found["blocked"]) == (True, True, [])
    assert found["ends"] == [{"port": 8765, "pid": 5, "text": "node (user www, 7 s old): reason 5", "outcome": " → ended"}]
    assert found["states"] == ["port 8765: freed. a stranger. bound"]


def test_a_dry_run_acts_and_signals_nothing() -> None:
    found = report({**ENDED, "endings": [], "verdict": "would-act"}, dry_run=True)
    assert (found["acts"], found["signalled"], found["ends"][0]["outcome"]) == (True, False, "")


def test_several_ports_are_told_each() -> None:
    found = report(port(8765), REFUSED | {"port": 8009}, rc=3)
    assert found["states"] == ["port 8765: free. nobody holds it", "port 8009: refused. sshd"]
    assert [blocked["port"] for blocked in found["blocked"]] == [8009]


@pytest.mark.parametrize("verdict", ["refused", "unseen", "still-held", "not-proven"])
def test_a_port_that_cannot_be_used_is_blocked(verdict: str) -> None:
    assert report(port(verdict=verdict), rc=1)["blocked"]
    assert report(port(plan=verdict), dry_run=True)["blocked"]
    assert not report(port(plan=verdict))["blocked"]


def test_a_port_that_only_our_units_hold_is_as_it_should_be() -> None:
    found = report(REFUSED | {"only_ours": True}, rc=3)
    assert (found["blocked"], found["states"]) == ([], ["port 8765: ours. sshd"])


def test_a_blocked_port_is_told_with_what_to_type_instead() -> None:
    [blocked] = report(REFUSED, rc=3)["blocked"]
    assert (blocked["why"], blocked["instead"]) == ("sshd", "systemctl stop ssh")
    assert blocked["text"] == "Port 8765 is still held: sshd.\npid 9, node: reason 9. Type instead: systemctl stop ssh"


def test_who_holds_it_afterwards_goes_before_who_held_it() -> None:
    [blocked] = report(STILL, rc=1)["blocked"]
    assert (blocked["why"], blocked["instead"]) == ("bind: in use", "")
    assert blocked["text"].splitlines() == [
        "Port 8765 is still held: bind: in use.",
        "pid 5, node: reason 5.",
        "pid 7, node: reason 7. Type instead: kill 7",
    ]


@pytest.mark.parametrize("stdout", ["not json", "[]", '{"port": 1}', "3"])
def test_the_answer_of_something_else_is_refused(stdout: str) -> None:
    with pytest.raises(AnsibleFilterError, match="not that of exotelctl port-clean"):
        port_report({"rc": 0, "stdout": stdout})
