"""Remove the server from a host: find what deploys have put there, stop it, and delete it.

Nothing here comes from a release, for the release goes too. Each look is at the host as it is, so that an uninstall that
was interrupted is finished by the next one, and one on a host without the server finds nothing.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import files
from .connections import established
from .instance import calls_live
from .paths import COMMANDS, SOCKET, Paths, unit
from .systemd import CommandFailed, Systemd, run

_UNITS = "exotel-ws*"
# The server's own journal, kept by a journald instance of its own.
_JOURNAL = (
    "systemd-journald@exotel-ws.service",
    "systemd-journald@exotel-ws.socket",
    "systemd-journald-varlink@exotel-ws.socket",
)
_SLICE = r"system-exotel\x2dws.slice"
# Removed with all their content, except the records of calls, which are handled separately.
_TREES = (
    "etc/exotel-ws",
    "opt/exotel-ws",
    "run/exotel-ws",
    "run/exotel-ws-deploy",
    "run/lock/exotel-ws.deploy",
    "var/lib/exotel-ws",
    "var/lib/exotel-ws-keys",
)
_GLOBS = (
    f"etc/systemd/system/{_UNITS}",
    f"etc/systemd/system/*.wants/{_UNITS}",
    f"run/systemd/system/{_UNITS}",
    f"run/systemd/system.control/{_UNITS}",
    f"etc/systemd/system.control/{_UNITS}",
    "etc/systemd/journald@exotel-ws.conf",
    "etc/systemd/journald@exotel-ws.conf.d",
    "run/systemd/journal.exotel-ws",
    "run/log/journal/*.exotel-ws",
    "var/log/journal/*.exotel-ws",
    "etc/sysctl.d/*exotel-ws*.conf",
    f"run/systemd/propagate/{_UNITS}",
    f"var/tmp/systemd-private-*-{_UNITS}",
    f"tmp/systemd-private-*-{_UNITS}",
)
_COMPLETION = "usr/local/share/bash-completion/completions/exotelctl"
# A deploy made these if they were missing; they may be somebody else's, so they are removed only when empty.
_PARENTS = (
    "etc/systemd/system/multi-user.target.wants",
    "etc/systemd/system/shutdown.target.wants",
    "etc/systemd/system/sockets.target.wants",
    "usr/local/share/bash-completion/completions",
    "usr/local/share/bash-completion",
)
_RECORDS = "/var/lib/exotel-ws/calls"
_RECORD_TABLE = re.compile(r"^\[ai\.record\]$(?P<body>(?:\n(?!\[).*)*)", re.MULTILINE)
_RECORD_DIRECTORY = re.compile(r'^directory = "(?P<path>/[^"\\]+)"$', re.MULTILINE)
_LEAST_DEPTH = 3
"""Least parts of a path, including /, for a directory to be removed because the settings name it."""
_HANG_UP_S = 8.0
_KILLED_S = 5.0
_POLL_S = 0.2


class UninstallFailed(Exception):
    """Raised while the host still has a part of the server; the message says which, and why."""


@dataclass(frozen=True)
class Found:
    """Parts of the server found on a host.

    `live` are its units that run and `calls` their live calls (None where one does not say). `paths` is all that is
    removed, and `records` the directories with what was kept of calls. `user` and `group` are there or not.
    """

    live: tuple[str, ...]
    calls: int | None
    paths: tuple[Path, ...]
    records: tuple[Path, ...]
    user: bool
    group: bool

    @property
    def nothing(self) -> bool:
        """Return True if nothing is left but records that are kept."""
        return not (self.live or self.paths or self.user or self.group)


class Uninstall:
    """The server on one host. `root` is another directory than / only in tests, `name` the service's user and group."""

    def __init__(self, systemd: Systemd, root: Path = Path("/"), name: str = "exotel-ws") -> None:
        self._systemd = systemd
        self._root = root
        self._paths = Paths(root)
        self._name = name

    def look(self, with_records: bool) -> Found:
        """Return what there is; records are marked for removal only `with_records`."""
        live = tuple(self._live())
        records = tuple(self._records())
        kept = () if with_records else records
        paths = (*self._of_tree(kept), *(records if with_records else ()))
        return Found(live, self._calls(live), tuple(dict.fromkeys(paths)), records, self._has_user(), self._has_group())

    def remove(self, found: Found, drain_s: float, with_records: bool) -> Iterator[str]:
        """End and remove what was `found`, and yield a line for each thing done. Raises UninstallFailed.

        New calls are refused first. Live ones get `drain_s` seconds to end by themselves, then they are closed.
        """
        yield from self._end(drain_s)
        for path in found.paths:
            if path.is_symlink() or path.exists():
                files.remove(path)
                yield f"removed {path}"
        for parent in _PARENTS:
            with contextlib.suppress(OSError):  # not empty, or not there
                (self._root / parent).rmdir()
        self._systemd.reload()
        with contextlib.suppress(CommandFailed):
            self._systemd.forget_failure([_UNITS])
            self._systemd.begin_stop([_SLICE])
        if not with_records:
            for directory in found.records:
                self._give_to_root(directory)
        yield from self._remove_account()
        left = self.look(with_records)
        if not left.nothing:
            rest = [
                *left.live,
                *map(str, left.paths),
                *(["the user"] if left.user else []),
                *(["the group"] if left.group else []),
            ]
            raise UninstallFailed(f"these are still there: {', '.join(rest)}. Run it again")

    def _of_tree(self, kept: Sequence[Path]) -> Iterator[Path]:
        for name in _TREES:
            yield from self._around(self._root / name, kept)
        for pattern in _GLOBS:
            yield from sorted(self._root.glob(pattern))
        for name in COMMANDS:
            link = self._paths.commands / name
            if link.is_symlink() and str(self._paths.current_release.parent) in os.readlink(link):
                yield link
        completion = self._root / _COMPLETION
        if completion.is_file() and "exotelctl completion" in completion.read_text("utf-8", "replace"):
            yield completion

    def _around(self, path: Path, kept: Sequence[Path]) -> Iterator[Path]:
        """Yield `path`, or, if something `kept` lies in it, everything else in it."""
        if path in kept or not (path.exists() or path.is_symlink()):
            return
        if any(path in other.parents for other in kept):
            for inner in sorted(path.iterdir()):
                yield from self._around(inner, kept)
        else:
            yield path

    def _records(self) -> Iterator[Path]:
        named = {_RECORDS}
        for settings in self._paths.generations.glob("*/settings.toml"):
            for table in _RECORD_TABLE.finditer(settings.read_text("utf-8", "replace")):
                named |= {match["path"] for match in _RECORD_DIRECTORY.finditer(table["body"])}
        for name in sorted(named):
            path = Path(os.path.normpath(name))
            directory = self._root / path.relative_to("/")
            if len(path.parts) >= _LEAST_DEPTH and directory.is_dir() and not directory.is_symlink() and any(directory.iterdir()):
                yield directory

    def _calls(self, live: Sequence[str]) -> int | None:
        counts = [self._calls_of(name) for name in live if name.endswith(".service") and "@" in name]
        return None if None in counts else sum(count or 0 for count in counts)

    def _calls_of(self, name: str) -> int | None:
        instance = name.partition("@")[2][: -len(".service")]
        calls = calls_live(self._paths.admin_socket(instance))
        if calls is None:
            port = self._port()
            with contextlib.suppress(CommandFailed, OSError):
                # It does not answer, but the kernel knows its connections.
                calls = established(self._systemd.main_pid(name), port) if port else None
        return calls

    def _port(self) -> int | None:
        listen = re.search(r"ListenStream=\S*?(\d+)$", files.read(self._paths.units / SOCKET) or "", re.MULTILINE)
        return int(listen[1]) if listen else None

    def _end(self, drain_s: float) -> Iterator[str]:
        live = self._live()
        others = [name for name in live if not _is_worker(name)]
        workers = [name for name in live if _is_worker(name)]
        for name in (name for name in others if name.endswith(".socket") and name not in _JOURNAL):
            self._systemd.switch_socket("stop", name)
            yield f"stopped {name}"
        if workers:
            self._systemd.begin_stop(workers)
            self._wait(workers, drain_s)
            cut = self._still(workers)
            if cut:
                self._systemd.kill(cut, "SIGQUIT")
                self._wait(cut, _HANG_UP_S)
            hanging = self._still(workers)
            if hanging:
                self._systemd.kill(hanging)
                self._wait(hanging, _KILLED_S)
            yield f"ended {', '.join(workers)}" + (f", with calls cut in {len(cut)} of them" if cut else "")
        rest = [name for name in self._live() if not name.endswith(".slice")]
        if rest:
            self._systemd.begin_stop(rest)
            self._wait(rest, _KILLED_S)
        if still := self._still(rest):
            raise UninstallFailed(f"{', '.join(still)} does not end: nothing was removed. Look why: systemctl status '{_UNITS}'")
        enabled = sorted(path.name for path in self._paths.units.glob(f"*.wants/{_UNITS}"))
        if enabled:
            with contextlib.suppress(CommandFailed):  # the links are removed in any case
                self._systemd.disable(enabled)

    def _live(self) -> list[str]:
        return sorted(name for name, state in self._systemd.states(_UNITS, *_JOURNAL).items() if state.live)

    def _still(self, names: Sequence[str]) -> list[str]:
        return [name for name in self._live() if name in names]

    def _wait(self, names: Sequence[str], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._still(names) and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _give_to_root(self, directory: Path) -> None:
        """Give kept records to root alone, because the number of a removed user may be reused."""
        for path in (directory, *directory.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, 0, 0, follow_symlinks=False)
        directory.chmod(0o700)

    def _has_user(self) -> bool:
        with contextlib.suppress(KeyError):
            return bool(pwd.getpwnam(self._name))
        return False

    def _has_group(self) -> bool:
        with contextlib.suppress(KeyError):
            return bool(grp.getgrnam(self._name))
        return False

    def _remove_account(self) -> Iterator[str]:
        try:
            if self._has_user():
                run(["userdel", self._name])
                yield f"removed the user {self._name}"
            if self._has_group():  # userdel keeps the group if login.defs says so
                run(["groupdel", self._name])
                yield f"removed the group {self._name}"
        except CommandFailed as error:
            raise UninstallFailed(str(error)) from None


def _is_worker(name: str) -> bool:
    prefix, suffix = unit("\0").split("\0")
    return name.startswith(prefix) and name.endswith(suffix)


def in_words(found: Found, with_records: bool) -> list[str]:
    """Describe what an uninstall of `found` cuts, removes and keeps, one line each."""
    if found.nothing:
        lines = ["there is nothing of the server on this host"]
    else:
        calls = (
            "an unknown number of live calls (a worker does not answer)" if found.calls is None else f"{found.calls} live calls"
        )
        lines = [f"it cuts {calls}", f"it ends {', '.join(found.live) or 'no unit, for none runs'}"]
        lines.append(f"it removes {', '.join(map(str, found.paths)) or 'no file'}")
        account = " and ".join(word for word, there in (("the user", found.user), ("the group", found.group)) if there)
        lines += [f"it removes {account} exotel-ws"] if account else []
    if found.records:
        where = ", ".join(map(str, found.records))
        lines.append(f"it {'removes' if with_records else 'keeps'} what was recorded of calls: {where}")
    return lines
