"""A plan carried out on a directory instead of a host, with a service manager that only remembers."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import execute, files, generation, instance
from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed, Executor, Limits
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Content, Generation, new_generation
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, Paths, generation_of, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import Plan, plan_serving
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, UnitState

from tests.modules.hosts import ACTIVE, DRAINING, UNITS

LISTEN = "127.0.0.3:28765"
COMMAND = '#!/bin/sh\ntest -r "$2" -o -r "$3"\n'


class FakeSystemd:
    """Service manager whose units start and stop at once, with set exceptions. `calls` records the requests."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.units: dict[str, UnitState] = {}
        self.calls: list[str] = []
        self.stubborn: set[str] = set()
        self.broken: set[str] = set()

    def states(self, *names: str) -> dict[str, UnitState]:
        return {name: self.units[name] for name in names if name in self.units}

    def instances(self) -> dict[str, UnitState]:
        return {name[10:-8]: state for name, state in self.units.items() if name.startswith("exotel-ws@")}

    def start(self, names: Sequence[str], timeout_s: float = 1.0) -> None:
        self._note("start", names)
        for name in names:
            if name in self.broken:
                raise CommandFailed(f"{name} failed")
            self.units[name] = ACTIVE

    def switch_socket(self, verb: str, name: str) -> None:
        if verb == "stop":
            self._note("stop", [name])
            self.units.pop(name, None)
        else:
            self.start([name])

    def begin_stop(self, names: Sequence[str]) -> None:
        self._note("stop", names)
        for name in names:
            if name in self.stubborn:
                self.units[name] = DRAINING
            else:
                self.units.pop(name, None)

    def kill(self, names: Sequence[str]) -> None:
        self._note("kill", names)
        for name in names:
            self.units.pop(name)

    def enable(self, names: Sequence[str]) -> None:
        self._note("enable", names)
        wants = self.paths.units / "multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        for name in names:
            (wants / name).touch()

    def disable(self, names: Sequence[str]) -> None:
        self._note("disable", names)
        for name in names:
            (self.paths.units / "multi-user.target.wants" / name).unlink(missing_ok=True)

    def verify(self, files: Sequence[str]) -> None:
        assert all(Path(file).exists() for file in files)

    def main_pid(self, name: str) -> int:
        return os.getpid()

    def journal(self, names: Sequence[str], lines: int) -> str:
        return f"journal of {' '.join(names)}"

    def forget_failure(self, names: Sequence[str]) -> None:
        self._note("forget", names)

    def reload(self) -> None:
        self.calls.append("reload")

    def _note(self, verb: str, names: Sequence[str]) -> None:
        self.calls += [f"{verb} {name}" for name in names]


class Host:
    """Directory that plays the host."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.paths.units.mkdir(parents=True)
        self.systemd = FakeSystemd(self.paths)
        self.clock = itertools.count(1795342500)
        self.command = COMMAND

    def release(self, name: str) -> None:
        binaries = self.paths.releases / name / "bin"
        binaries.mkdir(parents=True, exist_ok=True)
        for command_name in ("exotel-ws", "exotelctl"):
            (binaries / command_name).write_text(self.command)
            (binaries / command_name).chmod(0o755)
        (self.paths.releases / name / "RELEASE.json").write_text("{}")

    def new(self, release: str, **changes: Any) -> Generation:
        """Stage a release and return a new generation of it."""
        self.release(release)
        content = dataclasses.replace(Content(release, "port = 1\n", UNITS, 2, LISTEN), **changes)
        return new_generation(content, "somebody", next(self.clock))

    def plan(self, wanted: Generation) -> Plan:
        return plan_serving(gather(self.paths, self.systemd), wanted, 5)  # type: ignore[arg-type]

    def executor(self) -> Executor:
        facts = gather(self.paths, self.systemd)  # type: ignore[arg-type]
        return Executor(self.paths, self.systemd, facts, None, Limits(0.5, 0.3))  # type: ignore[arg-type]

    def deploy(self, wanted: Generation) -> None:
        self.executor().run(self.plan(wanted))

    def files(self) -> dict[str, str]:
        """Return every file and link with its content, but not the releases, which nothing here changes."""
        found = {}
        for path in sorted(self.paths.current.parent.parent.parent.rglob("*")):
            if self.paths.releases in path.parents or (path.is_dir() and not path.is_symlink()):
                continue
            found[str(path)] = os.readlink(path) if path.is_symlink() else path.read_text()
        return found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host on which the admin sockets of running instances answer as they should."""
    host = Host(tmp_path)

    def ask(admin_socket: Path, path: str) -> dict[str, Any]:
        name = admin_socket.stem
        if unit(name) not in host.systemd.units:
            raise instance.Silent("nobody there")
        release = (host.paths.instances / name / "release").readlink().name
        return {"generation": generation_of(name), "release": release, "calls_live": 0}

    monkeypatch.setattr(instance, "ask", ask)
    monkeypatch.setattr(execute, "_GIVE_UP_S", 0.2)
    monkeypatch.setattr(execute, "_KILLED_S", 0.2)
    return host


