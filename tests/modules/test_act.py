"""One action leaves one line in the audit file, however it ends; a signal undoes it."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.act import Interrupted, act, interruptible
from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import Plan

from tests.modules.hosts import generation

PLAN = Plan(generation("g9"), "restart asked for", ())


class FakeExecutor:
    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault

    def run(self, plan: Plan, tell: object) -> None:
        if self.fault:
            raise self.fault


def audited(root: Path, fault: Exception | None = None) -> dict[str, Any]:
    paths = Paths(root)
    with contextlib.suppress(DeployFailed):
        act(FakeExecutor(fault), PLAN, paths, action="restart", who="me@desk")  # type: ignore[arg-type]
    [line] = paths.audit.read_text().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_what_was_done_is_recorded(tmp_path: Path) -> None:
    line = audited(tmp_path)
    del line["time"]
    assert line == {
        "who": "me@desk",
        "action": "restart",
        "generation": "g9",
        "release": "r1",
        "reason": "restart asked for",
        "outcome": "done",
    }


def test_what_failed_is_recorded_with_its_cause_and_told(tmp_path: Path) -> None:
    with pytest.raises(DeployFailed, match="no space"):
        act(FakeExecutor(DeployFailed("no space")), PLAN, Paths(tmp_path / "x"), action="restart", who="")  # type: ignore[arg-type]
    assert audited(tmp_path, DeployFailed("g9 was not put into service"))["outcome"] == "failed: g9 was not put into service"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once_and_then_nothing_disturbs_the_undoing(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruptible():
        with pytest.raises(Interrupted, match=f"interrupted by {number.name}"):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_signal_may_be_ignored() -> None:
    with interruptible(ignored=[signal.SIGHUP]):
        os.kill(os.getpid(), signal.SIGHUP)
