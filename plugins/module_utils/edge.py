"""Let HAProxy serve the edge's configuration without cutting a call, and take the edge away again.

What runs is compared with what is on disk, so that a run that was interrupted is finished by the next one.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import files
from .systemd import CommandFailed, run, show

UNIT = "haproxy.service"
SHUTDOWN = "exotel-edge-shutdown.service"
_PROPERTIES = ("LoadState", "ActiveState", "MainPID", "NeedDaemonReload", "UnitFileState")
_CONFIG = "CONFIG=/etc/exotel-edge/haproxy.cfg"
_SETTINGS = re.compile(r"^Environment=(EXOTEL_EDGE=\S+)$", re.MULTILINE)
_RUNS = ("active", "reloading")
_TAKES_OVER_S = 30.0
_ENDS_S = 10.0
_POLL_S = 0.1
_MOST_BYTES = 1 << 16
_LINES = 20


class EdgeFailed(Exception):
    """Raised when HAProxy does not do what was asked; the message says what it does, and why."""


def fault_of_unit(root: Path = Path("/")) -> str:
    """Return why no caller gets through the edge of this host; "" if HAProxy runs, or there is no edge. Raises CommandFailed."""
    if not (root / "etc/exotel-edge/edge.json").exists():
        return ""
    state = show([UNIT], ("ActiveState",))[UNIT]["ActiveState"]
    if state in _RUNS:
        return ""
    return f"{UNIT} is {state}: no new call gets in; on the host: systemctl status {UNIT}; sudo exotelctl doctor"


@dataclass(frozen=True)
class Found:
    """State of the edge on a host.

    `state` is the ActiveState of haproxy.service, `ours` is True if the running one serves the edge's configuration, `same` if
    that is what is on disk, and `waits` if a setting of its unit holds from its next start on. `configured` is True if there is
    a configuration; `paths` are the files of the edge. `enabled` are the units that start by themselves.
    """

    installed: bool
    state: str
    ours: bool
    same: bool
    waits: bool
    needs_daemon_reload: bool
    enabled: frozenset[str]
    configured: bool
    paths: tuple[Path, ...]

    @property
    def runs(self) -> bool:
        return self.state in (*_RUNS, "activating", "deactivating")


def plan_serving(found: Found) -> tuple[str, ...]:
    """Return the steps after which HAProxy serves what is on disk; none if it does."""
    steps = ["daemon_reload"] if found.needs_daemon_reload or not found.installed else []
    if not found.enabled >= {UNIT, SHUTDOWN}:
        steps.append("enable")
    if found.state in _RUNS and found.ours:
        return (*steps, *([] if found.same else ["reload"]))
    # What its package has started serves nobody, or the preflight had refused.
    return (*steps, *(["stop"] if found.runs else []), "start")


def plan_leaving(found: Found, *, cut: bool) -> tuple[str, ...]:
    """Return the steps after which the edge is gone, or goes with its last call unless that is `cut`."""
    if not found.paths and not (cut and found.ours and found.runs):
        return ()
    draining = found.ours and found.runs and not cut
    steps = ["disable"] if UNIT in found.enabled else []
    if found.ours and found.runs:
        if cut:
            steps.append("cut")
        elif found.state != "deactivating":
            steps.append("drain")
    if found.configured:
        steps.append("remove_configuration")
    return (*steps, *([] if draining else ["remove_units"]))


class Edge:
    """The edge of one host. `root` is another directory than / only in tests."""

    def __init__(self, root: Path = Path("/"), pid: Callable[[], str | None] | None = None) -> None:
        self._root = root
        self._configuration = root / "etc/exotel-edge"
        units = root / "etc/systemd/system"
        self._dropin = units / f"{UNIT}.d/exotel-edge.conf"
        self._units = (self._dropin, units / SHUTDOWN, units / f"shutdown.target.wants/{SHUTDOWN}")
        self._worker = pid or self._ask_pid

    def look(self) -> Found:
        """Return what there is. Raises CommandFailed."""
        shown = show([UNIT], _PROPERTIES)[UNIT]
        environment = self._environment(shown["MainPID"])
        wanted = _SETTINGS.search(files.read(self._dropin) or "")
        ours = _CONFIG in environment
        enabled = {UNIT} if shown["UnitFileState"].startswith("enabled") else set()
        if self._units[2].is_symlink():
            enabled.add(SHUTDOWN)
        return Found(
            installed=shown["LoadState"] != "not-found",
            state=shown["ActiveState"],
            ours=ours,
            same=ours and self._same(),
            waits=ours and wanted is not None and wanted[1] not in environment,
            needs_daemon_reload=shown["NeedDaemonReload"] == "yes",
            enabled=frozenset(enabled),
            configured=self._configuration.exists(),
            paths=tuple(path for path in (self._configuration, *self._units) if path.exists() or path.is_symlink()),
        )

    def serve(self, steps: tuple[str, ...]) -> Iterator[str]:
        """Carry out a plan of `plan_serving`, and yield a line for each thing done. Raises EdgeFailed and CommandFailed."""
        for step in steps:
            if step == "daemon_reload":
                run(["systemctl", "daemon-reload"])
            elif step == "enable":
                run(["systemctl", "--quiet", "enable", UNIT, SHUTDOWN], timeout_s=60)
            elif step == "stop":
                run(["systemctl", "stop", UNIT])
            else:
                self._take_over(step)
            yield f"{step.replace('_', ' ')} {'' if step == 'daemon_reload' else UNIT}".strip()

    def leave(self, steps: tuple[str, ...]) -> Iterator[str]:
        """Carry out a plan of `plan_leaving`, and yield a line for each thing done. Raises EdgeFailed and CommandFailed."""
        for step in steps:
            if step == "disable":
                run(["systemctl", "--quiet", "disable", UNIT], timeout_s=60)
                yield f"disabled {UNIT}"
            elif step == "drain":
                run(["systemctl", "stop", "--no-block", UNIT])
                yield f"{UNIT} takes no new call and ends with its last one"
            elif step == "cut":
                self._cut()
                yield f"ended {UNIT}"
            elif step == "remove_configuration":
                files.remove(self._configuration)
                yield f"removed {self._configuration}"
            else:
                for path in (*self._units, self._root / "run/exotel-edge"):
                    files.remove(path)
                with contextlib.suppress(OSError):  # not empty, or gone
                    self._dropin.parent.rmdir()
                run(["systemctl", "daemon-reload"])
                yield f"removed {self._dropin} and {SHUTDOWN}"

    def _take_over(self, verb: str) -> None:
        """Start or reload HAProxy, and wait until a worker serves that did not before."""
        before = self._worker()
        try:
            with contextlib.suppress(CommandFailed):
                run(["systemctl", "reset-failed", UNIT])
            run(["systemctl", verb, UNIT], timeout_s=_TAKES_OVER_S)
            deadline = time.monotonic() + _TAKES_OVER_S
            while self._worker() in (None, before):
                if time.monotonic() > deadline:
                    raise CommandFailed(
                        f"no new worker within {_TAKES_OVER_S:g} s" + ("" if before is None else ", the old one goes on")
                    )
                time.sleep(_POLL_S)
        except CommandFailed as failed:
            # The next run has to try it again.
            (self._root / "run/exotel-edge/loaded").unlink(missing_ok=True)
            raise EdgeFailed(f"HAProxy did not {verb}: {failed}\n{self._journal()}".rstrip()) from None

    def _cut(self) -> None:
        run(["systemctl", "stop", "--no-block", UNIT])
        for signal in ("SIGTERM", "SIGKILL"):
            if self._ended(1.0 if signal == "SIGTERM" else _ENDS_S):
                return
            with contextlib.suppress(CommandFailed):
                run(["systemctl", "kill", f"--signal={signal}", UNIT])
        if not self._ended(_ENDS_S):
            raise EdgeFailed(f"{UNIT} does not end, and nothing was removed. Look why: systemctl status {UNIT}")

    def _ended(self, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while show([UNIT], ["ActiveState"])[UNIT]["ActiveState"] in (*_RUNS, "activating", "deactivating"):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _environment(self, pid: str) -> tuple[str, ...]:
        try:
            return tuple((self._root / "proc" / pid / "environ").read_text(errors="replace").split("\0")) if pid != "0" else ()
        except (FileNotFoundError, ProcessLookupError):
            return ()

    def _same(self) -> bool:
        try:
            run([str(self._configuration / "loading"), "same"])
        except CommandFailed:
            return False
        return True

    def _ask_pid(self) -> str | None:
        """Return the process of the worker that answers at the admin socket, None if none does."""
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(5)
                line.connect(str(self._root / "run/haproxy/admin.sock"))
                line.sendall(b"show info\n")
                while len(answer) < _MOST_BYTES and (part := line.recv(4096)):
                    answer += part
        except OSError:
            return None
        found = re.search(rb"^Pid: (\d+)", answer, re.MULTILINE)
        return found[1].decode() if found else None

    def _journal(self) -> str:
        with contextlib.suppress(CommandFailed):
            return run(
                ["journalctl", "--namespace=+exotel-ws", "--no-pager", "--output=cat", f"--lines={_LINES}", f"--unit={UNIT}"]
            )
        return ""
