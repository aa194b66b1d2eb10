"""Entries of the journal, from the JSON that journalctl prints."""

import json
import os
from pathlib import Path

import pytest
from exotel_phone.exits import Refusal
from exotelctl import journal
from exotelctl.journal import DROPPED, Entry, parse

LINE = {
    "__REALTIME_TIMESTAMP": "1795602510594671",
    "__CURSOR": "s=1858c57b;i=13f;b=1f6dea3f;m=43f5a9db;t=6611749cd426f;x=ae55fe7e1ffd6f68",
    "_HOSTNAME": "exo-a",
    "_SYSTEMD_UNIT": "exotel-ws@20261125T102807-1c8a7fcd-2.service",
    "PRIORITY": "4",
    "MESSAGE": "[conn_5369143e563a] ⚠️ late",
    "EVENT": "fault",
}


def entry(**fields: object) -> Entry:
    return parse(json.dumps({**LINE, **fields}).encode())


def test_a_line_of_a_worker() -> None:
    found = entry()
    assert (found.time, found.priority, found.event, found.host) == (1795602510.594671, 4, "fault", "exo-a")
    assert found.instance == "20261125T102807-1c8a7fcd-2"
    assert found.dropped == 0


@pytest.mark.parametrize(
    ("fields", "unit"),
    [
        ({"UNIT": "exotel-ws.socket", "_SYSTEMD_UNIT": "init.scope"}, "exotel-ws.socket"),
        ({"OBJECT_SYSTEMD_UNIT": "exotel-ws@g-1.service", "_SYSTEMD_UNIT": "systemd-journald.service"}, "exotel-ws@g-1.service"),
    ],
)
def test_what_systemd_and_journald_say_of_a_unit_is_that_units(fields: dict[str, str], unit: str) -> None:
    assert entry(**fields).unit == unit


def test_an_entry_has_the_same_origin_in_every_copy() -> None:
    elsewhere = entry(__CURSOR="s=ffff;i=1;" + LINE["__CURSOR"].partition("i=13f;")[2])
    assert elsewhere.cursor != entry().cursor
    assert elsewhere.origin == entry().origin == "b=1f6dea3f;m=43f5a9db;t=6611749cd426f;x=ae55fe7e1ffd6f68"


@pytest.mark.parametrize(
    ("fields", "count"),
    [({"MESSAGE_ID": DROPPED, "N_DROPPED": "32"}, 32), ({"N_DROPPED": "32"}, 0), ({"MESSAGE_ID": DROPPED, "N_DROPPED": "?"}, 0)],
)
def test_only_journald_tells_of_dropped_lines(fields: dict[str, str], count: int) -> None:
    assert entry(**fields).dropped == count


def test_text_that_is_no_utf8_or_given_twice() -> None:
    assert entry(MESSAGE=[104, 105, 255]).message == "hi�"
    assert entry(EVENT=["first", "second"]).event == "second"


def test_a_journal_that_may_not_be_read_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forbidden journal is not an empty one, though journalctl then shows a user's own lines with exit code 0."""
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine/system.journal").touch()
    journal._require_readable([tmp_path])
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="sudo"):
        journal._require_readable([tmp_path])


@pytest.mark.parametrize("user", [0, 1000])
def test_a_machine_without_a_journal_is_not_one_where_nothing_happened(
    user: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a journal root is told that journald stores nothing, and not to type sudo."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(Refusal, match="on a host of the server") as refused:
        journal._require_readable([tmp_path])
    assert ("sudo" in str(refused.value), "systemctl status systemd-journald" in str(refused.value)) == (user != 0, user == 0)


@pytest.mark.parametrize(
    ("matches", "asked"),
    [
        ([], ["_UID=0", "_UID=999"]),
        (["EVENT=open", "EVENT=start"], ["EVENT=open", "EVENT=start", "_UID=0", "_UID=999"]),
        (
            ["CALL_SID=a", "+", "STREAM_SID=a", "EVENT=fault"],
            ["CALL_SID=a", "_UID=0", "_UID=999", "+", "STREAM_SID=a", "EVENT=fault", "_UID=0", "_UID=999"],
        ),
    ],
)
def test_only_root_and_the_workers_are_believed(matches: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root and the workers are believed: any local user may log with our fields' names, and journald says who it was."""
    monkeypatch.setattr(journal, "_workers_uid", lambda: (999,))
    assert journal.trusted(matches) == asked


def test_a_priority_that_is_no_number_is_that_of_information() -> None:
    assert entry(PRIORITY="loud").priority == 6
