"""Read the calls of the window from the journal: a record a connection, every refusal, lines that were lost."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exotel_phone.exits import Refusal
from exotel_phone.wire import Ids

from exotelctl import journal
from exotelctl.doctor.facts import shell
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.facts.units import Line
from exotelctl.doctor.mask import masked, masked_text
from exotelctl.journal import Entry

if TYPE_CHECKING:
    from exotel_ws.events import Event, Field

_EVENTS: Final["tuple[Event, ...]"] = ("open", "start", "fault", "provider_error", "refused", "bound", "close", "ended_report")
# fmt: off
_FIELDS: Final["tuple[Field, ...]"] = (
    "EVENT", "CONN_ID", "CALL_SID", "REMOTE", "RATE", "RATE_ASKED", "KIND", "REASON", "DETAIL", "RAISED_BY", "LEFT_OUT", "SUM",
    "OURS", "OUTCOME", "ENDED", "CODE", "DURATION_MS", "FRAMES_IN", "FRAMES_OUT",
)
# fmt: on
_FROM_ELSEWHERE: Final = ("MESSAGE", "_NAMESPACE")
_FROM_TO: Final = re.compile(r"From: (.*?) → To: (.*)$")
_IDS: Final = Ids.new()
_NUMBERS: Final = ((_IDS.from_, _IDS.to), (masked(_IDS.from_), masked(_IDS.to)))
_MOST_ENTRIES: Final = 20_000
_MOST_ERRORS: Final = 100
_MOST_FAILURES: Final = 3
_FAILURE_LENGTH: Final = 300
RETIRED: Final = "retired"
"""DETAIL of a refusal for a key that was taken once: it is told by itself, whatever the reason of the refusal."""
AUDIT: Final = Path("/var/lib/exotel-ws/audit.jsonl")


@dataclass(slots=True)
class Conn:
    """One connection. ``own``: a simulated call of this tool, which says nothing about Exotel.

    ``ended`` is the server's word, "" while it is open. ``rate_asked`` is "" where the URL and the parameters asked for none.
    ``failures`` is what the server says of providers that failed the call, in AI mode.
    """

    id: str
    at: float
    remote: str = ""
    call_sid: str = ""
    started: bool = False
    own: bool = False
    rate: str = ""
    rate_asked: str = ""
    faults: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    ended: str = ""
    code: int = 0
    duration_ms: int = 0
    frames_in: int = 0
    frames_out: int = 0

    @property
    def closed(self) -> bool:
        """Return True if it is over."""
        return bool(self.ended)


@dataclass(frozen=True, slots=True)
class Refused:
    """A handshake or a start that was turned away; ``conn_id`` is "" where no WebSocket was opened."""

    at: float
    reason: str
    detail: str = ""
    remote: str = ""
    conn_id: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """Bound on what one source may use, which bit ``count`` times; ``raised_by`` is the setting that raises it."""

    at: float
    name: str
    remote: str = ""
    count: int = 1
    raised_by: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """A try to report an ended call to ``ai.ended_url``: ``outcome`` is ``sent``, ``failed``, ``dropped`` or ``spool``."""

    at: float
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Calls:
    """``begins`` is where the window begins, ``first_entry`` the journal's oldest entry, ``first_deploy`` what the audit tells.

    ``truncated``: the window has more than the newest twenty thousand entries, which are all that is judged.
    ``last_arrival`` is the newest connection from outside, in the window or before it.
    """

    begins: float
    connections: tuple[Conn, ...]
    refusals: tuple[Refused, ...]
    errors: tuple[Line, ...]
    suppressed: tuple[str, ...] = ()
    first_entry: float | None = None
    first_deploy: float | None = None
    last_arrival: float | None = None
    truncated: bool = False
    bounds: tuple[Bound, ...] = ()
    reports: tuple[Reported, ...] = ()

    @property
    def outside(self) -> tuple[Conn, ...]:
        """Return the connections that are not this tool's own."""
        return tuple(conn for conn in self.connections if not conn.own)

    @property
    def started(self) -> tuple[Conn, ...]:
        """Return the connections that became calls."""
        return tuple(conn for conn in self.outside if conn.started)

    def refused(self, reason: str, detail: str = "") -> tuple[Refused, ...]:
        """Return the refusals for ``reason``, and ``detail`` if given."""
        return tuple(item for item in self.refusals if item.reason == reason and detail in ("", item.detail))


