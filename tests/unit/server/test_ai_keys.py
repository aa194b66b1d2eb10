"""Keys come from credentials, and go nowhere else."""

import json
import logging
import os
from pathlib import Path

import pytest
from exotel_ws.ai.providers import keys
from exotel_ws.ai.providers.keys import NoKey


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_key_is_read_without_its_line_end_and_hidden_in_repr(credentials: Path) -> None:
    (credentials / "deepgram-api-key").write_text("s3cret\n")
    key = keys.read("deepgram-api-key")
    assert key.text == "s3cret"
    assert "s3cret" not in f"{key!r} {key} {[key]}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"one two", "a key is one word"),
        (b"one\nX-Other: two", "a key is one word"),
        (b"{not json", "neither a key nor a JSON file"),
    ],
)
def test_what_is_no_key_is_said_without_it(credentials: Path, content: bytes, why: str) -> None:
    (credentials / "k").write_bytes(content)
    with pytest.raises(NoKey, match=why) as error:
        keys.read("k")
    assert "X-Other" not in str(error.value)


def test_a_missing_file_is_named(credentials: Path) -> None:
    with pytest.raises(NoKey, match=rf"{credentials}/k: can't be read: No such file"):
        keys.read("k")


def test_without_systemd_there_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert keys.directory() is None
    with pytest.raises(NoKey, match=r"no \$CREDENTIALS_DIRECTORY\. On a bench set it to a directory with a file k$"):
        keys.read("k")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_of_ones_own_that_others_may_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    path = tmp_path / "k"
    path.write_text("s3cret")
    path.chmod(mode)
    with caplog.at_level(logging.WARNING):
        assert keys.read(str(path)).text == "s3cret"
    assert (f"chmod 600 {path}" in caplog.text) == warned
    assert "s3cret" not in caplog.text


def test_redact_knows_what_was_read(credentials: Path) -> None:
    (credentials / "a").write_text("s3cret-of-a")
    (credentials / "g").write_text(json.dumps({"client_email": "x@example.org", "private_key": "-----BEGIN"}))
    keys.read("a")
    keys.read("g")
    assert keys.redact("Incorrect: s3cret-of-a, -----BEGIN, x@example.org") == "Incorrect: [a], [g], x@example.org"


def test_what_an_sdk_would_find_in_the_environment_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = {
        "OPENAI_API_KEY": "s3cret",
        "OPENAI_BASE_URL": "http://other",
        "GOOGLE_APPLICATION_CREDENTIALS": "/x",
        "NEW_API_KEY": "s3cret",
    }
    ours = dict.fromkeys(("HTTPS_PROXY", "AWS_CA_BUNDLE", "CREDENTIALS_DIRECTORY", "OPENAIR"), "x")
    for name, value in (theirs | ours).items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING):
        keys.forget_environment(["openai", "google", "aws"])
    assert not theirs.keys() & os.environ.keys()
    assert ours.keys() <= os.environ.keys()
    assert all(name in caplog.text for name in theirs)
    assert "s3cret" not in caplog.text
