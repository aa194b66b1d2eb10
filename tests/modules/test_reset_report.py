"""Report of exotelctl reset, as a playbook shows it."""

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.exotel.voicebot.plugins.filter.reset_report import reset_report

SAID: dict[str, Any] = {
    "outcome": "dry-run",
    "generation": "g1",
    "calls_live": 3,
    "calls_cut": 0,
    "workers": [
        {"instance": "g1-1", "state": "active", "calls": 2, "answers": True},
        {"instance": "g0-1", "state": "deactivating", "calls": 1, "answers": True},
    ],
    "ports": [{"port": 8765, "strangers": []}],
    "verified": [],
    "problem": "",
    "journal": "",
    "state": "",
}


def report(drain_s: int = 0, **changes: Any) -> dict[str, Any]:
    return reset_report({"rc": 0, "stdout": json.dumps({**SAID, **changes})}, "a", drain_s)


CUTS = "A reset of a to g1 cuts 3 live calls"
WORKERS = "[g1-1 (active): 2, g0-1 (deactivating): 1]"
STRANGERS = [{"port": 8765, "strangers": [{"why": "pid 5 (node)"}]}, {"port": 8009, "strangers": [{"why": "pid 6 (nc)"}]}]


@pytest.mark.parametrize(
    ("drain_s", "changes", "foreseen"),
    [
        (0, {}, f"{CUTS} {WORKERS}"),
        (60, {}, f"{CUTS} (those that do not end within 60 s) {WORKERS}"),
        (0, {"ports": STRANGERS}, f"{CUTS} {WORKERS} and ends what is not ours: pid 5 (node); pid 6 (nc)"),
        (0, {"calls_live": 0, "workers": []}, "A reset of a to g1 cuts 0 live calls []"),
    ],
)
def test_what_it_would_do(drain_s: int, changes: dict[str, Any], foreseen: str) -> None:
    assert report(drain_s, **changes)["foreseen"] == foreseen


def test_a_refusal_is_told_with_the_host() -> None:
    assert report()["refused"] == ""
    assert report(outcome="refused", problem="nothing serves")["refused"] == "a: nothing serves"


def test_a_host_that_does_not_serve_again_is_told_with_its_journal() -> None:
    assert report(outcome="failed", problem="not ready", journal="line", state="failed")["failed"] == "a: not ready\nline\nfailed"
    assert report(outcome="failed", problem="not ready")["failed"] == "a: not ready"


def test_what_was_done_is_told_with_what_was_verified() -> None:
    verified = [{"claim": "it serves", "ok": True}, {"claim": "it sings", "ok": False}, {"claim": "a call works", "ok": True}]
    assert report(calls_cut=2, verified=verified)["done"] == "g1 serves again on a: 2 calls were cut, it serves, a call works"


@pytest.mark.parametrize("result", [{}, {"rc": 2, "stdout": None}, {"rc": 3, "stdout": "usage: …"}])
def test_without_an_answer_nothing_is_told(result: dict[str, Any]) -> None:
    assert reset_report(result, "a") == {"answered": False}


@pytest.mark.parametrize("stdout", ["{", '{"outcome": "done"}'])
def test_the_answer_of_something_else_is_refused(stdout: str) -> None:
    with pytest.raises(AnsibleFilterError, match="not that of exotelctl reset"):
        reset_report({"stdout": stdout}, "a")