def look(since: float, audit: Path = AUDIT) -> Calls:
    """Read the window. Raises NotSeen where the journal may not be read."""
    begins, wanted = f"@{since:.6f}", (*_FROM_ELSEWHERE, *_FIELDS)
    try:
        asked = [*map(journal.of_event, _EVENTS)]
        entries = list(journal.read(matches=asked, since=begins, lines=_MOST_ENTRIES, only=wanted))
        connections = connect(entries)
        return Calls(
            begins=since,
            connections=connections,
            refusals=tuple(_refused(entry) for entry in entries if entry.event == "refused" and entry.said("OURS") != "1"),
            errors=tuple(_errors(begins)),
            suppressed=tuple(_suppressed(begins)),
            first_entry=journal.starts(),
            first_deploy=_first_deploy(audit),
            last_arrival=_last_arrival(connections),
            truncated=len(entries) == _MOST_ENTRIES,
            bounds=tuple(_bound(entry) for entry in entries if entry.event == "bound"),
            reports=tuple(_reported(entry) for entry in entries if entry.event == "ended_report"),
        )
    except Refusal as refused:
        raise NotSeen(str(refused), needs=shell.root()) from None


def connect(entries: Iterable[Entry]) -> tuple[Conn, ...]:
    """Return the connections that ``entries`` tell of, by the time of their first one."""
    found: dict[str, Conn] = {}
    for entry in entries:
        if name := entry.said("CONN_ID"):
            _note(found.setdefault(name, Conn(name, entry.time)), entry)
    return tuple(found.values())


def _note(conn: Conn, entry: Entry) -> None:
    conn.remote = entry.said("REMOTE") or conn.remote
    conn.call_sid = entry.said("CALL_SID") or conn.call_sid
    conn.own = conn.own or entry.said("OURS") == "1" or _before_marks(entry)
    if entry.event == "start" and "RATE" in entry.fields:
        conn.started = True
        conn.rate, conn.rate_asked = entry.said("RATE"), entry.said("RATE_ASKED")
    elif entry.event == "fault":
        conn.faults = (*conn.faults, entry.said("KIND"))
    elif entry.event == "provider_error":
        conn.failures = (*conn.failures, masked_text(entry.message[:_FAILURE_LENGTH]))[-_MOST_FAILURES:]
    elif entry.event == "close":
        conn.ended = entry.said("ENDED")
        conn.started = conn.started or conn.ended not in ("", "no_start")
        conn.code, conn.duration_ms = _number(entry.said("CODE")), _number(entry.said("DURATION_MS"))
        conn.frames_in, conn.frames_out = _number(entry.said("FRAMES_IN")), _number(entry.said("FRAMES_OUT"))


def _before_marks(entry: Entry) -> bool:
    """Return True for a simulated call of a release without marks, recognised by the numbers that such a release logs.

    Those releases write to the host's journal. In the workers' own journal numbers prove nothing: a stranger may send any.
    """
    numbers = None if entry.said("_NAMESPACE") else _FROM_TO.search(entry.message)
    return entry.event == "start" and numbers is not None and numbers.groups() in _NUMBERS


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _refused(entry: Entry) -> Refused:
    return Refused(entry.time, entry.said("REASON"), entry.said("DETAIL"), entry.said("REMOTE"), entry.said("CONN_ID"))


def _reported(entry: Entry) -> Reported:
    return Reported(entry.time, entry.said("OUTCOME"), masked_text(entry.said("REASON")[:_FAILURE_LENGTH]))


def _bound(entry: Entry) -> Bound:
    """Read a line about a bound. A summary (SUM) counts the events it left out; any other line counts itself as well."""
    count = _number(entry.said("LEFT_OUT")) + ("SUM" not in entry.fields)
    return Bound(entry.time, entry.said("REASON"), entry.said("REMOTE"), count, entry.said("RAISED_BY"))


def _errors(begins: str) -> list[Line]:
    """Return the server's own errors; the facts of units have what systemd says."""
    entries = journal.read(matches=["SYSLOG_IDENTIFIER=exotel-ws"], since=begins, lines=_MOST_ERRORS, priority=3)
    return [Line(entry.time, entry.unit, masked_text(entry.message[-500:])) for entry in entries]


def _suppressed(begins: str) -> list[str]:
    entries = journal.read(units=(), matches=[f"MESSAGE_ID={journal.DROPPED}"], since=begins, lines=_MOST_ERRORS)
    return [entry.message[:200] for entry in entries if "exotel-ws" in entry.message]


def _first_deploy(audit: Path) -> float | None:
    """Return the time of the first deploy to this host; no older journal is expected."""
    try:
        with audit.open(encoding="utf-8") as lines:
            return datetime.fromisoformat(json.loads(next(lines))["time"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _last_arrival(connections: Iterable[Conn]) -> float | None:
    """Return the newest arrival of the window, else of the journal's last few starts."""
    arrived = [conn.at for conn in connections if not conn.own]
    if arrived:
        return max(arrived)
    older = connect(journal.read(matches=[journal.of_event("open"), journal.of_event("start")], lines=500))
    return max((conn.at for conn in older if not conn.own), default=None)
