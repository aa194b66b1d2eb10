"""An uninstall reports what it cuts and removes, stops the server in order, leaves nothing, and touches nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import uninstall as the_module
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, UnitState
from ansible_collections.exotel.voicebot.plugins.module_utils.uninstall import Uninstall, UninstallFailed, in_words

WORKERS = ["exotel-ws@g1-1.service", "exotel-ws@g1-2.service"]
OURS = [
    "etc/exotel-ws/generations/g1/settings.toml",
    "etc/exotel-ws/generations/g1/credentials/stream-credentials",
    "etc/systemd/system/exotel-ws.socket",
    "etc/systemd/system/exotel-ws.socket.d/generation.conf",
    "etc/systemd/system/exotel-ws@.service",
    "etc/systemd/system/exotel-ws@g1-1.service",
    "etc/systemd/system/sockets.target.wants/exotel-ws.socket",
    "opt/exotel-ws/releases/r1/bin/exotelctl",
    "run/exotel-ws/g1-1.sock",
    "run/exotel-ws-deploy/lock",
    "var/lib/exotel-ws/audit.jsonl",
    "var/lib/exotel-ws-keys/usage.json",
    "etc/systemd/journald@exotel-ws.conf",
    "var/log/journal/0123.exotel-ws/system.journal",
    "usr/local/share/bash-completion/completions/exotelctl",
]
OTHERS = [
    "etc/systemd/system/nginx.service",
    "etc/systemd/system/multi-user.target.wants/nginx.service",
    "opt/other/file",
    "usr/local/bin/exotelctl-of-somebody",
    "var/lib/other/file",
    "var/log/journal/0123/system.journal",
    "etc/systemd/journald.conf",
]
RECORD = "var/lib/exotel-ws/calls/2026/call.wav"


class FakeSystemd:
    """Service manager whose workers need ``drains`` looks, or a signal of those in ``end_by``, to end."""

    def __init__(self, drains: int = 0, end_by: Sequence[str] = ("SIGQUIT", "SIGKILL")) -> None:
        self.live = ["exotel-ws.socket", *WORKERS]
        self.log: list[str] = []
        self._looks = drains
        self._end_by = end_by
        self._stopping = False

    def states(self, *names: str) -> dict[str, UnitState]:
        if self._stopping and self._looks == 0:
            self.live = []
        self._looks -= self._stopping
        return {name: UnitState("active", "running") for name in self.live}

    def main_pid(self, name: str) -> int:
        return 0

    def switch_socket(self, verb: str, name: str) -> None:
        self.log.append(f"{verb} {name}")
        self.live.remove(name)

    def begin_stop(self, names: Sequence[str]) -> None:
        self.log.append(f"begin to stop {' '.join(names)}")
        self._stopping = True

    def kill(self, names: Sequence[str], signal: str = "SIGKILL") -> None:
        self.log.append(f"{signal} {' '.join(names)}")
        if signal in self._end_by:
            self.live = []

    def reload(self) -> None:
        self.log.append("reload")

    def disable(self, names: Sequence[str]) -> None:
        raise CommandFailed("unit file is gone")

    def forget_failure(self, names: Sequence[str]) -> None:
        pass


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (*OURS, *OTHERS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('eval "$(exotelctl completion bash)"' if name.endswith("completions/exotelctl") else "")
    (tmp_path / "usr/local/bin/exotelctl").symlink_to(tmp_path / "opt/exotel-ws/current/bin/exotelctl")
    (tmp_path / "usr/local/bin/exotel-ws").symlink_to("/elsewhere/exotel-ws")
    return tmp_path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_HANG_UP_S", "_KILLED_S", "_POLL_S"):
        monkeypatch.setattr(the_module, name, 0.01)


def an_uninstall(systemd: FakeSystemd, root: Path) -> Uninstall:
    return Uninstall(systemd, root, "exotel-ws-nobody")  # type: ignore[arg-type]


def left(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_it_leaves_nothing_of_ours_and_all_of_others(root: Path) -> None:
    this = an_uninstall(FakeSystemd(), root)
    list(this.remove(this.look(True), 0, True))
    assert left(root) == {*OTHERS, "usr/local/bin/exotel-ws"}
    assert not (root / "etc/systemd/system/sockets.target.wants").exists()
    assert (root / "etc/systemd/system/multi-user.target.wants").exists()
    again = this.look(True)
    assert again.nothing
    assert in_words(again, True) == ["there is nothing of the server on this host"]
    assert list(this.remove(again, 0, True)) == []


def test_new_calls_are_refused_first_and_live_ones_may_end(root: Path) -> None:
    systemd = FakeSystemd(drains=3)
    this = an_uninstall(systemd, root)
    done = list(this.remove(this.look(True), 60, True))
    assert systemd.log[:2] == ["stop exotel-ws.socket", f"begin to stop {' '.join(WORKERS)}"]
    assert "SIG" not in " ".join(systemd.log)
    assert done[1] == f"ended {', '.join(WORKERS)}"


def test_calls_that_do_not_end_are_closed_and_at_last_killed(root: Path) -> None:
    systemd = FakeSystemd(drains=1000, end_by=["SIGKILL"])
    this = an_uninstall(systemd, root)
    done = list(this.remove(this.look(True), 0.05, True))
    assert [line.split()[0] for line in systemd.log[2:4]] == ["SIGQUIT", "SIGKILL"]
    assert done[1].endswith("with calls cut in 2 of them")


def test_what_does_not_end_is_told_and_nothing_is_removed(root: Path) -> None:
    before = left(root)
    this = an_uninstall(FakeSystemd(drains=1000, end_by=[]), root)
    with pytest.raises(UninstallFailed, match="does not end: nothing was removed"):
        list(this.remove(this.look(True), 0, True))
    assert left(root) == before


@pytest.mark.parametrize("directory", ["/var/lib/exotel-ws/calls", "/srv/voice/calls"])
def test_records_go_only_when_asked(root: Path, directory: str) -> None:
    settings = root / "etc/exotel-ws/generations/g1/settings.toml"
    settings.write_text(f'mode = "ai"\n\n[ai.record]\naudio = true\ndirectory = "{directory}"\n\n[ai.silence]\n')
    record = root / directory[1:] / "call.wav"
    record.parent.mkdir(parents=True)
    record.write_text("voice")
    this = an_uninstall(FakeSystemd(), root)
    found = this.look(False)
    assert f"it keeps what was recorded of calls: {record.parent}" in in_words(found, False)
    list(this.remove(found, 0, False))
    assert left(root) == {*OTHERS, "usr/local/bin/exotel-ws", directory[1:] + "/call.wav"}
    assert record.parent.stat().st_mode & 0o777 == 0o700
    assert this.look(False).nothing
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[ai.record]\ndirectory = "{directory}"\n')
    list(this.remove(this.look(True), 0, True))
    assert left(root) == {*OTHERS, "usr/local/bin/exotel-ws"}


@pytest.mark.parametrize("directory", ["/", "/var", "/srv/../var", "relative"])
def test_a_directory_of_the_system_is_never_removed(root: Path, directory: str) -> None:
    (root / "etc/exotel-ws/generations/g1/settings.toml").write_text(f'[ai.record]\ndirectory = "{directory}"\n')
    assert an_uninstall(FakeSystemd(), root).look(True).records == ()


def test_it_says_what_it_cuts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_module, "calls_live", lambda socket: 2)
    this = an_uninstall(FakeSystemd(), root)
    words = in_words(this.look(False), False)
    assert words[:2] == ["it cuts 4 live calls", f"it ends exotel-ws.socket, {', '.join(WORKERS)}"]
    for name in ("etc/exotel-ws", "opt/exotel-ws", "usr/local/bin/exotelctl", "var/lib/exotel-ws"):
        assert str(root / name) in words[2]
