"""Next applets of calls: kept for all workers, bounded, and told to whoever knows the secret of the path."""

import logging
import os
from pathlib import Path

import pytest
from exotel_ws.handshake import Target
from exotel_ws.metrics.tally import Tally
from exotel_ws.passthru import outcomes as store
from exotel_ws.passthru.outcomes import KEEP_S, Outcomes
from exotel_ws.passthru.passthru import Passthru
from exotel_ws.path_secrets import PathSecrets
from exotel_ws.settings import Passthru as PassthruSettings
from exotel_ws.settings import SettingsError

SECRET = "0123456789abcdef0123456789abcdef"
JUNK = ["../../etc/passwd", "\0", "a/b", "é" * 30, "\udcff", " ", "x" * 128]


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["shared", "own"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "outcomes" if request.param == "shared" else None


def test_the_last_word_on_a_call_counts(directory: Path | None) -> None:
    outcomes = Outcomes(directory)
    assert outcomes.of("call1") is None
    outcomes.say("call1", "end")
    outcomes.say("call2", "end")
    outcomes.say("call1", "transfer")
    assert (outcomes.of("call1"), outcomes.of("call2")) == ("transfer", "end")


def test_another_worker_knows_it_too_and_after_the_first_one_is_gone(tmp_path: Path) -> None:
    Outcomes(tmp_path / "o").say("call1", "transfer")
    assert Outcomes(tmp_path / "o").of("call1") == "transfer"


def test_only_the_service_can_read_it(tmp_path: Path) -> None:
    Outcomes(tmp_path / "o").say("call1", "transfer")
    (file,) = (tmp_path / "o").iterdir()
    assert ((tmp_path / "o").stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert "call1" not in file.name


def test_what_is_too_old_is_forgotten(directory: Path | None) -> None:
    clock = Clock()
    outcomes = Outcomes(directory, clock)
    outcomes.say("call1", "transfer")
    clock.now += KEEP_S
    assert outcomes.of("call1") == "transfer"
    outcomes.say("call2", "end")
    clock.now += 1
    assert outcomes.of("call1") is None
    outcomes.sweep()
    assert directory is None or len(list(directory.iterdir())) == 1
    assert outcomes.of("call2") == "end"


def test_only_so_many_are_kept_the_latest_ones(directory: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", 3)
    clock = Clock()
    outcomes = Outcomes(directory, clock)
    for number in range(5):
        clock.now += 1
        outcomes.say(f"call{number}", "transfer")
    outcomes.sweep()
    assert [outcomes.of(f"call{number}") for number in range(5)] == [None, None, "transfer", "transfer", "transfer"]


def test_a_sweep_is_due_each_minute_and_after_many_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_SWEEP_AFTER", 3)
    clock = Clock()
    outcomes = Outcomes(tmp_path / "o", clock)
    outcomes.sweep()
    assert not outcomes.due
    outcomes.say("call1", "end")
    assert not outcomes.due
    clock.now += 60
    assert outcomes.due
    outcomes.sweep()
    for _ in range(3):
        assert not outcomes.due
        outcomes.say("call1", "end")
    assert outcomes.due


@pytest.mark.parametrize("call_sid", JUNK)
def test_any_call_sid_is_a_name_of_its_own(directory: Path | None, call_sid: str) -> None:
    outcomes = Outcomes(directory)
    outcomes.say(call_sid, "transfer")
    assert outcomes.of(call_sid) == "transfer"
    assert outcomes.of(call_sid + "x") is None


def test_a_directory_that_takes_nothing_is_told_once_and_ends_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "o").write_text("a file")
    outcomes = Outcomes(tmp_path / "o")
    outcomes.say("call1", "transfer")
    outcomes.say("call2", "transfer")
    outcomes.sweep()
    assert outcomes.of("call1") is None
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_what_else_lies_there_is_no_outcome(tmp_path: Path) -> None:
    outcomes = Outcomes(tmp_path)
    outcomes.say("call1", "transfer")
    (file,) = tmp_path.iterdir()
    file.write_text("transferred and more")
    assert outcomes.of("call1") is None
    file.unlink()
    file.symlink_to("/dev/zero")
    assert outcomes.of("call1") is None
    file.unlink()
    os.mkfifo(file)
    assert outcomes.of("call1") is None


@pytest.fixture
def passthru(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Passthru:
    (tmp_path / "passthru").write_text(f"{SECRET}\n{SECRET[::-1]}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    made = Passthru.load(PassthruSettings(), Outcomes(None), Tally())
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("target", "admitted"),
    [
        (f"/exotel/next/{SECRET}?CallSid=a", True),
        (f"/exotel/next/{SECRET[::-1]}", True),
        (f"/exotel/next/{SECRET}/", False),
        (f"/exotel/next/{SECRET[:-1]}", False),
        (f"/exotel/next/{SECRET}{'x' * 5000}", False),
        (f"/exotel/next?{SECRET}", False),
        ("/exotel/next/", False),
        ("/exotel/next/%ff%00", False),
        (f"/{SECRET}", False),
    ],
)
def test_the_path_has_to_hold_a_secret(passthru: Passthru, target: str, admitted: bool) -> None:
    assert passthru.admits(Target.parse(target)) == admitted


@pytest.mark.parametrize("query", ["CallSid=call1", "callsid=call1&Direction=incoming", "From=1&call_sid=call1", "CALLSID=call1"])
def test_a_known_call_is_answered_by_its_outcome(passthru: Passthru, query: str) -> None:
    for applet, status in (("transfer", 200), ("end", 302)):
        passthru.outcomes.say("call1", applet)  # type: ignore[arg-type]
        answer = passthru.answer(Target.parse(f"/exotel/next/{SECRET}?{query}"), "192.0.2.1")
        assert (answer.status, answer.body) == (status, f"{applet}\n")
        assert ("Cache-Control", "no-store") in answer.headers


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ("CallSid=nobody", "unknown"),
        ("CallSid=" + "x" * 129, "no_call_sid"),
        ("CallSid=", "no_call_sid"),
        ("", "no_call_sid"),
        ("CallSid[]=call1", "no_call_sid"),
        ("CallSid=%00%ff%1b[31m", "unknown"),
    ],
)
def test_any_other_is_answered_as_the_setting_says(query: str, outcome: str, caplog: pytest.LogCaptureFixture) -> None:
    for unknown, status in (("end", 302), ("transfer", 200)):
        tally = Tally()
        passthru = Passthru(PathSecrets([SECRET]), PassthruSettings(unknown=unknown), Outcomes(None), tally)  # type: ignore[arg-type]
        assert passthru.answer(Target.parse(f"/exotel/next/{SECRET}?{query}"), "192.0.2.1").status == status
        assert {name: count for name, count in tally.passthru.items() if count} == {outcome: 1}
    fields = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert all(told["EVENT"] == "passthru" and "\x1b" not in told.get("CALL_SID", "") for told in fields)


def test_without_the_credential_there_is_no_passthru(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert Passthru.load(PassthruSettings(), Outcomes(None), Tally()) is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Passthru.load(PassthruSettings(), Outcomes(None), Tally()) is None


@pytest.mark.parametrize("text", ["", "\n", "short", "has/a/slash/in/it/somewhere", f"{SECRET}\nbad%20one%20in%20it", "é" * 20])
def test_a_secret_that_no_url_can_hold_is_refused_without_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "passthru").write_text(text)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SettingsError, match=r"credential passthru: .*openssl rand -hex 16") as raised:
        Passthru.load(PassthruSettings(), Outcomes(None), Tally())
    assert not any(line and line in str(raised.value) for line in text.split())
