"""Causes and consequences, the report, the exit code, and the verb's own words."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exotel_phone.exits import Refusal, UsageFault
from exotelctl.doctor import bundle, checks, report, verb
from exotelctl.doctor.causes import CAUSES, mark
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.fact import Fact
from exotelctl.doctor.result import Remedy, Result, Verdict
from exotelctl.options import DoctorOptions

from tests.unit.tools.doctor_facts import PORT, STRANGER, healthy


def result(id: str, verdict: Verdict = "fail", **changes: Any) -> Result:
    known = next(check for check in checks.ALL if check.id == id)
    return replace(
        Result(id, known.group, verdict, known.claim, "it is so", ("seen",), "all", None, f"x#{id}", None, 0.0, 1.0, ""),
        **changes,
    )


def order(**changes: Any) -> DoctorOptions:
    return DoctorOptions(**changes)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Save a bundle of a host with a stranger on its port."""
    file = tmp_path / "host.tar"
    bundle.write(file, stranger())
    return file


def stranger() -> Facts:
    evil = replace(STRANGER, command="node \x1b[31mserver.js\u202e")
    return healthy(port=replace(PORT, holders=(evil,)), calls=Fact(missing="root only", needs="root"))


# -- causes ------------------------------------------------------------------------------------------------------------


def ways(id: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Return every way from a consequence back to its causes."""
    if id in seen:
        yield (*seen, id)
        return
    for cause in CAUSES.get(id, ()):
        yield from ways(cause, (*seen, id))


def test_no_cause_explains_itself_in_a_circle() -> None:
    assert set(CAUSES) | {cause for causes in CAUSES.values() for cause in causes} <= set(checks.IDS)
    assert [way for id in CAUSES for way in ways(id)] == []


def test_a_consequence_is_blocked_by_its_cause() -> None:
    cause, consequence, unseen = mark([result("port-stranger"), result("local-answer"), result("no-echo", "unknown")])
    assert cause.verdict == "fail"
    assert (consequence.verdict, consequence.blocked_by) == ("skipped", "port-stranger")
    assert (unseen.verdict, unseen.blocked_by) == ("skipped", "port-stranger")


def test_what_was_seen_to_hold_stays_ok() -> None:
    assert [one.verdict for one in mark([result("port-two-listeners"), result("no-echo", "ok")])] == ["fail", "ok"]


def test_a_warning_explains_nothing() -> None:
    assert [one.blocked_by for one in mark([result("port-stranger", "warn"), result("local-answer")])] == [None, None]


def test_two_faults_that_do_not_explain_each_other_are_both_told() -> None:
    assert [one.verdict for one in mark([result("host-firewall"), result("unit-down"), result("disk", "ok")])] == [
        "fail",
        "fail",
        "ok",
    ]


def test_a_chain_of_causes_leads_to_its_root() -> None:
    found = {one.id: one.blocked_by for one in mark([result("port-stranger"), result("unit-down"), result("no-echo")])}
    assert found == {"port-stranger": None, "unit-down": "port-stranger", "no-echo": "port-stranger"}


# -- report ------------------------------------------------------------------------------------------------------------


def test_the_summary_counts_and_says_what_would_help() -> None:
    found = [result("disk", "ok"), result("clock"), result("memory", "unknown", needs="root"), result("no-echo", "skipped")]
    assert report.summary(found) == "1 ok, 1 failed, 1 unknown (need root), 1 skipped"


def test_what_is_red_is_said_once_more_at_the_end() -> None:
    shown = report.text([result("host-firewall"), result("disk", "warn"), result("clock", "ok")], verbose=False)
    assert [line.split(maxsplit=1)[-1] for line in shown.splitlines()[-3:-1]] == ["host-firewall", "disk"]
    assert shown.splitlines()[-1].endswith("exotelctl doctor --since -2min")
    assert "After the cure" not in report.text([result("clock", "ok")], verbose=False)


def test_details_are_shown_where_something_is_wrong() -> None:
    remedy = Remedy("Do it.", ("look",), ("delete",))
    lines = report.text([result("disk", "ok"), result("clock", remedy=remedy)], verbose=False).splitlines()
    assert lines[0] == "host"
    assert lines[1].split() == ["✅", "disk", "it", "is", "so"]
    assert [line.strip() for line in lines[3:8]] == [
        "evidence: seen",
        "remedy:   Do it.",
        "safe:   look",
        "risky:  delete",
        "see x#clock",
    ]


def test_what_an_ok_does_not_prove_is_told_on_request_and_always_in_json() -> None:
    assert "does not prove" not in report.text([result("disk", "ok")], verbose=False)
    assert "does not prove all" in report.text([result("disk", "ok")], verbose=True)
    [told] = report.as_json([result("disk", "ok")])["results"]  # type: ignore[misc]
    assert told["does_not_prove"] == "all"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["ok"], 0),
        (["ok", "skipped"], 0),
        (["ok", "warn"], 4),
        (["warn", "unknown"], 5),
        (["unknown", "fail", "warn"], 1),
    ],
)
def test_the_exit_code_is_of_the_worst(verdicts: list[Verdict], code: int) -> None:
    assert verb.exit_code([result("disk", verdict) for verdict in verdicts]) == code


def test_a_bundle_is_replayed(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(order(replay=saved)) == 1
    shown = capsys.readouterr().out
    assert "voice-1" in shown
    assert r"node \x1b[31mserver.js\u202e" in shown
    assert "\x1b" not in shown


def test_json_has_every_check(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verb.run(order(replay=saved, json=True))
    told = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in told["results"]] == list(checks.IDS)
    assert told["counts"]["fail"] == 1
    assert sum(told["counts"].values()) == len(checks.IDS)


def test_one_check_is_shown_alone_and_gives_the_exit_code(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(order(replay=saved, check=("disk",))) == 0
    assert verb.run(order(replay=saved, check=("disk", "lost-calls"))) == 5
    assert "port-stranger" not in capsys.readouterr().out


def test_what_google_was_asked_is_judged_with_the_host(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = tmp_path / "cloud.json"
    said.write_text(json.dumps({"failed": False, "msg": "voice-1: not found\n  at all"}))
    assert verb.run(order(replay=saved, cloud=said, check=("cloud-firewall",))) == 5
    assert "could not be looked at: voice-1: not found at all" in capsys.readouterr().out
    with pytest.raises(UsageFault, match="No such file"):
        verb.run(order(replay=saved, cloud=tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"check": ("no-such",)}, "port-stranger"),
        ({"outside": "ws://198.51.100.7"}, "--replay"),
        ({"cloud": Path("c")}, "--replay"),
        ({"bundle": Path("a"), "replay": Path("b")}, "one of them"),
        ({"since": "soon"}, "-1h"),
    ],
)
def test_wrong_orders_are_named(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageFault, match=why):
        verb.run(order(**changes))


def test_without_systemd_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exotelctl.systemctl.has_systemd", lambda: False)
    with pytest.raises(Refusal, match="a host of the server"):
        verb.run(order())
