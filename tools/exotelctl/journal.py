"""The host's journal as entries: what our units wrote, with the fields that the server gives each line.

``journalctl`` is asked for JSON and read line by line, so a long journal is never held in memory.
"""

import contextlib
import dataclasses
import json
import os
import pwd
import subprocess
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from exotel_phone.command import JOURNAL, NAMESPACE
from exotel_phone.exits import Refusal, UsageFault

if TYPE_CHECKING:  # the doctor runs where the server's package is not whole
    from exotel_ws.events import Event

OUR_UNITS: Final = ("exotel-ws@*.service", "exotel-ws.socket")
EDGE_UNIT: Final = "haproxy.service"
OF_EDGE: Final = f"_SYSTEMD_UNIT={EDGE_UNIT}"
"""Match for the lines of the edge, which is in the workers' journal."""
DROPPED: Final = "a596d6fe7bfa4994828e72309e95d61e"
"""MESSAGE_ID of journald's own "Suppressed N messages from UNIT"."""
_USER: Final = "exotel-ws"
_STORES: Final = (Path("/var/log/journal"), Path("/run/log/journal"))
_CLOSE_S: Final = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal.

    ``time`` in Unix seconds, ``priority`` as syslog counts (3 error, 4 warning, 6 info), ``unit`` the systemd unit that wrote
    it or that systemd wrote it of, ``fields`` everything else as it was logged (upper-case names).
    """

    time: float
    message: str
    priority: int
    unit: str
    cursor: str
    fields: Mapping[str, str]

    def said(self, field: str) -> str:
        """Return a field of the line, "" where it has none."""
        return self.fields.get(field, "")

    @property
    def event(self) -> "Event | Literal['']":
        """Return the server's word for what happened, "" for other lines; another release may have other words."""
        return cast("Event", self.fields.get("EVENT", ""))

    @property
    def instance(self) -> str:
        """Return ``<generation>-<n>`` of the worker, "" if no worker wrote the line."""
        return self.unit.partition("@")[2].removesuffix(".service")

    @property
    def host(self) -> str:
        """Return the name of the host that wrote it."""
        return self.fields.get("_HOSTNAME", "")

    @property
    def dropped(self) -> int:
        """Return how many lines of ``unit`` journald dropped just before, by its rate limit; 0 for every other entry."""
        count = self.fields.get("N_DROPPED", "") if self.fields.get("MESSAGE_ID") == DROPPED else ""
        return int(count) if count.isdecimal() else 0

    @property
    def origin(self) -> str:
        """Return the entry's name, the same in every copy: the cursor from the boot on, without the file it was read from."""
        return self.cursor[max(0, self.cursor.find("b=")) :]


def of_event(event: "Event") -> str:
    """Return the match for the lines of ``event``."""
    return f"EVENT={event}"


def read(
    *,
    units: Sequence[str] = OUR_UNITS,
    matches: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    lines: int | None = None,
    priority: int | None = None,
    follow: bool = False,
    only: Sequence[str] = (),
    anybody: bool = False,
) -> Generator[Entry, None, None]:
    """Read the entries of ``units`` that root or a worker wrote, oldest first; only the newest ``lines``, if given.

    ``matches`` are journal matches such as ``CALL_SID=…``: of those for one field any must hold, for several fields each, and
    ``+`` stands between alternatives. They are found by index, whatever the journal's size. Without ``units`` it is those of all
    units; with ``anybody`` of all users. ``since`` and ``until`` are what ``journalctl`` takes: ``-1h``, ``2026-11-25 10:00``,
    ``@1764060000``. ``priority`` 4 leaves out what is less than a warning. With ``follow`` it goes on as entries are written,
    until the iterator is closed.
    ``only`` names the fields that are needed, where many entries are to be read fast. Raises Refusal where there is no journal,
    or it may not be read; UsageFault for a time that is none.
    """
    _require_readable()
    asked = list(matches) if anybody else trusted(matches)
    command = [*JOURNAL, "--output=json", "--all", "--quiet", "--no-pager", *(f"--unit={unit}" for unit in units)]
    for option, value in (("since", since), ("until", until), ("lines", lines), ("priority", priority)):
        if value is not None:
            command.append(f"--{option}={value}")
    if follow:
        command += ["--follow", *(["--no-tail"] if lines is None else [])]
    if only:
        command.append(f"--output-fields={','.join(only)}")
    if since is None or lines is None or follow:
        yield from _entries([*command, *asked])
        return
    # Up to systemd 252 at least, --since with --lines gives the first so many after that time.
    yield from reversed(list(_entries([*command, "--reverse", *asked])))


