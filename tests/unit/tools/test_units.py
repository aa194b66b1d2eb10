"""Units as systemd tells of them, and workers as they tell of themselves."""

from exotelctl.admin import Call, parse_answer
from exotelctl.units import Unit, parse

WORKER = "exotel-ws@20261125T102706-1a67a886-2.service"


def test_a_unit_as_systemd_tells_of_it() -> None:
    said = {"Id": WORKER, "ActiveState": "active", "MainPID": "12", "NRestarts": "2", "StateChangeTimestampMonotonic": "5000000"}
    unit = parse(said, 65.0)
    assert unit == Unit(WORKER, "active", "", "", 12, 2, 60.0)
    assert unit.instance == "20261125T102706-1a67a886-2"


def test_a_unit_that_failed() -> None:
    said = {"Id": WORKER, "ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "MainPID": "0", "NRestarts": "3"}
    unit = parse(said, 65.0)
    assert (unit.pid, unit.restarts, unit.process) == (0, 3, "")
    assert unit.state == "failed (failed, exit-code)"


def test_an_inactive_unit_that_nothing_asks_for_has_no_times() -> None:
    assert parse({"Id": "exotel-ws.socket", "MainPID": "", "StateChangeTimestampMonotonic": "0"}, 65.0).changed_s is None


def test_a_socket_has_no_instance() -> None:
    assert Unit("exotel-ws.socket", "active").instance == ""


def test_a_call_as_its_worker_tells_of_it() -> None:
    call = {"call_sid": "abc", "state": "thinking", "turns": 2, "voice_to_voice_ms": 700, "ours": True}
    answer = parse_answer({"since": "2026-11-25T10:28:07Z", "calls": [call]})
    assert answer.since == 1_795_602_487.0
    assert answer.calls == (Call("abc", "", "", "", "", 0, 0, 0, "", None, "thinking", 2, 700.0, own=True),)


def test_an_older_release_that_tells_less_is_understood() -> None:
    answer = parse_answer({"state": "serving", "calls": [{"call_sid": "abc", "age_s": 1.5}]})
    assert answer.since == 0.0
    assert answer.calls == (Call("abc", "", "", "", "", 1.5, 0, 0, "", None),)
