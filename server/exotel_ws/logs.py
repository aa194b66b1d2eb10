"""Logs: the guide's lines on a terminal, structured fields in the journal, JSON lines elsewhere if asked.

A record may carry fields of its own in ``extra={"fields": {...}}``; under systemd ``journalctl CALL_SID=…`` then shows one call.
"""

import json
import logging
import os
import re
import socket
import struct
import sys
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from exotel_ws.events import Event
from exotel_ws.settings import Log, LogFormat

if TYPE_CHECKING:
    from exotel_ws.admission.bounds import Ticket
    from exotel_ws.admission.log_budget import LogBudget

JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
_PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_MOST_LINES: Final = 10_000
"""Lines a connection: an hour's call has some thousand, a client that floods us with events has no end."""
_MOST_HELD: Final = 40
"""Lines held for one connection until it proves to be a call; a phone causes some 20 in the two seconds that this takes."""
_OUTLINE: Final = ("start", "close")
"""Events that say that a call began and how it ended."""
MOST_NAMED: Final = 10
"""Most calls that are named when lines of calls were lost."""
_SEND_BUFFER: Final = 8 * 1024 * 1024
"""Bytes of socket buffer requested, as systemd's own library does; the kernel grants at most net.core.wmem_max."""
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2066-\u2069]")

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode
"""Made once: `json.dumps` makes an encoder a call, which takes as long as to encode a line."""


def printable(text: str, most: int = 200) -> str:
    """Return a stranger's text made safe for a terminal: control and direction marks escaped, at most ``most`` characters."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), cut)


def fields_of(record: logging.LogRecord) -> Mapping[str, str]:
    """Return the record's own fields, e.g. ``{"CONN_ID": "conn_…", "EVENT": "start"}``; empty if it has none."""
    fields: Mapping[str, str] = getattr(record, "fields", {})
    return fields


class Lost(NamedTuple):
    """Records that could not be written, and the call sids of some of them."""

    records: int
    calls: frozenset[str]


class JournalHandler(logging.Handler):
    """Sends records to journald by its native protocol (systemd's "Native Journal Protocol" document).

    A journal that is gone or full never blocks or fails a call: the record is dropped, and counted (`take_lost`).
    """

    def __init__(self, path: str = JOURNAL_SOCKET, identifier: str = "exotel-ws") -> None:
        """``identifier`` is what ``journalctl -t`` finds the lines by."""
        super().__init__()
        self._path = path
        self._identifier = identifier
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._lost = 0
        self._lost_calls: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        entry = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(_PRIORITIES.get(record.levelno, 6)),
            "SYSLOG_IDENTIFIER": self._identifier,
            "LOGGER": record.name,
            **fields_of(record),
        }
        try:
            self._socket.sendto(b"".join(map(_journal_field, entry, entry.values())), self._path)
        except OSError:
            self._lost += 1
            if len(self._lost_calls) < MOST_NAMED and (call_sid := entry.get("CALL_SID")):
                self._lost_calls.add(call_sid)

    def take_lost(self) -> "Lost":
        """Return the records that the journal has not taken since the last call."""
        lost, self._lost = Lost(self._lost, frozenset(self._lost_calls)), 0
        self._lost_calls.clear()
        return lost

    def close(self) -> None:
        self._socket.close()
        super().close()


def _journal_field(name: str, value: str) -> bytes:
    data = value.encode(errors="replace")
    if b"\n" in data:
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (Unix seconds), level, message, and the record's fields in lower case."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {"time": round(record.created, 3), "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        entry |= {name.lower(): value for name, value in fields_of(record).items()}
        return _encode(entry)


def configure(log: Log, identifier: str = "exotel-ws") -> None:
    """Route everything that is logged. ``auto`` means the journal if standard error is the journal's, else the terminal form.

    ``identifier``: see `JournalHandler`.
    """
    kind: LogFormat = log.format
    if kind == "auto":
        kind = "journal" if _stderr_is_journal() else "terminal"
    handler: logging.Handler = JournalHandler(identifier=identifier) if kind == "journal" else logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else logging.Formatter("%(message)s"))
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)
    # Connects and disconnects are logged once, by this package, with the call's ids.
    for engine in ("websockets", "picows"):
        logging.getLogger(engine).setLevel(max(logging.WARNING, logging.getLogger().level))
    # An operator reads none of these, and collecting them costs on every record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = logging.logAsyncioTasks = False  # type: ignore[attr-defined]


