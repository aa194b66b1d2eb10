"""Test calls of the operator's own are known by a token that only this host's root can make."""

import stat
from pathlib import Path

import pytest
from exotel_phone import call_token
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.logs import CallLog, fields_of
from exotel_ws.metrics.tally import Tally
from exotel_ws.ours import HEADER, KEY_FILE, VALID_S, TestCalls
from exotel_ws.settings import Limits

NOW = 1_800_000_000.0
KEY = bytes(range(32))


def shown(token: str, now: float = NOW) -> bool:
    return TestCalls(KEY).include({HEADER: token}, now)


def test_a_token_of_the_tool_is_recognised() -> None:
    assert call_token.HEADER == HEADER
    assert call_token.KEY.name == KEY_FILE
    assert shown(call_token.make(KEY, NOW))
    assert shown(call_token.make(KEY, NOW), NOW + VALID_S)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "1",
        f"{int(NOW)}.",
        f"{int(NOW)}." + "0" * 64,
        call_token.make(KEY[::-1], NOW),
        call_token.make(KEY, NOW - VALID_S - 1),
        call_token.make(KEY, NOW + VALID_S + 1),
        call_token.make(KEY, NOW).replace(".", ".x"),
        "٣" + call_token.make(KEY, NOW),
        "9" * 5000,
        "1e9." + "a" * 64,
        "-1.é",
    ],
)
def test_any_other_is_not(token: str) -> None:
    assert not shown(token)


def test_without_a_key_no_call_is_ours() -> None:
    assert not TestCalls().include({HEADER: call_token.make(KEY, NOW)}, NOW)


def test_the_workers_of_a_host_share_a_key_that_only_they_and_root_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [TestCalls.of_host(tmp_path) for _ in range(3)]
    key = tmp_path / KEY_FILE
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    monkeypatch.delenv(call_token.VARIABLE, raising=False)
    token = call_token.token(key)
    assert all(worker.include({HEADER: token}) for worker in workers)


def test_a_directory_that_is_not_there_means_no_test_calls_and_no_fault(tmp_path: Path) -> None:
    assert not TestCalls.of_host(tmp_path / "nowhere").include({HEADER: call_token.make(KEY, NOW)}, NOW)


def test_a_token_comes_from_the_environment_where_the_key_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(call_token.VARIABLE, call_token.make(KEY, NOW))
    assert call_token.headers() == {HEADER: call_token.make(KEY, NOW)}
    monkeypatch.setenv(call_token.VARIABLE, "x\r\nHost: elsewhere")
    assert call_token.token(tmp_path / "no-key") == ""


def test_a_test_call_is_trusted_but_its_source_is_not(caplog: pytest.LogCaptureFixture) -> None:
    admission = Admission(Limits(), Tally())
    ticket = admission.accept("127.0.0.1", lambda: None)
    assert isinstance(ticket, Ticket)
    ticket.vouch()
    assert ticket.proven
    assert not ticket.source.proven(admission.clock())
    with caplog.at_level("INFO", "exotel_ws.call"):
        CallLog("conn_1", None, ticket)("connected", event="open")
    assert fields_of(caplog.records[0])["OURS"] == "1"
