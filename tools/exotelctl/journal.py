"""The host's journal as entries: what our units wrote, with the fields that the server gives each line.

``journalctl`` is asked for JSON and read line by line, so a long journal is never held in memory.
"""

import contextlib
import dataclasses
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from exotelctl.exits import Refusal

OUR_UNITS: Final = ("exotel-ws@*.service", "exotel-ws.socket")
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

    @property
    def event(self) -> str:
        """The server's word for what happened (``start``, ``refused``, ``close`` …), "" for other lines."""
        return self.fields.get("EVENT", "")

    @property
    def instance(self) -> str:
        """``<generation>-<n>`` of the worker, "" where no worker wrote the line."""
        return self.unit.partition("@")[2].removesuffix(".service")


def read(
    *,
    units: Sequence[str] = OUR_UNITS,
    matches: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    lines: int | None = None,
    priority: int | None = None,
    follow: bool = False,
) -> Iterator[Entry]:
    """The entries of ``units``, oldest first; with ``lines`` the newest so many.

    ``matches`` are journal matches such as ``CALL_SID=…``, all of which must hold; they are found by index, whatever the
    journal's size. Given any, ``units`` may be empty. ``since`` and ``until`` are what ``journalctl`` takes: ``-1h``,
    ``2026-11-25 10:00``, ``@1764060000``. ``priority`` 4 leaves out what is less than a warning. With ``follow`` it goes on as
    entries are written, until the iterator is closed. Raises Refusal where there is no journal, or it may not be read.
    """
    command = ["journalctl", "--output=json", "--all", "--quiet", "--no-pager", *(f"--unit={unit}" for unit in units)]
    for option, value in (("since", since), ("until", until), ("lines", lines), ("priority", priority)):
        if value is not None:
            command.append(f"--{option}={value}")
    if follow:
        command.append("--follow")
    yield from _entries([*command, *matches])


def _entries(command: Sequence[str]) -> Iterator[Entry]:
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
            raise Refusal(f"the journal cannot be read: {said or f'{command[0]} exit code {asked.returncode}'}; try sudo")
    finally:
        asked.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            asked.wait(_CLOSE_S)
        asked.stdout.close()
        asked.stderr.close()


def parse(line: bytes) -> Entry:
    """One line of ``journalctl --output=json``. A field that is no UTF-8 comes as a list of bytes, one given twice as a list."""
    raw = {name: _text(value) for name, value in json.loads(line).items()}
    return Entry(
        time=int(raw.get("__REALTIME_TIMESTAMP", "0")) / 1e6,
        message=raw.get("MESSAGE", ""),
        priority=int(raw.get("PRIORITY", "6")),
        unit=raw.get("UNIT") or raw.get("_SYSTEMD_UNIT", ""),
        cursor=raw.get("__CURSOR", ""),
        fields=raw,
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        if all(isinstance(item, int) for item in value):
            return bytes(value).decode(errors="replace")
        return _text(value[-1])
    return "" if value is None else str(value)
