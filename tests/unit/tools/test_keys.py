"""The keys of a host and their use: told by name, never shown; what cannot be told is said."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from exotel_phone.exits import Exit, Refusal
from exotelctl.keys import report, usage, verb
from exotelctl.keys.credentials import Key, read
from exotelctl.keys.usage import Place, Record, Unreadable
from exotelctl.options import KeysOptions

NEW, OLD, GONE = "exotel-20261129:" + "ab" * 32, "KEY:an-old-token", "exotel-20260101:" + "cd" * 32
NOW = 1_800_000_000.0


def id_of(entry: str) -> str:
    return hashlib.sha256(entry.encode()).hexdigest()[:16]


def record(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "since": NOW - 7200, "retired": None, "places": {}} | changes


USED = {
    id_of(OLD): record("KEY", places={"header": {"count": 3, "last": NOW - 60}, "query": {"count": 1, "last": NOW - 600}}),
    id_of(GONE): record("exotel-20260101", retired=NOW - 3600),
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a generation that takes two keys, and the record of their use."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(usage, "FILE", tmp_path / "usage.json")
    (tmp_path / "usage.json").write_text(json.dumps({"keys": USED}))
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/stream-credentials").write_text(f"# by hand\n\n{OLD}\n{NEW}\n")
    file = tmp_path / "settings.toml"
    file.write_text("[auth]\nrequired = true\n")
    return file


def test_a_name_and_an_id_tell_a_key_and_no_repr_shows_it() -> None:
    assert (Key(OLD).name, Key(OLD).id) == ("KEY", id_of(OLD))
    assert Key("bare-token").name == f"key-{id_of('bare-token')[:4]}"
    assert Key("a\x1b[2J:token").name == "a\\x1b[2J"
    assert "token" not in repr(Key(OLD))


def test_served_keys_first_then_what_drains_then_retired_ones() -> None:
    left = Record("left", NOW, None, {})
    records = {"0" * 16: left, id_of(GONE): Record("gone", NOW, NOW, {}), id_of(OLD): Record("KEY", NOW, None, {})}
    found = report.rows([Key(OLD), Key(NEW)], records)
    assert [(row.name, row.state) for row in found] == [
        ("KEY", "serving"),
        ("exotel-20261129", "serving"),
        ("left", "not served"),
        ("gone", "retired"),
    ]
    assert [row.record is None for row in found] == [False, True, False, False]


def test_a_table_for_people() -> None:
    records = {
        id_of(OLD): Record("KEY", NOW - 7200, None, {"header": Place(3, NOW - 60)}),
        id_of(GONE): Record("x", NOW, NOW, {}),
    }
    lines = report.as_text(report.rows([Key(OLD), Key(NEW)], records), NOW, recorded=True).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["KEY", "KEY", "exotel-20261129", "x"]
    assert "3, 1 min 0 s ago" in lines[1]
    assert "2 h 0 min" in lines[1]
    assert "never" in lines[2]
    assert "retired 0.0 s ago" in lines[3]
    unknown = report.as_text(report.rows([Key(NEW)], {}), NOW, recorded=False)
    assert "never" not in unknown, "what is not recorded is unknown"


def test_a_clock_that_ran_ahead_makes_no_negative_age() -> None:
    text = report.as_text(report.rows([Key(OLD)], {id_of(OLD): Record("KEY", NOW + 60, None, {})}), NOW, recorded=True)
    assert "0.0 s" in text
    assert "-60" not in text


def test_the_verb(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(KeysOptions(settings=settings, json=True)) == Exit.OK
    said = capsys.readouterr().out
    assert NEW.partition(":")[2] not in said
    told = json.loads(said)
    assert (told["ok"], told["asked"]) == (True, True)
    assert [(key["id"], key["name"], key["state"], key["count"], key["last"]) for key in told["keys"]] == [
        (id_of(OLD), "KEY", "serving", 4, NOW - 60),
        (id_of(NEW), "exotel-20261129", "serving", 0, None),
        (id_of(GONE), "exotel-20260101", "retired", 0, None),
    ]
    assert verb.run(KeysOptions(settings=settings)) == Exit.OK
    assert "an-old-token" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "is missing"),
        ("{", "is not what the workers write"),
        ("[]", "it is no mapping"),
        ('{"keys": {"KEY": {}}}', "16 hex digits"),
        (json.dumps({"keys": {"0" * 16: record("x", since="today")}}), "since is no number"),
        (json.dumps({"keys": {"0" * 16: record("x", since=float("nan"))}}), "since is no number"),
        (json.dumps({"keys": {f"{n:016x}": record("x") for n in range(201)}}), "more than 200 keys"),
        ("[" * 100_000, "is not what the workers write"),
        (" " * 1_100_000, "more than 1048576 bytes"),
    ],
)
def test_a_record_that_cannot_be_read_is_said(
    settings: Path, capsys: pytest.CaptureFixture[str], text: str | None, why: str
) -> None:
    usage.FILE.unlink()
    if text is not None:
        usage.FILE.write_text(text)
    with pytest.raises(Unreadable, match=why):
        usage.read(usage.FILE)
    assert verb.run(KeysOptions(settings=settings)) == Exit.PROBLEM
    out, err = capsys.readouterr()
    assert "exotel-20261129" in out, "the names are told all the same"
    assert why in err


def test_without_keys_it_says_how_to_make_one(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings.write_text("")
    usage.FILE.unlink()
    assert verb.run(KeysOptions(settings=settings)) == Exit.OK
    assert "keys_action=add" in capsys.readouterr().out


def test_it_is_for_root(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="sudo exotelctl keys"):
        verb.run(KeysOptions(settings=settings))


def test_a_missing_file_of_keys_is_said_with_the_cure(settings: Path) -> None:
    (settings.parent / "credentials/stream-credentials").unlink()
    with pytest.raises(Refusal, match=r"stream-credentials: No such file .*deploy\.yml"):
        read(settings, "stream-credentials")