def _stderr_is_journal() -> bool:
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def take_lost() -> Lost:
    """Return the records that the journal lost since the last call; none where the log goes elsewhere."""
    losses = [handler.take_lost() for handler in logging.getLogger().handlers if isinstance(handler, JournalHandler)]
    return Lost(sum(loss.records for loss in losses), frozenset().union(*(loss.calls for loss in losses)))


class Verdict(Enum):
    """Verdict on a log line."""

    WRITE = "write"
    HOLD = "hold"
    """Keep it until the connection has proven to be a call."""
    LEAVE_OUT = "leave out"


class _Line(NamedTuple):
    text: str
    level: int
    fields: dict[str, str]


class CallLog:
    """Logs the events of one connection, with its ids as fields and in front of each line.

    With a ``budget``, lines beyond what ``ticket`` may write are held back until the connection proves to be a call, or left
    out and counted, see `exotel_ws.admission.log_budget`.
    """

    def __init__(self, conn_id: str, budget: "LogBudget | None" = None, ticket: "Ticket | None" = None) -> None:
        self._logger = logging.getLogger("exotel_ws.call")
        self._prefix = f"[{conn_id}] "
        self.conn_id = conn_id
        self.left_out = 0
        """Lines of this connection that were not written."""
        self._ids = {"CONN_ID": conn_id} | ({"OURS": "1"} if ticket is not None and ticket.ours else {})
        self._lines = 0
        self._budget = budget if ticket is not None else None
        self._ticket = ticket
        self._own = budget.call() if budget else None
        self._held: deque[_Line] = deque()

    def identify(self, *, call_sid: str, stream_sid: str) -> None:
        """Add the ids of the call and the stream to every line from now on."""
        self._ids |= {"CALL_SID": printable(call_sid), "STREAM_SID": printable(stream_sid)}

    @property
    def verbose(self) -> bool:
        """Return True if the level is debug: only then may a line hold what people say."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def __call__(self, text: str, event: Event, level: int = logging.INFO, **fields: object) -> None:
        """Log ``text``; ``fields`` are further journal fields, by their upper-case names."""
        if not self._logger.isEnabledFor(level):
            return
        self._lines += 1
        sums_up = event in ("close", "summary")
        if self._lines >= _MOST_LINES and not sums_up:
            if self._lines > _MOST_LINES:
                self._leave_out("log_call")
                return
            text, level = f"🔇 {_MOST_LINES} lines: this connection is not logged any further", logging.WARNING
        line = _Line(text, level, {**self._ids, "EVENT": event, **_texts(fields)})
        if self._budget is None or self._ticket is None or self._own is None:
            self._write(line)
        elif self._ticket.proven:
            self._write_held()
            if sums_up or self._budget.judge(self._ticket, self._own) is Verdict.WRITE:
                self._write(line)
            else:
                self.left_out += 1
        else:
            self._held.append(line)
            # In their order: a line waits for those before it. The source may have become trusted meanwhile.
            while self._held and self._budget.judge(self._ticket, self._own) is Verdict.WRITE:
                self._write(self._held.popleft())
            if len(self._held) > _MOST_HELD:
                del self._held[-2 if sums_up else -1]
                self._leave_out("log_stranger")

    def warning(self, text: str, event: Event, **fields: object) -> None:
        """Log ``text`` as a warning: an operator should see it."""
        self(text, event, logging.WARNING, **fields)

    def exception(self, text: str) -> None:
        """Log a fault of the server that ends this call, with its traceback."""
        self._logger.exception("%s%s", self._prefix, text, extra={"fields": {**self._ids, "EVENT": "failed"}})

    def over(self) -> None:
        """Write a call's start and end from the lines still held, and drop and count the others. Idempotent.

        Call it once the connection has ended.
        """
        if self._budget is None or self._ticket is None:
            return
        started = "STREAM_SID" in self._ids
        for line in self._held:
            if started and line.fields["EVENT"] in _OUTLINE and self._budget.outline(self._ticket):
                self._write(line)
            else:
                self._leave_out("log_stranger")
        self._held.clear()

    def _write_held(self) -> None:
        while self._held:
            self._write(self._held.popleft())

    def _leave_out(self, bound: str, lines: int = 1) -> None:
        self.left_out += lines
        if self._budget is not None:
            self._budget.leave_out(bound, lines)

    def _write(self, line: _Line) -> None:
        # Made here, because Logger.log also looks for the calling line, and checks the fields against a record's own.
        record = logging.LogRecord(self._logger.name, line.level, "", 0, self._prefix + line.text, None, None)
        record.fields = line.fields
        self._logger.handle(record)


def _texts(fields: Mapping[str, object]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in fields.items()}