def test_a_first_deploy_serves(host: Host) -> None:
    wanted = host.new("r1")
    host.deploy(wanted)
    paths = host.paths
    assert set(host.systemd.units) == {SOCKET, *map(unit, wanted.instances)}
    assert (paths.current / "settings.toml").read_text() == "port = 1\n"
    assert (paths.current_release / "RELEASE.json").exists()
    assert os.readlink(paths.commands / "exotelctl").endswith("/opt/exotel-ws/current/bin/exotelctl")
    assert paths.point.read_text() == f"[Socket]\nService={unit(wanted.instances[0])}\n"
    assert generation.load_all(paths)[wanted.id].served
    assert host.plan(host.new("r1")).steps == ()


def test_a_new_release_starts_before_the_old_one_is_told_to_end(host: Host) -> None:
    old = host.new("r1")
    host.deploy(old)
    new = host.new("r2")
    host.systemd.stubborn = {unit(name) for name in old.instances}
    host.systemd.calls.clear()
    host.deploy(new)
    calls = [call for call in host.systemd.calls if call.startswith(("start", "stop", "kill"))]
    assert calls == [f"start {unit(name)}" for name in new.instances] + [f"stop {unit(name)}" for name in old.instances]
    assert {name: state.active for name, state in host.systemd.instances().items()} == {
        **dict.fromkeys(old.instances, "deactivating"),
        **dict.fromkeys(new.instances, "active"),
    }
    assert host.plan(host.new("r2")).steps == ()


ANOTHER_TEMPLATE = {"units": {**UNITS, "exotel-ws@.service": "another"}}
ANOTHER_PORT = {"units": {**UNITS, SOCKET: "another"}, "listen": "127.0.0.3:28766"}
ANOTHER_ADDRESS = {"units": {**UNITS, SOCKET: "another"}, "listen": "127.0.0.4:28765"}
# By name: a host with another release before, the changes, and the number of steps up to the switch.
DEPLOYS: dict[str, tuple[bool, dict[str, Any], int]] = {
    "first": (False, {}, 12),
    "new release": (True, {}, 10),
    "new units": (True, ANOTHER_TEMPLATE, 11),
    "new secrets": (True, {**ANOTHER_TEMPLATE, "credentials": {"stream-credentials": "KEY:another\n"}}, 11),
    "new port": (True, ANOTHER_PORT, 17),
    "new address": (True, ANOTHER_ADDRESS, 19),
}
# A step fails before it does anything, or (late) when its work is done. Once the switch is done there is no way back.
FAILURES = [
    pytest.param(over_another, changes, step, late, steps, id=f"{name}, step {step}{' late' if late else ''}")
    for name, (over_another, changes, steps) in DEPLOYS.items()
    for step in range(steps)
    for late in (False, True)
    if (step, late) != (steps - 1, True)
]


