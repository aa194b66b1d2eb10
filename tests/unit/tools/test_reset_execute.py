"""The executor of a reset, with a service manager that only remembers: order, bounds, and how each failure ends."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import execute as engine
from ansible_collections.exotel.voicebot.plugins.module_utils.act import Interrupted
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, UnitState
from exotel_phone.exits import Refusal
from exotelctl import host
from exotelctl.host import Host
from exotelctl.progress import Progress
from exotelctl.reset import execute, ports
from exotelctl.reset.execute import Executor, ResetFailed
from exotelctl.reset.gather import gather
from exotelctl.reset.plan import Plan, Step

ACTIVE, ENDING = UnitState("active", "running"), UnitState("deactivating", "stop-sigterm")
WORKERS = ("g2-1", "g2-2")
CUT = Plan((Step("cut", WORKERS),), 0)


class FakeSystemd:
    """Service manager whose workers end on the first of ``ends_on``: stop, SIGQUIT, SIGKILL or never."""

    def __init__(self, ends_on: str) -> None:
        self.ends_on = ends_on
        self.units = dict.fromkeys(map(unit, WORKERS), ACTIVE)
        self.calls: list[str] = []

    def instances(self) -> dict[str, UnitState]:
        return {name[10:-8]: state for name, state in self.units.items() if name.startswith("exotel-ws@")}

    def states(self, *names: str) -> dict[str, UnitState]:
        return {name: self.units[name] for name in names if name in self.units}

    def main_pid(self, name: str) -> int:
        return 0

    def switch_socket(self, verb: str, name: str) -> None:
        self.calls.append(f"{verb} {name}")

    def begin_stop(self, names: Sequence[str]) -> None:
        self._do("stop", names)

    def kill(self, names: Sequence[str], signal: str) -> None:
        if not set(names) <= set(self.units):
            raise CommandFailed("not loaded")
        self._do(signal, names)

    def _do(self, what: str, names: Sequence[str]) -> None:
        self.calls.append(what)
        for name in names:
            if what == self.ends_on:
                self.units.pop(name, None)
            else:
                self.units[name] = ENDING


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "HANG_UP_S", 0.05)
    monkeypatch.setattr(execute, "_KILLED_S", 0.05)
    monkeypatch.setattr(host, "_POLL_S", 0.01)


def executor(root: Path, systemd: FakeSystemd) -> Executor:
    this = Host("me", Paths(root), systemd)  # type: ignore[arg-type]
    return Executor(this, 8765, frozenset(), Progress(quiet=True))


ENDS = [
    ("stop", ["stop"]),
    ("SIGQUIT", ["stop", "SIGQUIT"]),
    ("SIGKILL", ["stop", "SIGQUIT", "SIGKILL"]),
]


@pytest.mark.parametrize(("ends_on", "asked"), ENDS)
def test_workers_are_told_to_stop_then_to_hurry_and_killed_if_they_hang(tmp_path: Path, ends_on: str, asked: list[str]) -> None:
    systemd = FakeSystemd(ends_on)
    executor(tmp_path, systemd).run(CUT)
    assert systemd.calls == asked
    assert systemd.instances() == {}


def test_a_worker_that_nothing_ends_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResetFailed, match=r"exotel-ws@g2-1.service .*does not end"):
        executor(tmp_path, FakeSystemd("never")).run(CUT)


def test_calls_that_end_in_time_are_not_cut(tmp_path: Path) -> None:
    systemd = FakeSystemd("stop")
    this = executor(tmp_path, systemd)
    this.run(Plan((Step("drain", WORKERS, seconds=5), *CUT.steps), 3))
    assert (systemd.calls, this.calls_cut) == (["stop"], 0)


def test_a_drain_is_bounded(tmp_path: Path) -> None:
    systemd = FakeSystemd("SIGQUIT")
    executor(tmp_path, systemd).run(Plan((Step("drain", WORKERS, seconds=0.05), *CUT.steps), 3))
    assert systemd.instances() == {}


def test_nothing_is_reset_where_nothing_is_deployed(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="nothing is deployed to this host"):
        gather(Paths(tmp_path), FakeSystemd("stop"))  # type: ignore[arg-type]


FAILURES: list[tuple[Callable[[], None], type[Exception], str]] = [
    (lambda: _raise(CommandFailed("no answer")), ResetFailed, "stop exotel-ws.socket.*: no answer"),
    (lambda: _raise(OSError("no space left")), ResetFailed, "no space left"),
    (lambda: _raise(TypeError("a bug of ours")), ResetFailed, "a bug of ours"),
    (lambda: _raise(ports.PortHeld("port 8765 is held")), ResetFailed, "port 8765 is held"),
    (lambda: _raise(Interrupted("interrupted by SIGINT")), Interrupted, "interrupted by SIGINT"),
    (lambda: _raise(_undone(CommandFailed("no"))), ResetFailed, "g2 was not put into service"),
    (lambda: _raise(_undone(Interrupted("interrupted by SIGTERM"))), Interrupted, "interrupted by SIGTERM"),
]


def _raise(fault: Exception) -> None:
    raise fault


def _undone(cause: Exception) -> engine.DeployFailed:
    failure = engine.DeployFailed("g2 was not put into service", "the journal")
    failure.__cause__ = cause
    return failure


@pytest.mark.parametrize(("fails", "kind", "text"), FAILURES)
def test_a_step_that_fails_ends_the_reset_and_no_later_one_is_taken(
    tmp_path: Path, fails: Callable[[], None], kind: type[Exception], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = FakeSystemd("stop")
    monkeypatch.setattr(systemd, "switch_socket", lambda verb, name: fails())
    with pytest.raises(kind, match=text):
        executor(tmp_path, systemd).run(Plan((Step("close"), *CUT.steps), 0))
    assert systemd.calls == []


def test_the_journal_of_workers_that_do_not_start_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = FakeSystemd("stop")
    monkeypatch.setattr(systemd, "switch_socket", lambda verb, name: _raise(_undone(CommandFailed("no"))))
    with pytest.raises(ResetFailed) as failure:
        executor(tmp_path, systemd).run(Plan((Step("close"),), 0))
    assert failure.value.journal == "the journal"
