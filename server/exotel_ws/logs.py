"""Logs: the guide's lines on a terminal, structured fields in the journal, JSON lines elsewhere if asked.

A record may carry fields of its own in ``extra={"fields": {...}}``; under systemd ``journalctl CALL_SID=…`` then shows one call.
"""

import contextlib
import json
import logging
import os
import re
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Final

from exotel_ws.settings import Log, LogFormat

JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
_PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_MOST_LINES: Final = 10_000
"""Lines a connection: an hour's call has some thousand, a client that floods us with events has no end."""
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str, most: int = 200) -> str:
    """Text of a stranger, safe on a terminal: control characters and direction marks as escapes, at most ``most`` characters."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), cut)


def fields_of(record: logging.LogRecord) -> Mapping[str, str]:
    """The record's own fields, e.g. ``{"CONN_ID": "conn_…", "EVENT": "start"}``; empty if it has none."""
    fields: Mapping[str, str] = getattr(record, "fields", {})
    return fields


class JournalHandler(logging.Handler):
    """Sends records to journald by its native protocol (systemd's "Native Journal Protocol" document).

    A journal that is gone or full never blocks or fails a call: the record is dropped.
    """

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        super().__init__()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        entry = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(_PRIORITIES.get(record.levelno, 6)),
            "SYSLOG_IDENTIFIER": "exotel-ws",
            "LOGGER": record.name,
            **fields_of(record),
        }
        with contextlib.suppress(OSError):
            self._socket.sendto(b"".join(map(_journal_field, entry, entry.values())), self._path)

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
        return json.dumps(entry, ensure_ascii=False)


def configure(log: Log) -> None:
    """Route everything that is logged. ``auto`` is the journal where standard error is the journal's, else the terminal form."""
    kind: LogFormat = log.format
    if kind == "auto":
        kind = "journal" if _stderr_is_journal() else "terminal"
    handler: logging.Handler = JournalHandler() if kind == "journal" else logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else logging.Formatter("%(message)s"))
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)
    # Who connects and who leaves is logged once, by us, with the call's ids.
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


class CallLog:
    """Logs the events of one connection, with its ids as fields and in front of each line."""

    def __init__(self, conn_id: str) -> None:
        self._logger = logging.getLogger("exotel_ws.call")
        self._prefix = f"[{conn_id}] "
        self.conn_id = conn_id
        self._ids = {"CONN_ID": conn_id}
        self._lines = 0

    def identify(self, *, call_sid: str, stream_sid: str) -> None:
        """From now on every line carries the call's and the stream's id."""
        self._ids |= {"CALL_SID": printable(call_sid), "STREAM_SID": printable(stream_sid)}

    @property
    def verbose(self) -> bool:
        """Whether everything is asked for: else what people say is not to be written."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def __call__(self, text: str, event: str, level: int = logging.INFO, **fields: object) -> None:
        """Log ``text``; ``fields`` are further journal fields, by their upper-case names."""
        self._lines += 1
        if self._lines >= _MOST_LINES and event not in ("close", "summary"):  # these sum the call up
            if self._lines > _MOST_LINES:
                return
            text, level = f"🔇 {_MOST_LINES} lines: this connection is not logged any further", logging.WARNING
        self._logger.log(level, "%s%s", self._prefix, text, extra={"fields": {**self._ids, "EVENT": event, **_texts(fields)}})

    def warning(self, text: str, event: str, **fields: object) -> None:
        """Something an operator should see."""
        self(text, event, logging.WARNING, **fields)

    def exception(self, text: str) -> None:
        """A fault of ours that ends this call, with its traceback; always written."""
        self._logger.exception("%s%s", self._prefix, text, extra={"fields": {**self._ids, "EVENT": "failed"}})


def _texts(fields: Mapping[str, object]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in fields.items()}