@pytest.mark.parametrize(("over_another", "changes", "number", "late", "steps"), FAILURES)
def test_a_step_that_fails_leaves_the_host_as_it_was(
    host: Host, over_another: bool, changes: dict[str, Any], number: int, late: bool, steps: int
) -> None:
    old = host.new("r1")
    if over_another:
        host.deploy(old)
    plan = host.plan(host.new("r2", **changes))
    assert plan.steps[steps - 1].verb == "switch"
    before, units = host.files(), dict(host.systemd.units)
    host.systemd.calls.clear()
    executor = host.executor()
    seen = itertools.count()
    real_steps = {step.verb: getattr(executor, f"_{step.verb}") for step in plan.steps}

    def step_or_fail(verb: str, names: Sequence[str]) -> None:
        fails = next(seen) == number
        if late or not fails:
            real_steps[verb](names)
        if fails:
            raise CommandFailed("on purpose")

    for verb in real_steps:
        setattr(executor, f"_{verb}", functools.partial(step_or_fail, verb))
    with pytest.raises(DeployFailed, match="on purpose") as failure:
        executor.run(plan)

    assert host.files() == before
    old_units = {unit(name) for name in old.instances}
    if changes is not ANOTHER_ADDRESS:
        assert not [call for call in host.systemd.calls if call.partition(" ")[2] in old_units]
    if changes is ANOTHER_PORT and f"stop {SOCKET}" in host.systemd.calls:
        # A port that was moved cannot be moved back while the old instances hold it.
        del units[SOCKET]
        assert f"{old.id} goes on serving {LISTEN} without it. Run deploy.yml with the settings as they" in str(failure.value)
    elif over_another:
        assert f"{old.id} goes on serving." in str(failure.value)
    assert host.systemd.units == units


@pytest.mark.parametrize("number", range(4))
def test_a_switch_that_is_cut_short_goes_back(host: Host, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    host.deploy(host.new("r1"))
    plan = host.plan(host.new("r2"))
    before = host.files()
    executor, link, seen = host.executor(), files.link, itertools.count()

    def full_disk(path: Path, target: str) -> None:
        if path in executor._current_links() and next(seen) == number:
            raise OSError("no space left")
        link(path, target)

    monkeypatch.setattr(files, "link", full_disk)
    with pytest.raises(DeployFailed, match="no space left"):
        executor.run(plan)
    assert host.files() == before


def test_a_worker_that_does_not_start_shows_its_journal(host: Host) -> None:
    host.deploy(host.new("r1"))
    new = host.new("r2")
    host.systemd.broken = {unit(new.instances[1])}
    with pytest.raises(DeployFailed, match=f"{new.id} was not put into service. .*-2.service failed") as failure:
        host.deploy(new)
    assert failure.value.journal == f"journal of {' '.join(map(unit, new.instances))}"


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"generation": "another", "release": "r2"}, "generation is 'another', not '2"),
        ({}, "generation is None"),
        (None, "nobody there"),
    ],
)
def test_an_instance_that_is_not_healthy_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None, complaint: str
) -> None:
    def ask(admin_socket: Path, path: str) -> dict[str, Any]:
        if answer is None:
            raise instance.Silent("nobody there")
        return answer

    monkeypatch.setattr(instance, "ask", ask)
    with pytest.raises(DeployFailed, match=f"is not healthy after 0.3 s: .*{complaint}"):
        host.deploy(host.new("r2"))
    assert host.systemd.units == {}


def failing_deploy(
    host: Host, monkeypatch: pytest.MonkeyPatch, calls_live: int | None, connections: int
) -> tuple[Generation, str]:
    """Deploy a generation that starts, takes calls, does not end on SIGTERM, and fails to be enabled."""
    host.deploy(host.new("r1"))
    new = host.new("r2")
    host.systemd.stubborn = {unit(new.instances[0])}
    healthy = instance.ask

    def ask(admin_socket: Path, path: str) -> dict[str, Any]:
        ending = host.systemd.units.get(unit(admin_socket.stem)) == DRAINING
        if ending and calls_live is None:
            raise instance.Silent("hangs")
        return {**healthy(admin_socket, path), "calls_live": calls_live}

    def fail(names: Sequence[str]) -> None:
        raise CommandFailed("on purpose")

    monkeypatch.setattr(instance, "ask", ask)
    monkeypatch.setattr(execute, "established", lambda pid, port: connections)
    monkeypatch.setattr(host.systemd, "enable", fail)
    with pytest.raises(DeployFailed) as failure:
        host.deploy(new)
    return new, str(failure.value)


@pytest.mark.parametrize(("calls_live", "connections"), [(0, 0), (0, 1), (None, 0)])
def test_a_failed_instance_that_hangs_without_calls_is_killed(
    host: Host, monkeypatch: pytest.MonkeyPatch, calls_live: int | None, connections: int
) -> None:
    new, _ = failing_deploy(host, monkeypatch, calls_live, connections)
    assert f"kill {unit(new.instances[0])}" in host.systemd.calls
    assert not (host.paths.generations / new.id).exists()


