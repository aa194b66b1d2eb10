"""Budgets of log lines: strangers get few, calls get all; lines left out are counted. The clock is virtual."""

import logging
from collections.abc import Iterator

import pytest
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.admission.log_budget import LogBudget, StrangerFilter
from exotel_ws.logs import CallLog
from exotel_ws.metrics.tally import Tally
from exotel_ws.settings import Limits, Log


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, conn_id: str) -> list[str]:
        head = f"[{conn_id}] "
        return [text.removeprefix(head) for record in self.records if (text := record.getMessage()).startswith(head)]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logger = logging.getLogger("exotel_ws")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> Admission:
    return Admission(Limits(), Tally(), clock=clock)


@pytest.fixture
def budget(clock: Clock) -> LogBudget:
    return LogBudget(Log(stranger_lines_s=0.5, stranger_burst=50), clock)


def enter(admission: Admission, host: str) -> Ticket:
    ticket = admission.accept(host, lambda: None)
    assert isinstance(ticket, Ticket)
    return ticket


def stranger(admission: Admission, budget: LogBudget, host: str, conn_id: str) -> None:
    """Open and close a connection, which logs four lines."""
    ticket = enter(admission, host)
    log = CallLog(conn_id, budget, ticket)
    for text in ("connected", "rate", "remote"):
        log(text, event="open")
    log("closed", event="close")
    log.over()
    ticket.close()


def test_strangers_share_a_small_budget_and_the_rest_is_counted(admission: Admission, budget: LogBudget, lines: Lines) -> None:
    for number in range(500):
        stranger(admission, budget, f"192.0.2.{number % 250}", f"conn_{number}")
    written = len(lines.records)
    assert written == 50
    assert budget.counted()["log_stranger"] == 500 * 4 - written


def test_one_stranger_does_not_use_up_all_lines(clock: Clock, admission: Admission, lines: Lines) -> None:
    budget = LogBudget(Log(stranger_burst=1000), clock)
    for number in range(200):
        stranger(admission, budget, "192.0.2.1", f"conn_{number}")
        clock.now += 0.02
    stranger(admission, budget, "192.0.2.2", "conn_other")
    assert lines.of("conn_other") == ["connected", "rate", "remote", "closed"]
    assert len(lines.records) <= 200 + 4 + 4


def test_a_call_that_opens_in_a_flood_has_all_its_lines_in_order(
    clock: Clock, admission: Admission, budget: LogBudget, lines: Lines
) -> None:
    for number in range(100):
        stranger(admission, budget, f"192.0.2.{number}", f"conn_{number}")
    ticket = enter(admission, "198.51.100.7")
    log = CallLog("conn_call", budget, ticket)
    said = [f"line {number}" for number in range(20)]
    for text in said:
        log(text, event="start")
    assert lines.of("conn_call") == []
    ticket.prove()
    log("a frame", event="media")
    log("closed", event="close")
    assert lines.of("conn_call") == [*said, "a frame", "closed"]
    assert log.left_out == 0


def test_a_call_from_a_source_that_makes_calls_is_written_at_once_in_a_flood(
    admission: Admission, budget: LogBudget, lines: Lines
) -> None:
    enter(admission, "198.51.100.7").prove()
    for number in range(100):
        stranger(admission, budget, f"192.0.2.{number}", f"conn_{number}")
    CallLog("conn_call", budget, enter(admission, "198.51.100.7"))("connected", event="open")
    assert lines.of("conn_call") == ["connected"]


def test_a_short_call_keeps_its_lines_when_another_call_proves_its_source(
    admission: Admission, budget: LogBudget, lines: Lines
) -> None:
    for number in range(100):
        stranger(admission, budget, f"192.0.2.{number}", f"conn_{number}")
    log = CallLog("conn_short", budget, enter(admission, "198.51.100.7"))
    log("started", event="start")
    assert lines.of("conn_short") == []
    enter(admission, "198.51.100.7").prove()
    log("closed", event="close")
    log.over()
    assert lines.of("conn_short") == ["started", "closed"]
    assert log.left_out == 0