def trusted(matches: Sequence[str]) -> list[str]:
    """Return ``matches`` narrowed to entries of root and of the workers' user: any local user may log with our field names.

    journald itself fills `_UID` in, and the unit: what HAProxy writes as another user is its own all the same. ``+`` between
    alternatives is kept; each of them is narrowed.
    """
    own = [f"_UID={uid}" for uid in (0, *_workers_uid())]
    narrowed: list[str] = []
    alternative: list[str] = []
    for match in [*matches, "+"]:
        alternative.append(match)
        if match == "+":
            narrowed += alternative if OF_EDGE in alternative else [*alternative[:-1], *own, match]
            alternative = []
    return narrowed[:-1]


def _workers_uid() -> tuple[int, ...]:
    try:
        return (pwd.getpwnam(_USER).pw_uid,)
    except KeyError:
        return ()


def starts() -> float | None:
    """Return the time of this host's oldest entry in Unix seconds; None for an empty journal. Raises Refusal.

    Where workers have a journal of their own it is that one, or the host's if it has older lines of workers: those of a
    release from before they had one.
    """
    _require_readable()
    own = _first(f"--namespace={NAMESPACE}")
    if own is None:
        return _first()
    older = _first("SYSLOG_IDENTIFIER=exotel-ws")
    return own if older is None else min(own, older)


def _first(*options: str) -> float | None:
    command = ["journalctl", "--output=json", "--output-fields=MESSAGE", "--quiet", "--no-pager", *options]
    with contextlib.closing(_entries(command)) as entries:
        return next((entry.time for entry in entries), None)


def _require_readable(stores: Iterable[Path] = _STORES) -> None:
    """Raise Refusal without a journal that may be read: journalctl would show the user's own lines as if they were all."""
    journals = [file for store in stores for file in store.glob("*/system.journal")]
    if not journals:
        gone = "on a host of the server journald stores none, or its files were deleted: systemctl status systemd-journald"
        typed = "type it on a host of the server, with sudo in front"
        raise Refusal(f"there is no system journal here: {gone if os.geteuid() == 0 else typed}")
    if not any(os.access(file, os.R_OK) for file in journals):
        cure = "" if os.geteuid() == 0 else ": put sudo in front of the command"
        raise Refusal(f"the system's journal may be read by root and the group systemd-journal{cure}")


def _entries(command: Sequence[str]) -> Generator[Entry, None, None]:
    try:
        asked = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise Refusal(
            f"the journal cannot be read here: {command[0]}: {error.strerror}; type it on a host of the server"
        ) from None
    assert asked.stdout
    assert asked.stderr
    try:
        for line in asked.stdout:
            yield parse(line)
        said = asked.stderr.read().decode(errors="replace").strip()
        if asked.wait(_CLOSE_S) != 0:
            if "parse timestamp" in said:
                raise UsageFault(f"{said}. A time is such as -1h, today, '2026-11-25 10:00 +0530' or @1764060000")
            sudo = "" if os.geteuid() == 0 else "; try sudo"
            raise Refusal(f"the journal cannot be read: {said or f'{command[0]} exit code {asked.returncode}'}{sudo}")
    finally:
        asked.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            asked.wait(_CLOSE_S)
        asked.stdout.close()
        asked.stderr.close()


def parse(line: bytes) -> Entry:
    """Read one line of ``journalctl --output=json``. A field that is no UTF-8 comes as a list of bytes, one given twice too."""
    raw = {name: _text(value) for name, value in json.loads(line).items()}
    return Entry(
        time=int(raw.get("__REALTIME_TIMESTAMP", "0")) / 1e6,
        message=raw.get("MESSAGE", ""),
        priority=int(priority) if (priority := raw.get("PRIORITY", "")).isdecimal() else 6,
        unit=raw.get("UNIT") or raw.get("OBJECT_SYSTEMD_UNIT") or raw.get("_SYSTEMD_UNIT", ""),
        cursor=raw.get("__CURSOR", ""),
        fields=raw,
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        if all(isinstance(item, int) for item in value):
            return bytes(value).decode(errors="replace")
        return _text(value[-1])
    return "" if value is None else str(value)
