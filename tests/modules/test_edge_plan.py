"""HAProxy is reloaded where it runs and started where it does not; an edge that is taken away goes with its last call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import edge as the_module
from ansible_collections.exotel.voicebot.plugins.module_utils.edge import (
    SHUTDOWN,
    UNIT,
    Edge,
    EdgeFailed,
    Found,
    fault_of_unit,
    plan_leaving,
    plan_serving,
)
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed

SERVES = Found(
    installed=True,
    state="active",
    ours=True,
    same=True,
    waits=False,
    needs_daemon_reload=False,
    enabled=frozenset({UNIT, SHUTDOWN}),
    configured=True,
    paths=(Path("/etc/exotel-edge"),),
)
DOWN = replace(SERVES, state="inactive", ours=False, same=False)
BARE = replace(DOWN, installed=False, enabled=frozenset(), configured=False, paths=())


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (SERVES, ()),
        (replace(SERVES, same=False), ("reload",)),
        (replace(SERVES, same=False, needs_daemon_reload=True), ("daemon_reload", "reload")),
        (replace(SERVES, enabled=frozenset({UNIT})), ("enable",)),
        (DOWN, ("start",)),
        (replace(DOWN, state="failed"), ("start",)),
        (replace(SERVES, ours=False, same=False), ("stop", "start")),
        (replace(SERVES, state="activating"), ("stop", "start")),
        (BARE, ("daemon_reload", "enable", "start")),
    ],
)
def test_haproxy_is_never_restarted_while_it_serves_the_edge(found: Found, steps: tuple[str, ...]) -> None:
    assert plan_serving(found) == steps


@pytest.mark.parametrize(
    ("found", "cut", "steps"),
    [
        (BARE, False, ()),
        (BARE, True, ()),
        (SERVES, False, ("disable", "drain", "remove_configuration")),
        (SERVES, True, ("disable", "cut", "remove_configuration", "remove_units")),
        (replace(SERVES, state="deactivating", enabled=frozenset({SHUTDOWN}), configured=False), False, ()),
        (replace(SERVES, state="deactivating", enabled=frozenset({SHUTDOWN}), configured=False), True, ("cut", "remove_units")),
        (DOWN, False, ("disable", "remove_configuration", "remove_units")),
        # Somebody else's HAProxy is let alone.
        (replace(SERVES, ours=False, enabled=frozenset()), True, ("remove_configuration", "remove_units")),
    ],
)
def test_what_bounds_the_last_calls_stays_until_they_end(found: Found, cut: bool, steps: tuple[str, ...]) -> None:
    assert plan_leaving(found, cut=cut) == steps


class FakeHost:
    """Host whose commands are kept in `log`; `shown` is what systemd says of haproxy.service, `fails` the verb that fails."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.log: list[str] = []
        self.fails = ""
        self.shown = {"LoadState": "loaded", "ActiveState": "active", "MainPID": "7", "NeedDaemonReload": "no"}
        self.shown["UnitFileState"] = "enabled"
        self.pids = iter(["10", "10", "11"])
        monkeypatch.setattr(the_module, "run", self.run)
        monkeypatch.setattr(the_module, "show", lambda units, properties: {UNIT: self.shown})
        monkeypatch.setattr(the_module, "_TAKES_OVER_S", 0.3)
        monkeypatch.setattr(the_module, "_POLL_S", 0.01)
        for path, text in {
            "etc/exotel-edge/haproxy.cfg": "",
            "etc/systemd/system/haproxy.service.d/exotel-edge.conf": "[Service]\nEnvironment=EXOTEL_EDGE=b2\n",
            "etc/systemd/system/exotel-edge-shutdown.service": "",
            "etc/systemd/system/shutdown.target.wants/other.service": "",
            "run/exotel-edge/loaded": "",
            "proc/7/environ": "PATH=/bin\0CONFIG=/etc/exotel-edge/haproxy.cfg\0EXOTEL_EDGE=a1\0",
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / "etc/systemd/system/shutdown.target.wants/exotel-edge-shutdown.service").symlink_to("/nowhere")

    def run(self, command: list[str], *, timeout_s: float = 0) -> str:
        self.log.append(" ".join(command).replace(str(self.root), ""))
        if self.fails and self.fails in command:
            raise CommandFailed("`systemctl` ended with 1")
        return "a line of HAProxy" if command[0] == "journalctl" else ""

    def edge(self) -> Edge:
        return Edge(self.root, lambda: next(self.pids, "11"))

    def files(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    return FakeHost(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("state", "edge", "fault"),
    [
        ("active", True, ""),
        ("reloading", True, ""),
        ("inactive", True, "haproxy.service is inactive: no new call gets in; on the host: systemctl status haproxy.service; "),
        ("failed", True, "haproxy.service is failed: no new call gets in"),
        ("deactivating", True, "haproxy.service is deactivating: no new call gets in"),
        ("inactive", False, ""),
    ],
)
def test_an_edge_that_lets_in_nobody_is_a_fault_where_there_is_one(host: FakeHost, state: str, edge: bool, fault: str) -> None:
    host.shown["ActiveState"] = state
    if edge:
        (host.root / "etc/exotel-edge/edge.json").write_text("{}")
    said = fault_of_unit(host.root)
    assert said.startswith(fault)
    assert bool(said) is bool(fault)


def test_what_runs_is_told_by_its_environment_and_what_waits_by_the_settings_it_was_started_with(host: FakeHost) -> None:
    found = host.edge().look()
    assert (found.ours, found.same, found.waits, found.enabled) == (True, True, True, frozenset({UNIT, SHUTDOWN}))
    (host.root / "proc/7/environ").write_text("CONFIG=/etc/haproxy/haproxy.cfg\0")
    found = host.edge().look()
    assert (found.ours, found.same, found.waits) == (False, False, False)


def test_a_reload_is_done_when_another_worker_answers(host: FakeHost) -> None:
    assert list(host.edge().serve(("reload",))) == ["reload haproxy.service"]
    assert "systemctl reload haproxy.service" in host.log
    assert (host.root / "run/exotel-edge/loaded").exists()


@pytest.mark.parametrize("fails", ["reload", ""], ids=["refused", "without-effect"])
def test_a_reload_that_fails_shows_what_haproxy_said_and_is_tried_again_by_the_next_run(host: FakeHost, fails: str) -> None:
    host.fails = fails
    host.pids = iter(["10"] * 1000)
    with pytest.raises(EdgeFailed, match=r"(?s)did not reload: .*\na line of HAProxy"):
        list(host.edge().serve(("reload",)))
    assert not (host.root / "run/exotel-edge/loaded").exists()


def test_a_drain_waits_for_nobody_and_keeps_the_units_files(host: FakeHost) -> None:
    list(host.edge().leave(("disable", "drain", "remove_configuration")))
    assert "systemctl stop --no-block haproxy.service" in host.log
    assert "etc/exotel-edge/haproxy.cfg" not in host.files()
    assert "etc/systemd/system/haproxy.service.d/exotel-edge.conf" in host.files()


def test_in_the_end_nothing_of_the_edge_is_left_and_nothing_else_is_gone(host: FakeHost) -> None:
    list(host.edge().leave(("remove_configuration", "remove_units")))
    assert host.files() == {"etc/systemd/system/shutdown.target.wants/other.service", "proc/7/environ"}
    assert not (host.root / "etc/systemd/system/haproxy.service.d").exists()
    assert host.log[-1] == "systemctl daemon-reload"
    assert host.edge().look().paths == ()


def test_a_cut_that_does_not_end_it_removes_nothing(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_module, "_ENDS_S", 0.05)
    with pytest.raises(EdgeFailed, match="nothing was removed"):
        list(host.edge().leave(("cut", "remove_configuration")))
    assert [line for line in host.log if "--signal" in line] == [
        "systemctl kill --signal=SIGTERM haproxy.service",
        "systemctl kill --signal=SIGKILL haproxy.service",
    ]
    assert "etc/exotel-edge/haproxy.cfg" in host.files()