def test_short_calls_of_one_source_are_seen_to_begin_and_to_end(clock: Clock, admission: Admission, lines: Lines) -> None:
    """Six calls of a flow that hangs up at once, on one worker: their details are more than a stranger may write."""
    budget = LogBudget(Log(), clock)
    for number in range(6):
        ticket = enter(admission, "198.51.100.7")
        log = CallLog(f"conn_{number}", budget, ticket)
        log("connected", event="open")
        log.identify(call_sid="c", stream_sid="s")
        log("started", event="start")
        for _ in range(50):
            log("a frame", event="media")
        log("closed", event="close")
        log.over()
        ticket.close()
    for number in range(6):
        written = lines.of(f"conn_{number}")
        assert (written.count("started"), written[-1]) == (1, "closed")
    assert len(lines.records) + budget.counted()["log_stranger"] == 6 * 53


def test_connections_that_are_no_calls_use_up_no_outlines(clock: Clock, admission: Admission, lines: Lines) -> None:
    budget = LogBudget(Log(), clock)
    for number in range(200):
        stranger(admission, budget, "192.0.2.1", f"conn_{number}")
    log = CallLog("conn_call", budget, enter(admission, "192.0.2.1"))
    log.identify(call_sid="c", stream_sid="s")
    log("started", event="start")
    log("closed", event="close")
    log.over()
    assert lines.of("conn_call") == ["started", "closed"]


def test_a_call_that_floods_the_log_is_cut_short_and_says_so(
    clock: Clock, admission: Admission, budget: LogBudget, lines: Lines
) -> None:
    ticket = enter(admission, "198.51.100.7")
    ticket.prove()
    log = CallLog("conn_call", budget, ticket)
    for _ in range(5000):
        log("key", event="dtmf")
    log("closed", event="close")
    assert lines.of("conn_call").count("key") == 1000
    assert lines.of("conn_call")[-1] == "closed"
    assert log.left_out == 4000
    assert budget.counted()["log_call"] == 4000
    clock.now += 10
    log("key", event="dtmf")
    assert lines.of("conn_call").count("key") == 1001


def test_held_lines_of_one_connection_are_bounded(admission: Admission, budget: LogBudget, lines: Lines) -> None:
    for number in range(100):
        stranger(admission, budget, f"192.0.2.{number}", f"conn_{number}")
    ticket = enter(admission, "192.0.2.200")
    log = CallLog("conn_lone", budget, ticket)
    for number in range(1000):
        log(f"line {number}", event="fault")
    ticket.prove()
    log("last", event="media")
    assert lines.of("conn_lone") == [*(f"line {number}" for number in range(40)), "last"]
    assert log.left_out == 960


def test_what_was_left_out_is_said_twice_a_minute_at_most(clock: Clock, budget: LogBudget) -> None:
    budget.leave_out("log_stranger", 7)
    assert budget.due() == {"log_stranger": 7}
    budget.leave_out("log_stranger", 5)
    assert budget.due() == {}
    clock.now += 30
    assert budget.due() == {"log_stranger": 5}
    clock.now += 30
    assert budget.due() == {}


def record(name: str = "exotel_ws.server", **fields: str) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, "text", None, None)
    made.fields = fields
    return made


@pytest.mark.parametrize(
    "flood",
    [
        record(EVENT="refused", REASON="path"),
        record(EVENT="bound", REASON="files"),
        record("asyncio"),
        record("websockets.server"),
    ],
    ids=["refusals", "bounds", "asyncio", "engine"],
)
def test_refusals_bounds_and_libraries_complaints_share_the_strangers_budget(
    clock: Clock, budget: LogBudget, flood: logging.LogRecord
) -> None:
    strangers = StrangerFilter(budget)
    assert sum(strangers.filter(flood) for _ in range(1000)) == 50
    assert strangers.filter(record(EVENT="tap"))
    assert strangers.filter(record(EVENT="bound", REASON="log_stranger", LEFT_OUT="950"))
    assert budget.counted()["log_stranger"] == 950
    clock.now += 10
    assert strangers.filter(flood)


def test_tracebacks_share_it_too(budget: LogBudget) -> None:
    crash = record(CONN_ID="conn_1", EVENT="failed")
    crash.exc_info = (ValueError, ValueError("x"), None)
    strangers = StrangerFilter(budget)
    assert sum(strangers.filter(crash) for _ in range(1000)) == 50
