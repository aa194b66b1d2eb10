"""Log records: into the journal, as JSON lines, and safe for a terminal."""

import contextlib
import json
import logging
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from exotel_ws.logs import CallLog, JournalHandler, JsonFormatter, fields_of, printable


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain +91 (0) ü 漢 🎵", "plain +91 (0) ü 漢 🎵"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("line\r\nbreak\ttab\0nul\x7fdel", "line\\r\\nbreak\\ttab\\x00nul\\x7fdel"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("\u202egnp\u2066\u200f", "\\u202egnp\\u2066\\u200f"),
        ("\u2028\u2029", "\\u2028\\u2029"),
    ],
)
def test_printable(text: str, safe: str) -> None:
    assert printable(text) == safe


def test_printable_is_short() -> None:
    assert printable("x" * 1000, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10


def record(message: str = "hello", level: int = logging.INFO, **fields: str) -> logging.LogRecord:
    made = logging.LogRecord("exotel_ws.call", level, __file__, 1, message, None, None)
    made.fields = fields
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[tuple[socket.socket, JournalHandler]]:
    """Yield a socket like journald's, and a handler that writes to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        listener.settimeout(2)
        handler = JournalHandler(str(tmp_path / "journal"))
        yield listener, handler
        handler.close()


def entry(data: bytes) -> dict[str, str]:
    """Parse journald's native protocol: ``NAME=value`` lines, and values with line breaks by their length."""
    fields = {}
    while data:
        head, _, rest = data.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if equals:
            data = rest
        else:
            (size,) = struct.unpack("<Q", rest[:8])
            value, data = rest[8 : 8 + size], rest[8 + size :]
            assert data.startswith(b"\n")
            data = data[1:]
        fields[name.decode()] = value.decode()
    return fields


def test_journal_entry(journal: tuple[socket.socket, JournalHandler]) -> None:
    listener, handler = journal
    handler.emit(record("🚀 START EVENT", CALL_SID="call", STREAM_SID="stream", CONN_ID="conn_1", EVENT="start"))
    assert entry(listener.recv(65536)) == {
        "MESSAGE": "🚀 START EVENT",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "exotel-ws",
        "LOGGER": "exotel_ws.call",
        "CALL_SID": "call",
        "STREAM_SID": "stream",
        "CONN_ID": "conn_1",
        "EVENT": "start",
    }


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.DEBUG, "7"), (logging.INFO, "6"), (logging.WARNING, "4"), (logging.ERROR, "3"), (25, "6")]
)
def test_journal_priority(journal: tuple[socket.socket, JournalHandler], level: int, priority: str) -> None:
    listener, handler = journal
    handler.emit(record(level=level))
    assert entry(listener.recv(65536))["PRIORITY"] == priority


@pytest.mark.parametrize("value", ["two\nlines", "\n", "a\nPRIORITY=0\nMESSAGE=forged", "ü" * 100 + "\n"])
def test_a_line_break_forges_no_field(journal: tuple[socket.socket, JournalHandler], value: str) -> None:
    listener, handler = journal
    handler.emit(record(value, CALL_SID=value))
    fields = entry(listener.recv(65536))
    assert fields["MESSAGE"] == fields["CALL_SID"] == value
    assert fields["PRIORITY"] == "6"


def test_what_is_no_text_is_still_logged(journal: tuple[socket.socket, JournalHandler]) -> None:
    listener, handler = journal
    handler.emit(record("\udcff"))
    assert entry(listener.recv(65536))["MESSAGE"] == "?"


def test_a_traceback_goes_with_the_message(journal: tuple[socket.socket, JournalHandler]) -> None:
    listener, handler = journal
    try:
        raise ValueError("inside")
    except ValueError as error:
        made = record("it failed")
        made.exc_info = (ValueError, error, error.__traceback__)
    handler.emit(made)
    message = entry(listener.recv(65536))["MESSAGE"]
    assert message.startswith("it failed\nTraceback")
    assert message.endswith("ValueError: inside")


def test_a_full_or_missing_journal_blocks_nothing(journal: tuple[socket.socket, JournalHandler], tmp_path: Path) -> None:
    _, handler = journal
    for _ in range(10_000):
        handler.emit(record())
    nowhere = JournalHandler(str(tmp_path / "nowhere"))
    nowhere.emit(record())
    nowhere.close()


def test_json_lines() -> None:
    line = JsonFormatter().format(record('a "quoted"\nline ü', logging.WARNING, CALL_SID="c"))
    assert "\n" not in line
    parsed = json.loads(line)
    assert isinstance(parsed.pop("time"), float)
    assert parsed == {"level": "warning", "message": 'a "quoted"\nline ü', "call_sid": "c"}


def test_a_call_log_carries_its_ids(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = CallLog("conn_1")
    log("before", event="open")
    log.identify(call_sid="c\n", stream_sid="s")
    log.warning("after", event="fault")
    before, after = caplog.records
    assert before.getMessage() == "[conn_1] before"
    assert vars(before)["fields"] == {"CONN_ID": "conn_1", "EVENT": "open"}
    assert (after.levelname, after.getMessage()) == ("WARNING", "[conn_1] after")
    assert vars(after)["fields"] == {"CONN_ID": "conn_1", "EVENT": "fault", "CALL_SID": "c\\n", "STREAM_SID": "s"}


def test_a_flood_of_events_ends_in_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    log = CallLog("conn_1")
    with caplog.at_level(logging.INFO):
        for _ in range(10_100):
            log("📨 Received: clear", event="clear")
    assert len(caplog.records) == 10_000
    assert caplog.records[-1].levelno == logging.WARNING
    assert "not logged any further" in caplog.records[-1].getMessage()


def test_a_fault_of_ours_carries_the_calls_ids(caplog: pytest.LogCaptureFixture) -> None:
    log = CallLog("conn_1")
    log.identify(call_sid="call", stream_sid="stream")
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        log.exception("💥 This call failed")
    (said,) = caplog.records
    assert said.exc_info is not None
    assert fields_of(said) == {"CONN_ID": "conn_1", "CALL_SID": "call", "STREAM_SID": "stream", "EVENT": "failed"}


def test_what_the_journal_does_not_take_is_counted_with_the_calls_it_was_of(tmp_path: Path) -> None:
    handler = JournalHandler(str(tmp_path / "nobody"))
    for number in range(30):
        handler.emit(record("hello", CALL_SID=f"call-{number // 10}"))
    assert handler.take_lost() == (30, {"call-0", "call-1", "call-2"})
    assert handler.take_lost() == (0, set())
    handler.close()


def test_a_journal_that_is_slow_blocks_nobody_and_what_it_misses_is_counted(
    journal: tuple[socket.socket, JournalHandler],
) -> None:
    listener, handler = journal
    listener.setblocking(False)
    for _ in range(20_000):
        handler.emit(record("x" * 200))
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while listener.recv(65536):
            taken += 1
    assert 0 < taken < 20_000
    assert handler.take_lost().records == 20_000 - taken
