"""The few systemctl verbs a deploy needs. Each call is bounded and fails with systemd's own words."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .paths import JOURNAL, unit

_TIMEOUT_S = 30.0
_LIVE = ("active", "activating", "reloading", "deactivating")


class CommandFailed(Exception):
    """A command ended with an error or not in time; the message has its output."""


def run(
    command: Sequence[str], *, timeout_s: float = _TIMEOUT_S, user: str | None = None, variables: Mapping[str, str] | None = None
) -> str:
    """Run `command` from / with a bare environment and `variables`, as `user` if given, and return its output.

    Raises CommandFailed.
    """
    identity = {} if user is None else {"user": user, "group": user, "extra_groups": ()}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **(variables or {})},
            **identity,  # type: ignore[call-overload]
        )
    except subprocess.TimeoutExpired as expired:
        output = (expired.output or b"").decode("utf-8", "replace").strip()
        raise CommandFailed(f"`{' '.join(command)}` was not done after {timeout_s:g} s. {output}".strip()) from None
    except OSError as error:
        raise CommandFailed(f"`{' '.join(command)}` cannot be run: {error}") from None
    output = str(done.stdout.decode("utf-8", "replace"))
    if done.returncode != 0:
        raise CommandFailed(f"`{' '.join(command)}` ended with {done.returncode}: {output.strip()}")
    return output


def show(names: Sequence[str], properties: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> dict[str, dict[str, str]]:
    """Return the `properties` of each unit by its Id; a glob (``exotel-ws@*.service``) stands for the loaded ones.

    Raises CommandFailed.
    """
    if not names:
        return {}
    shown = run(["systemctl", "show", f"--property={','.join(['Id', *properties])}", "--", *names], timeout_s=timeout_s)
    found: dict[str, dict[str, str]] = {}
    for block in shown.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in fields:
            found[fields["Id"]] = fields
    return found


@dataclass(frozen=True)
class UnitState:
    """State of a unit as systemd tells it: `active` is its ActiveState, `sub` its SubState."""

    active: str = "inactive"
    sub: str = "dead"

    @property
    def live(self) -> bool:
        return self.active in _LIVE


class Systemd:
    """The host's service manager."""

    def states(self, *names: str) -> dict[str, UnitState]:
        """Return the state of each unit named or matched by a glob; a unit that is not loaded is left out."""
        shown = show(names, ["LoadState", "ActiveState", "SubState"])
        return {
            name: UnitState(fields["ActiveState"], fields["SubState"])
            for name, fields in shown.items()
            if fields.get("LoadState") != "not-found"
        }

    def instances(self) -> dict[str, UnitState]:
        """Return the state of each loaded instance of the server by its name."""
        prefix, suffix = unit("\0").split("\0")
        return {name[len(prefix) : -len(suffix)]: state for name, state in self.states(unit("*")).items()}

    def main_pid(self, name: str) -> int:
        """Return the process of a service, 0 when it has none."""
        return int(run(["systemctl", "show", "--property=MainPID", "--value", name]))

    def reload(self) -> None:
        run(["systemctl", "daemon-reload"])

    def start(self, names: Sequence[str], timeout_s: float = _TIMEOUT_S) -> None:
        """Start units and wait until each is ready or has failed."""
        try:
            run(["systemctl", "start", *names], timeout_s=timeout_s)
        except CommandFailed as failed:
            # Where systemctl says where to look further, the caller shows the journal itself.
            told = [line for line in str(failed).splitlines() if not line.startswith("See ")]
            raise CommandFailed("\n".join(told)) from None

    def switch_socket(self, verb: str, name: str) -> None:
        """Start, stop or restart a socket now. Otherwise it would wait for services that are still to finish their calls."""
        run(["systemctl", "--job-mode=ignore-dependencies", verb, name])

    def begin_stop(self, names: Sequence[str]) -> None:
        """Ask units to stop and do not wait: an instance finishes its calls first."""
        run(["systemctl", "stop", "--no-block", *names])

    def kill(self, names: Sequence[str], signal: str = "SIGKILL") -> None:
        run(["systemctl", "kill", f"--signal={signal}", *names])

    def forget_failure(self, names: Sequence[str]) -> None:
        run(["systemctl", "reset-failed", *names])

    def enable(self, names: Sequence[str]) -> None:
        run(["systemctl", "--quiet", "enable", *names])

    def disable(self, names: Sequence[str]) -> None:
        run(["systemctl", "--quiet", "disable", *names])

    def verify(self, files: Sequence[str]) -> None:
        """Raise CommandFailed when systemd finds a fault in unit files."""
        run(["systemd-analyze", "verify", "--man=no", *files])

    def journal(self, names: Sequence[str], lines: int) -> str:
        """Return the last `lines` lines that units wrote to the journal, and systemd about them."""
        run(["journalctl", "--sync"])
        with contextlib.suppress(CommandFailed):  # a host where no generation has written to it yet
            run(["journalctl", f"--namespace={JOURNAL}", "--sync"])
        units = [f"--unit={name}" for name in names]
        entries = run(["journalctl", f"--namespace=+{JOURNAL}", "--no-pager", "--output=short-iso", f"--lines={lines}", *units])
        # Ansible shows a text as it is, unless a line ends in a blank or has a character that libyaml does not print.
        return "\n".join(re.sub("[\U00010000-\U0010ffff]", "", line).rstrip() for line in entries.splitlines())
