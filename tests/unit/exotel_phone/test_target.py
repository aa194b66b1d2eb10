"""URLs as typed: they are understood or refused, and no secret is ever shown."""

import base64
from pathlib import Path

import pytest
from exotel_phone.exits import UsageFault
from exotel_phone.target import parse


@pytest.mark.parametrize(
    ("typed", "url", "http"),
    [
        ("ws://127.0.0.1:8765?sample-rate=8000", "ws://127.0.0.1:8765?sample-rate=8000", "http://127.0.0.1:8765/health"),
        ("127.0.0.1:8765", "ws://127.0.0.1:8765", "http://127.0.0.1:8765/health"),
        ("http://host:8765/ws", "ws://host:8765/ws", "http://host:8765/health"),
        ("wss://voice.example.com/s3cret", "wss://voice.example.com/s3cret", "https://voice.example.com/health"),
        ("ws://[::1]:8765", "ws://[::1]:8765", "http://[::1]:8765/health"),
        ("ws://host:80", "ws://host", "http://host/health"),
    ],
)
def test_understood(typed: str, url: str, http: str) -> None:
    target = parse(typed)
    assert target.url() == url
    assert target.http("/health") == http


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("ftp://host", "ftp:// is not a scheme"),
        ("ws://", "names no host"),
        ("ws://host:notaport", "is not a URL"),
        ("ws://host:99999", "is not a URL"),
    ],
)
def test_refused_with_what_to_type(typed: str, says: str) -> None:
    with pytest.raises(UsageFault, match=says) as fault:
        parse(typed)
    assert "ws://203.0.113.10:8765" in str(fault.value)


def test_a_credential_becomes_basic_and_is_shown_nowhere() -> None:
    target = parse("wss://key:t%40ken@host/path?token=hush&sample-rate=8000")
    assert target.headers == {"Authorization": "Basic " + base64.b64encode(b"key:t@ken").decode()}
    for shown in (target.url(), target.shown, repr(target)):
        assert "t@ken" not in shown
        assert "t%40ken" not in shown
    assert target.shown == "wss://host/path?token=…&sample-rate=8000"
    assert "hush" not in target.shown + repr(target)


def test_a_credential_is_not_in_the_error_either() -> None:
    with pytest.raises(UsageFault) as fault:
        parse("ws://key:hush@host:notaport")
    assert "hush" not in str(fault.value)


def test_credential_file_wins_and_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "stream-credentials"
    file.write_text("# exotel\n\nkey:token\nother:one\n")
    assert parse("ws://a:b@host", file).credential == "key:token"
    file.write_text("no colon here\n")
    with pytest.raises(UsageFault, match="user:token"):
        parse("ws://host", file)
    with pytest.raises(UsageFault, match="No such file"):
        parse("ws://host", tmp_path / "missing")


def test_sample_rate() -> None:
    assert parse("ws://h?sample-rate=16000").rate == 16000
    assert parse("ws://h?sample_rate=24000").rate == 24000
    assert parse("ws://h").rate is None
    assert parse("ws://h/p?a=b&sample_rate=24000").with_rate(8000).url() == "ws://h/p?a=b&sample-rate=8000"
    with pytest.raises(UsageFault, match="11025"):
        _ = parse("ws://h?sample-rate=11025").rate
