"""Carry out a plan on the host. Until the switch every step can be undone, and is when a later one fails."""

from __future__ import annotations

import errno
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import files, generation, instance, maintenance
from .connections import established
from .generation import Content
from .paths import COMMANDS, SOCKET, TEMPLATE, Paths, generation_of, unit
from .plan import HostFacts, Plan, Step
from .systemd import CommandFailed, Systemd, UnitState, run

_CHECK_S = 30.0
_ADDRESS_FREE_S = 15.0
_GIVE_UP_S = 10.0
_KILLED_S = 5.0
_POLL_S = 0.1
_JOURNAL_LINES = 40
_IP_FREEBIND = 15


class DeployFailed(Exception):
    """A step failed and what could be undone is undone; `journal` is what the new instances last wrote."""

    def __init__(self, message: str, journal: str = "") -> None:
        super().__init__(message)
        self.journal = journal


@dataclass(frozen=True)
class Limits:
    """Bounds for the new generation, in seconds: to test itself and then to be READY, and after that to be healthy."""

    start_s: float = 130.0
    healthy_s: float = 30.0


class Executor:
    """Carries out one plan on one host. `user` is the service's, for the self-test; None is the one who asks."""

    def __init__(self, paths: Paths, systemd: Systemd, facts: HostFacts, user: str | None, limits: Limits) -> None:
        self._paths = paths
        self._systemd = systemd
        self._facts = facts
        self._user = user
        self._limits = limits
        self._undo: list[Callable[[], None]] = []
        self._started: list[str] = []
        self._notes: list[str] = []
        self._switched = False

    def run(self, plan: Plan, tell: Callable[[Step], None] = lambda step: None) -> None:
        """Carry out every step of `plan`, or raise DeployFailed. `plan.generation` need not exist yet.

        `tell` hears of each step before it is done.
        """
        self._generation = plan.generation
        for step in plan.steps:
            try:
                tell(step)
                getattr(self, f"_{step.verb}")(step.names)
            except Exception as error:
                raise self._failed(step, error) from error

    # Before the switch: each step first says how it is undone.

    def _stage(self, names: Sequence[str]) -> None:
        self._undo.append(lambda: self._forget_generation(names[0]))
        if not self._paths.hash_key.exists():
            self._undo.append(lambda: files.remove(self._paths.hash_key))
            generation.keep_key(self._paths, self._facts.key)
        generation.save(self._paths, self._generation, self._user)

    def _check_config(self, names: Sequence[str]) -> None:
        command = [self._command("exotel-ws"), "check-config", self._settings()]
        # With the generation's own secrets, if it has any, so that a missing one is found before anything starts.
        secrets = self._directory() / "credentials"
        variables = {"CREDENTIALS_DIRECTORY": str(secrets)} if self._generation.content.credentials else {}
        run(command, timeout_s=_CHECK_S, variables=variables)

    def _self_test(self, names: Sequence[str]) -> None:
        command = [self._command("exotel-ws"), "self-test", "--settings", self._settings()]
        run(command, timeout_s=self._limits.start_s, user=self._user)

    def _link(self, names: Sequence[str]) -> None:
        # Each instance has its own unit file, so that later changes of the template do not affect it.
        pinned = {name: files.read(self._paths.units / unit(name)) for name in names if name in self._facts.links}
        self._undo.append(lambda: self._unlink([name for name in names if name not in {*pinned, *self._live(names)}]))
        if pinned:
            self._undo.append(lambda: self._put_units({unit(name): text for name, text in pinned.items()}))
        self._paths.instances.mkdir(parents=True, exist_ok=True)
        for name in names:
            files.link(self._paths.instances / name, f"../generations/{generation_of(name)}")
        self._put_units({unit(name): self._content_of(name).units[TEMPLATE] for name in names})

    def _verify_units(self, names: Sequence[str]) -> None:
        # A template is verified as one of its instances, so that the paths in it exist.
        one = unit(self._generation.instances[0])
        with tempfile.TemporaryDirectory(prefix="exotel-ws-units-") as work:
            texts = {one if name == TEMPLATE else name: self._generation.content.units[name] for name in names}
            for name, text in texts.items():
                (Path(work) / name).write_text(text, "utf-8")
            point = Path(work) / self._paths.point.parent.name / self._paths.point.name
            point.parent.mkdir()
            point.write_text(f"[Socket]\nService={one}\n", "utf-8")
            self._systemd.verify([str(Path(work) / name) for name in texts])

    def _install_units(self, names: Sequence[str]) -> None:
        units = self._generation.content.units
        before = {name: files.read(self._paths.units / name) for name in names}
        self._undo.append(lambda: self._put_units(before))
        self._put_units({name: units[name] for name in names})

    def _point(self, names: Sequence[str]) -> None:
        before = files.read(self._paths.point)
        self._undo.append(lambda: self._put_point(before))
        self._put_point(f"[Socket]\nService={unit(names[0])}\n")

    def _begin_stop(self, names: Sequence[str]) -> None:
        serving = self._facts.serving
        if serving and set(names) & set(serving.instances):
            self._undo.append(lambda: self._revive(names))
        self._systemd.begin_stop([unit(name) for name in names])

    def _start_socket(self, names: Sequence[str]) -> None:
        self._undo.append(lambda: self._systemd.switch_socket("stop", SOCKET))
        self._systemd.switch_socket("start", SOCKET)

    def _stop_socket(self, names: Sequence[str]) -> None:
        self._systemd.switch_socket("stop", SOCKET)

    def _restart_socket(self, names: Sequence[str]) -> None:
        self._undo.append(lambda: self._systemd.switch_socket("stop", SOCKET))
        self._systemd.switch_socket("restart", SOCKET)

    def _start(self, names: Sequence[str]) -> None:
        self._undo.append(lambda: self._give_up(names))
        self._started += names
        self._systemd.start([unit(name) for name in names], self._limits.start_s)

    def _await_healthy(self, names: Sequence[str]) -> None:
        deadline = time.monotonic() + self._limits.healthy_s
        for name in names:
            while trouble := self._trouble(name):
                if time.monotonic() > deadline:
                    raise CommandFailed(f"{unit(name)} is not healthy after {self._limits.healthy_s:g} s: {trouble}")
                time.sleep(_POLL_S)

    def _await_address_free(self, names: Sequence[str]) -> None:
        deadline = time.monotonic() + _ADDRESS_FREE_S
        while not _is_free(names[0]):
            if time.monotonic() > deadline:
                port = names[0].rpartition(":")[2]
                raise CommandFailed(
                    f"{names[0]} is still in use after {_ADDRESS_FREE_S:g} s. See who holds it: "
                    f"exotelctl port-clean --port {port} --dry-run"
                )
            time.sleep(_POLL_S)

    def _enable(self, names: Sequence[str]) -> None:
        self._undo.append(lambda: self._systemd.disable(names))
        self._systemd.enable(names)

    def _switch(self, names: Sequence[str]) -> None:
        before = [(path, path.is_symlink() and path.readlink()) for path in self._current_links()]
        self._undo.append(lambda: _restore_links(before))
        generation.mark_served(self._paths, names[0])
        for path, target in self._current_links().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            files.link(path, target)
        self._switched = True

    # After the switch, or harmless before it: nothing to undo.

    def _disable(self, names: Sequence[str]) -> None:
        self._systemd.disable(names)

    def _forget_failure(self, names: Sequence[str]) -> None:
        self._systemd.forget_failure([unit(name) for name in names])

    def _unlink(self, names: Sequence[str]) -> None:
        for name in names:
            files.remove(self._paths.instances / name)
            files.remove(self._paths.admin_socket(name))  # A worker that was killed has left it.
        self._put_units({unit(name): None for name in names if (self._paths.units / unit(name)).exists()})

    def _remove_generations(self, names: Sequence[str]) -> None:
        for name in names:
            files.remove(self._paths.generations / name)

    def _remove_releases(self, names: Sequence[str]) -> None:
        for name in names:
            files.remove(self._paths.releases / name)

    def _end_maintenance(self, names: Sequence[str]) -> None:
        maintenance.end(self._paths)

    def _remove_shared_credentials(self, names: Sequence[str]) -> None:
        files.remove(self._paths.shared_credentials)

    # Helpers.

    def _content_of(self, name: str) -> Content:
        """Return the content of an instance's generation."""
        known = {**self._facts.generations, self._generation.id: self._generation}
        return known[generation_of(name)].content

    def _directory(self) -> Path:
        return self._paths.generations / self._generation.id

    def _command(self, name: str) -> str:
        return str(self._directory() / "release" / "bin" / name)

    def _settings(self) -> str:
        return str(self._directory() / "settings.toml")

    def _current_links(self) -> dict[Path, str]:
        release = self._generation.content.release
        links = {
            self._paths.current_release: f"releases/{release}",
            self._paths.current: f"generations/{self._generation.id}",
        }
        commands = {self._paths.commands / name: f"{self._paths.current_release}/bin/{name}" for name in COMMANDS}
        return {**links, **commands}

    def _revive(self, names: Sequence[str]) -> None:
        if not self._systemd.states(SOCKET).get(SOCKET, UnitState()).live:
            self._systemd.switch_socket("start", SOCKET)
        self._systemd.start([unit(name) for name in names], self._limits.start_s)

    def _put_units(self, texts: Mapping[str, str | None]) -> None:
        for name, text in texts.items():
            _put(self._paths.units / name, text)
        if texts:
            self._systemd.reload()

    def _put_point(self, text: str | None) -> None:
        self._paths.point.parent.mkdir(parents=True, exist_ok=True)
        _put(self._paths.point, text)
        self._systemd.reload()

    def _trouble(self, name: str) -> str:
        """Say what keeps the instance from being healthy; empty when it is."""
        try:
            status = instance.who(self._paths.admin_socket(name))
        except instance.Silent as silent:
            return str(silent)
        wanted = {"generation": self._generation.id, "release": self._generation.content.release}
        wrong = [f"{key} is {status.get(key)!r}, not {value!r}" for key, value in wanted.items() if status.get(key) != value]
        return "its admin socket says " + " and ".join(wrong) if wrong else ""

    def _live(self, names: Iterable[str]) -> dict[str, UnitState]:
        states = self._systemd.instances()
        return {name: states[name] for name in names if name in states and states[name].live}

    def _has_calls(self, name: str) -> bool:
        calls = instance.calls_live(self._paths.admin_socket(name))
        if calls is None:
            # A new generation may be broken just there. The kernel knows whether somebody is connected.
            port = int(self._generation.content.listen.rpartition(":")[2])
            calls = established(self._systemd.main_pid(unit(name)), port)
        return calls > 0

    def _give_up(self, names: Sequence[str]) -> None:
        """End new instances, by force if they hang. One that took calls already is left to finish them."""
        self._systemd.begin_stop([unit(name) for name in names])
        self._wait_gone(names, _GIVE_UP_S)
        hanging = [unit(name) for name in self._live(names) if not self._has_calls(name)]
        if hanging:
            self._systemd.kill(hanging)
            self._wait_gone(names, _KILLED_S)
        failed = [unit(name) for name, state in self._systemd.instances().items() if state.active == "failed"]
        if failed:
            self._systemd.forget_failure(failed)

        self._notes += [f"{unit(name)} took calls already and ends after them" for name in self._live(names)]

    def _wait_gone(self, names: Sequence[str], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._live(names) and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _forget_generation(self, name: str) -> None:
        if not any(generation_of(path.name) == name for path in self._paths.instances.glob(f"{name}-*")):
            files.remove(self._paths.generations / name)

    def _failed(self, step: Step, cause: Exception) -> DeployFailed:
        if self._switched:
            return DeployFailed(f"{self._generation.id} serves, but what comes after that failed: {step}: {cause}")
        journal = self._journal()
        faults = list(self._undo_all())
        told = [f"{self._generation.id} was not put into service. {cause}", *faults, *self._notes, *self._what_serves()]
        return DeployFailed("\n".join(told), journal)

    def _what_serves(self) -> Iterable[str]:
        serving = self._facts.serving
        if serving is None:
            return
        running = [name for name, state in self._live(serving.instances).items() if state.active != "deactivating"]
        if running and self._systemd.states(SOCKET).get(SOCKET, UnitState()).live:
            yield f"{serving.id} goes on serving."
        else:
            # An unfinished move of the port cannot be taken back: see plan._move.
            who = f"{serving.id} goes on serving {serving.content.listen} without it" if running else "nothing serves"
            yield f"{SOCKET} is stopped and {who}. Run deploy.yml with the settings as they were."

    def _journal(self) -> str:
        if not self._started:
            return ""
        try:
            return self._systemd.journal([unit(name) for name in self._started], _JOURNAL_LINES)
        except CommandFailed as error:
            return f"There is none: {error}"

    def _undo_all(self) -> Iterable[str]:
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:
                yield f"While undoing: {error}"


def _put(path: Path, text: str | None) -> None:
    if text is None:
        files.remove(path)
    else:
        files.write(path, text)


def _restore_links(before: Iterable[tuple[Path, Path | bool]]) -> None:
    for path, target in before:
        if isinstance(target, Path):
            files.link(path, str(target))
        else:
            files.remove(path)


def _is_free(listen: str) -> bool:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
