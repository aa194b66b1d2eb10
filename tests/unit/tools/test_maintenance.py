"""A host goes out of service: in which order, what of it is recorded, and how live calls are cut where that is asked for."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Content, Generation
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, UnitState
from exotel_phone.exits import Exit, Refusal
from exotelctl import host, maintenance
from exotelctl.host import Host
from exotelctl.options import MaintenanceOptions

SERVING = Generation("g2", Content("r2", "", {}, 2, "0.0.0.0:8765"), "t", "somebody", None, "t")
ACTIVE = UnitState("active", "running")
FACTS = HostFacts(
    generations={"g2": SERVING},
    current="g2",
    instances={"g2-1": ACTIVE},
    socket=ACTIVE,
    enabled=frozenset({"exotel-ws.socket", "exotel-ws@g2-1.service", "exotel-ws-shutdown.service"}),
)


class FakeSystemd:
    """One worker, which ends on a signal; where ``gone`` it ended just before the first one."""

    def __init__(self, ends_on: str, *, gone: bool = False) -> None:
        self.ends_on = ends_on
        self.gone = gone
        self.calls: list[str] = []

    def instances(self) -> dict[str, UnitState]:
        return {} if self.ends_on in self.calls else {"g2-1": ACTIVE}

    def disable(self, names: Sequence[str]) -> None:
        self.calls.append(f"disable {' '.join(names)}")

    def switch_socket(self, verb: str, name: str) -> None:
        self.calls.append(f"{verb} {name}")

    def begin_stop(self, names: Sequence[str]) -> None:
        self.calls.append(f"stop {' '.join(names)}")

    def kill(self, names: Sequence[str], signal: str) -> None:
        self.calls.append(signal)
        if self.gone:
            raise CommandFailed("not loaded")


def out_of_service(
    monkeypatch: pytest.MonkeyPatch, root: Path, systemd: FakeSystemd, options: MaintenanceOptions, facts: HostFacts = FACTS
) -> Exit:
    monkeypatch.setattr(maintenance, "to_change", lambda _verb: Host("me@desk", Paths(root), systemd))  # type: ignore[arg-type]
    monkeypatch.setattr(maintenance, "gather", lambda *_: facts)
    monkeypatch.setattr(maintenance, "HANG_UP_S", 0.05)
    monkeypatch.setattr(host, "_POLL_S", 0.01)
    Paths(root).maintenance.parent.mkdir(parents=True)
    return maintenance.run(options)


CALM = ["disable exotel-ws.socket exotel-ws@g2-1.service", "stop exotel-ws.socket", "stop exotel-ws@g2-1.service"]
CUTS = {
    "calls go on": (FakeSystemd("never"), False, []),
    "it hangs up": (FakeSystemd("SIGQUIT"), True, ["SIGQUIT"]),
    "it ended before": (FakeSystemd("SIGQUIT", gone=True), True, ["SIGQUIT"]),
    "it hangs": (FakeSystemd("never"), True, ["SIGQUIT", "SIGKILL"]),
}


@pytest.mark.parametrize(("systemd", "cut", "signals"), CUTS.values(), ids=CUTS)
def test_no_new_calls_then_the_workers(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    systemd: FakeSystemd,
    cut: bool,
    signals: list[str],
) -> None:
    options = MaintenanceOptions("on", reason="disk swap", cut=cut, yes=True, json=True)
    assert out_of_service(monkeypatch, tmp_path, systemd, options) == Exit.OK
    assert systemd.calls == CALM + signals
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["changed"], said["problem"]) == (True, True, None)
    assert (said["maintenance"]["who"], said["maintenance"]["reason"]) == ("me@desk", "disk swap")
    recorded = json.loads(Paths(tmp_path).audit.read_text())
    assert (recorded["action"], recorded["generation"], recorded["release"]) == ("maintenance on", "g2", "r2")
    assert (recorded["who"], recorded["reason"], recorded["outcome"]) == ("me@desk", "disk swap", "done")


def test_a_host_without_a_generation_cannot_go_out_of_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="nothing is deployed to this host"):
        out_of_service(monkeypatch, tmp_path, FakeSystemd("never"), MaintenanceOptions("on", yes=True), HostFacts())


def test_nobody_is_asked_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "to_change", lambda _verb: SimpleNamespace())
    with pytest.raises(Refusal, match="say --yes to act"):
        maintenance.run(MaintenanceOptions("on", json=True))