@pytest.mark.parametrize(("calls_live", "connections"), [(2, 0), (None, 1)])
def test_a_failed_instance_that_took_calls_finishes_them(
    host: Host, monkeypatch: pytest.MonkeyPatch, calls_live: int | None, connections: int
) -> None:
    new, told = failing_deploy(host, monkeypatch, calls_live, connections)
    assert not [call for call in host.systemd.calls if call.startswith("kill")]
    assert f"{unit(new.instances[0])} took calls already and ends after them" in told
    assert (host.paths.instances / new.instances[0] / "settings.toml").exists()
    assert not (host.paths.instances / new.instances[1]).is_symlink()


def test_what_fails_after_the_switch_takes_nothing_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy(host.new("r1"))
    new = host.new("r2")

    def fail(names: Sequence[str]) -> None:
        raise CommandFailed("on purpose")

    monkeypatch.setattr(host.systemd, "disable", fail)
    with pytest.raises(DeployFailed, match=f"{new.id} serves, but what comes after that failed: disable .*on purpose"):
        host.deploy(new)
    assert host.paths.current.readlink().name == new.id
    assert set(map(unit, new.instances)) <= set(host.systemd.units)


@pytest.mark.parametrize("verb", ["check-config", "self-test"])
def test_a_release_that_fails_its_own_test_is_never_started(host: Host, verb: str) -> None:
    host.deploy(host.new("r1"))
    host.systemd.calls.clear()
    host.command = f'#!/bin/sh\n[ "$1" != {verb} ] || {{ echo "frame 3 came back changed"; exit 1; }}\n'
    with pytest.raises(DeployFailed, match="frame 3 came back changed"):
        host.deploy(host.new("r2"))
    assert host.systemd.calls == []


def test_each_worker_has_a_unit_file_of_its_own_generation(host: Host) -> None:
    old = host.new("r1")
    host.deploy(old)
    new = host.new("r2", **ANOTHER_TEMPLATE)
    host.systemd.stubborn = {unit(name) for name in old.instances}
    host.deploy(new)
    own = {name: files.read(host.paths.units / unit(name)) for name in (*old.instances, *new.instances)}
    assert own == dict.fromkeys(old.instances, UNITS["exotel-ws@.service"]) | dict.fromkeys(new.instances, "another")
    host.systemd.units = {name: state for name, state in host.systemd.units.items() if state != DRAINING}
    host.deploy(host.new("r3"))
    assert not [name for name in old.instances if (host.paths.units / unit(name)).exists()], "gone with their links"


def legacy(host: Host) -> Generation:
    """Return a host whose workers share the template, and secrets outside of their generation, as all did before."""
    old = host.new("r1", units={**UNITS, "exotel-ws@.service": "LoadCredential=a:/etc/exotel-ws/credentials/a"})
    host.deploy(old)
    for name in old.instances:
        (host.paths.units / unit(name)).unlink()
    (host.paths.generations / old.id / "credentials").rmdir()
    host.paths.shared_credentials.mkdir()
    (host.paths.shared_credentials / "a").write_text("secret")
    return old


@pytest.mark.parametrize("verb", ["start", "enable", "verify"])
def test_a_failed_upgrade_leaves_a_host_of_before_as_it_was(host: Host, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    legacy(host)
    before = host.files()
    new = host.new("r2", **ANOTHER_TEMPLATE, credentials={"a": "another"})

    def fail(names: Sequence[str], timeout_s: float = 1.0) -> None:
        raise CommandFailed("on purpose")

    monkeypatch.setattr(host.systemd, verb, fail)
    with pytest.raises(DeployFailed, match="on purpose"):
        host.deploy(new)
    assert host.files() == before


def test_a_host_of_before_is_upgraded_and_goes_back(host: Host) -> None:
    old = legacy(host)
    new = host.new("r2", credentials={"a": "another"})
    host.deploy(new)
    assert (host.paths.shared_credentials / "a").read_text() == "secret", "a rollback loads it"
    assert (host.paths.current / "credentials/a").read_text() == "another"
    back = new_generation(generation.load_all(host.paths)[old.id].content, "somebody", next(host.clock), old.id)
    host.deploy(back)
    assert (host.paths.units / unit(back.instances[0])).read_text().endswith("/etc/exotel-ws/credentials/a")
