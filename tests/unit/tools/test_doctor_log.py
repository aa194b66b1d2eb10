"""The doctor proves that the journals store new lines."""

import socket
from pathlib import Path

import pytest
from exotelctl import journal
from exotelctl.doctor.facts import log, shell
from exotelctl.doctor.facts.call import Answers, Echo, Http
from exotelctl.doctor.facts.fact import Fact
from exotelctl.doctor.facts.log import HOST_JOURNALD, WORKERS_JOURNALD, Log, Silence
from exotelctl.doctor.facts.workers import Worker

CALL = "exotelctl-call-1"
PLACED = Fact(Answers("ws://here", Http(200), Http(200), Echo(call_sid=CALL)))
NOT_PLACED: Fact[Answers] = Fact(missing="refused")
STARTED = 1_795_600_000.0
WORKER = Worker("g-1", calls_total=3, since=STARTED)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("[Journal]\n#Storage=auto\n", ""),
        ("[Journal]\nStorage=persistent\n# /etc/systemd/journald.conf.d/no.conf\n[Journal]\nStorage = None\n", "none"),
        ("Storage=none\nStorage=auto\nSystemMaxUse=1G\n", "auto"),
    ],
)
def test_the_last_storage_of_a_configuration_holds(text: str, value: str) -> None:
    assert log.stored(text) == value


@pytest.mark.parametrize(
    ("seen", "broken"),
    [
        (Log(), ()),
        (Log(CALL, True, True), ()),
        (Log(CALL, False, True), (WORKERS_JOURNALD,)),
        (Log(CALL, True, False), (HOST_JOURNALD,)),
        (Log("", False, True), ()),
        (Log("", False, False, (Silence("g-1", 1, STARTED),)), (WORKERS_JOURNALD, HOST_JOURNALD)),
    ],
)
def test_the_journal_that_loses_lines(seen: Log, broken: tuple[str, ...]) -> None:
    assert seen.broken == broken


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the set of matches that the journal has an entry for, to be filled; commands of the host answer nothing."""
    found: set[str] = set()
    monkeypatch.setattr(shell, "require_root", lambda what: None)
    monkeypatch.setattr(shell, "ask", lambda *command, timeout_s: "")
    monkeypatch.setattr(log, "_send", lambda mark: found.add(f"EXOTELCTL_DOCTOR={mark}"))
    monkeypatch.setattr(log, "_any", lambda matches, since=None: not found.isdisjoint(matches))
    monkeypatch.setattr(log, "_states", list)
    monkeypatch.setattr(log.time, "sleep", lambda s: None)
    monkeypatch.setattr(journal, "starts", lambda: STARTED - 60)
    return found


def look(answers: Fact[Answers] = PLACED, *workers: Worker) -> Log:
    return log.look(lambda: answers, lambda: Fact(list(workers)))


def test_lines_of_its_own_call_prove_the_journal(kept: set[str]) -> None:
    kept.add(f"CALL_SID={CALL}")
    assert look() == Log(CALL, True, True)


def test_a_call_without_lines_shows_that_they_are_lost(kept: set[str]) -> None:
    assert look().broken == (WORKERS_JOURNALD,)


def test_without_a_call_the_counters_of_workers_tell(kept: set[str]) -> None:
    assert look(NOT_PLACED, WORKER).silent == (Silence("g-1", 3, STARTED),)
    kept.add("_SYSTEMD_UNIT=exotel-ws@g-1.service")
    assert look(NOT_PLACED, WORKER).broken == ()


@pytest.mark.parametrize("worker", [Worker("g-1", since=STARTED), Worker("g-1", calls_total=3)], ids=["no call", "no start"])
def test_a_worker_that_counts_nothing_owes_no_line(worker: Worker, kept: set[str]) -> None:
    assert look(NOT_PLACED, worker).silent == ()


def test_lines_that_went_by_age_are_not_owed(kept: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "starts", lambda: STARTED + 60)
    assert look(NOT_PLACED, WORKER).silent == ()


def test_an_empty_journal_owes_the_lines_of_all_calls(kept: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "starts", lambda: None)
    assert look(NOT_PLACED, WORKER).broken == (WORKERS_JOURNALD,)


def test_the_mark_is_one_entry_and_waits_for_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.bind(str(tmp_path / "socket"))
        log._send("abc", tmp_path / "socket")
        assert b"\nEXOTELCTL_DOCTOR=abc\n" in journald.recv(4096)
    log._send("abc", tmp_path / "socket")
    log._send("abc", tmp_path / "nowhere")
