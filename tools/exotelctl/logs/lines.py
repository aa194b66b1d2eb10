"""Entries as lines: for people, with time, worker and colour, and as JSON, which can be read back. Pure.

11-25 10:28:30.594 +0530  102807-1c8a7fcd-2  [conn_5369143e563a] 🚀 START EVENT
"""

import dataclasses
import re
from datetime import datetime
from typing import Any, Final

import msgspec
from exotel_phone.captures.records import Time
from exotel_phone.output import json_text
from exotel_phone.text import plural, printable, short_instance
from exotel_ws.mask import masked

from exotelctl.journal import Entry

_LONGEST: Final = 2000
_NUMBERS: Final = re.compile(r"(.*\bFrom: )(.*)( → To: )(.*)", re.DOTALL)
_RED, _YELLOW, _DIM, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_OUR_FIELD: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_JOURNALS_OWN: Final = frozenset({"MESSAGE", "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_TIMESTAMP"})


@dataclasses.dataclass(frozen=True, slots=True)
class Style:
    """Look of lines: with the name of the ``host``, with the ``worker``, in ``colour``, with whole phone ``numbers``."""

    host: bool = False
    worker: bool = False
    colour: bool = False
    numbers: bool = False


def as_text(entry: Entry, style: Style) -> str:
    """Return the line as a person reads it. Whatever a caller put into it stays text; a second line of it is indented."""
    first, *others = _message(entry, style).split("\n")
    columns = [_moment(entry.time)]
    if style.host:
        columns.append(printable(entry.host, 60))
    if style.worker:
        columns.append(printable(short(entry), 40))
    lines = [printable(first, _LONGEST), *(f"    {printable(line, _LONGEST)}" for line in others)]
    return _coloured("  ".join(columns), "\n".join(lines), entry, style)


def _moment(at: float) -> str:
    """Return the time with the offset of this machine's zone, as ``--since`` takes it."""
    local = datetime.fromtimestamp(at).astimezone()
    return f"{local:%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%z}"


def as_json(entry: Entry, style: Style) -> str:
    """Return the line as one JSON object; ``time`` in Unix seconds, ``fields`` those that the program gave it."""
    fields = {name: value for name, value in entry.fields.items() if _OUR_FIELD.fullmatch(name) and name not in _JOURNALS_OWN}
    said = {"kind": "line", "time": entry.time, "host": entry.host, "unit": entry.unit, "priority": entry.priority}
    return json_text({**said, "message": _message(entry, style), "cursor": entry.cursor, "fields": fields})


def from_json(said: dict[str, Any], host: str = "") -> Entry:
    """Return the entry of one such object, as coming from ``host`` if given. Raises KeyError and ValueError."""
    entry, time = msgspec.convert(said, Entry), msgspec.convert(said["time"], Time)
    return dataclasses.replace(entry, time=time, fields={**entry.fields, "_HOSTNAME": host or str(said["host"])})


def beginning(starts: float | None) -> str:
    """Say how far back a journal reaches, with the zone of this machine's clock."""
    if starts is None:
        return "the journal is empty"
    return f"the journal starts at {datetime.fromtimestamp(starts).astimezone():%Y-%m-%d %H:%M:%S %z}"


def short(entry: Entry) -> str:
    """Return the worker, without its generation's date; for another unit that unit."""
    return short_instance(entry.instance) or entry.unit.removesuffix(".service")


def _message(entry: Entry, style: Style) -> str:
    if entry.dropped:
        return f"🕳️ journald suppressed {plural(entry.dropped, 'message')} of {short(entry)}: lines are missing before this one"
    if style.numbers:
        return entry.message
    return _NUMBERS.sub(lambda found: f"{found[1]}{masked(found[2])}{found[3]}{masked(found[4])}", entry.message)


def _coloured(columns: str, message: str, entry: Entry, style: Style) -> str:
    if not style.colour:
        return f"{columns}  {message}"
    colour = _RED if entry.priority <= 3 else _YELLOW if entry.priority == 4 or entry.dropped else ""
    return f"{_DIM}{columns}{_PLAIN}  {colour}{message}{_PLAIN if colour else ''}"
