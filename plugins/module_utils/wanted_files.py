"""Compare directories and files with what is wanted of them, and make them so."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import files
from .systemd import run

_VALIDATED_IN_S = 60.0


class NotWanted(Exception):
    """Raised when a path cannot be made what is wanted; the message says why."""


@dataclass(frozen=True)
class State:
    """State of a path: ``directory``, ``file``, ``link``, ``other`` or ``absent``; `text` is that of a file."""

    kind: str
    mode: int = 0
    owner: tuple[int, int] = (0, 0)
    text: str = ""


@dataclass(frozen=True)
class Wanted:
    """Wanted state of a path, which belongs to who runs this. The file of a `secret` is never shown.

    `validate` is a program that must accept a new file, whose name is added, before it takes the place of the old one.
    """

    path: Path
    kind: str
    mode: int = 0
    text: str = ""
    secret: bool = False
    validate: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """Return the state that is wanted."""
        if self.kind == "absent":
            return State("absent")
        return State(self.kind, self.mode, (os.geteuid(), os.getegid()), self.text)


@dataclass(frozen=True)
class Difference:
    """Difference of a path from what is wanted."""

    wanted: Wanted
    found: State

    def shown(self) -> dict[str, str]:
        """Return the states as Ansible shows a difference: the texts if these differ, else owner and mode."""
        before, after = self.found, self.wanted.state
        if "file" in (before.kind, after.kind) and before.text != after.text:
            texts = ("", "") if self.wanted.secret else (before.text, after.text)
        else:
            texts = (_described(before), _described(after))
        path = str(self.wanted.path)
        return {"before_header": path, "before": texts[0], "after_header": path, "after": texts[1]}

    def settle(self) -> None:
        """Make the path what is wanted. Raises NotWanted and OSError."""
        path, wanted, found = self.wanted.path, self.wanted, self.found
        if wanted.kind == "absent":
            files.remove(path)
        elif found.kind not in ("absent", wanted.kind, *(["link"] if wanted.kind == "file" else [])):
            raise NotWanted(f"{path} is a {found.kind}, and a {wanted.kind} is to be there: look what it is, and move it away")
        elif wanted.kind == "file" and (found.kind, found.text) != ("file", wanted.text):
            files.write(path, wanted.text, wanted.mode, self._validate if wanted.validate else None)
        else:
            if found.kind == "absent":
                path.mkdir(mode=0o700, parents=True)
            os.chown(path, *wanted.state.owner)
            path.chmod(wanted.mode)

    def _validate(self, unfinished: Path) -> None:
        run([*self.wanted.validate, str(unfinished)], timeout_s=_VALIDATED_IN_S)


def differences(wanted: Sequence[Wanted]) -> Iterator[Difference]:
    """Yield what differs. A path is looked at when its turn has come: the one before may be its directory."""
    for one in wanted:
        found = look(one.path, follow=one.kind == "directory")
        if found != one.state:
            yield Difference(one, found)


def look(path: Path, *, follow: bool = False) -> State:
    """Return the state of a path, or of what it links to. Raises OSError."""
    try:
        seen = path.stat() if follow else path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return State("absent")
    mode, owner = stat.S_IMODE(seen.st_mode), (seen.st_uid, seen.st_gid)
    if stat.S_ISREG(seen.st_mode):
        return State("file", mode, owner, path.read_text("utf-8", errors="replace"))
    kinds = {stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    return State(kinds.get(stat.S_IFMT(seen.st_mode), "other"), mode, owner)


def _described(state: State) -> str:
    if state.kind in ("absent", "link", "other"):
        return f"{state.kind}\n"
    return f"{state.kind}, {_name(state.owner)}, mode {state.mode:04o}\n"


def _name(owner: tuple[int, int]) -> str:
    try:
        return f"{pwd.getpwuid(owner[0]).pw_name}:{grp.getgrgid(owner[1]).gr_name}"
    except KeyError:
        return f"{owner[0]}:{owner[1]}"
