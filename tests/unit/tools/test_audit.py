"""The record of actions on a host."""

import json
from pathlib import Path

from exotelctl.audit import Action, last_deploy, parse

LINE = {
    "time": "2026-11-25T10:28:08Z",
    "who": "root@vm",
    "action": "deploy",
    "generation": "g",
    "release": "r",
    "outcome": "done",
}


def test_the_newest_whole_line_counts(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join([json.dumps({**LINE, "action": "rollback"}), json.dumps(LINE), '{"time": "2026-']))
    assert last_deploy(file) == Action("2026-11-25T10:28:08Z", "root@vm", "deploy", "g", "r", "", "done")


def test_what_puts_no_generation_into_service_is_no_deploy(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    others = ("edge admit", "maintenance on", "maintenance off", "reset")
    file.write_text("\n".join(json.dumps({**LINE, "action": action}) for action in ("rollback", *others)))
    found = last_deploy(file)
    assert found is not None
    assert found.action == "rollback"
    file.write_text("\n".join(json.dumps({**LINE, "action": action}) for action in others))
    assert last_deploy(file) is None


def test_there_may_be_none_yet(tmp_path: Path) -> None:
    assert last_deploy(tmp_path / "audit.jsonl") is None
    (tmp_path / "audit.jsonl").write_text("")
    assert last_deploy(tmp_path / "audit.jsonl") is None


def test_a_failed_action_says_why() -> None:
    action = parse(json.dumps({**LINE, "outcome": "failed: self-test\nTraceback"}))
    assert action is not None
    assert action.outcome == "failed: self-test\nTraceback"
    assert parse("[1]") is None
