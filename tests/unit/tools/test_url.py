"""The line for Exotel, and doubts about it."""

import json
from pathlib import Path

import pytest
from exotel_phone.exits import Exit, UsageFault
from exotelctl import url
from exotelctl.host_settings import load
from exotelctl.options import UrlOptions


def settings(folder: Path, text: str) -> Path:
    file = folder / "settings.toml"
    file.write_text(text)
    return file


def test_from_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings(tmp_path, 'port = 9000\npublic_url = "ws://8.8.8.8:9000"\n')
    assert url.run(UrlOptions(host=None, port=None, rate=16000, settings=file, json=False)) == Exit.OK
    assert capsys.readouterr() == ("ws://8.8.8.8:9000?sample-rate=16000\n", "")


def test_public_url_may_be_secure_and_have_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings(tmp_path, 'public_url = "wss://voice.example.com/exotel"\n')
    assert url.run(UrlOptions(host=None, port=None, rate=8000, settings=file, json=True)) == Exit.OK
    assert json.loads(capsys.readouterr().out) == {
        "url": "wss://voice.example.com/exotel?sample-rate=8000",
        "warning": None,
    }


def test_flags_need_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert url.run(UrlOptions(host="8.8.4.4", port=None, rate=8000, settings=Path("/nowhere"), json=False)) == Exit.OK
    assert capsys.readouterr().out == "ws://8.8.4.4:8765?sample-rate=8000\n"
    url.run(UrlOptions(host="2001:4860:4860::8888", port=80, rate=8000, settings=Path("/nowhere"), json=False))
    assert capsys.readouterr().out == "ws://[2001:4860:4860::8888]?sample-rate=8000\n"


def test_an_unknown_public_address_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings(tmp_path, 'port = 8765\npublic_url = ""\n')
    assert url.run(UrlOptions(host=None, port=None, rate=8000, settings=file, json=False)) == Exit.PROBLEM
    out, err = capsys.readouterr()
    assert out == ""
    assert "exotel_ws_public_host" in err


def test_a_credential_that_is_asked_for_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings(tmp_path, 'public_url = "ws://8.8.8.8:9000"\n[auth]\nrequired = true\n')
    assert url.run(UrlOptions(host=None, port=None, rate=8000, settings=file, json=False)) == Exit.OK
    assert "USER:TOKEN@" in capsys.readouterr().err


def test_bad_flags(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="--rate 44100"):
        url.run(UrlOptions(host="h", port=None, rate=44100, settings=tmp_path, json=False))
    with pytest.raises(UsageFault, match="without scheme"):
        url.run(UrlOptions(host="ws://h", port=None, rate=8000, settings=tmp_path, json=False))


@pytest.mark.parametrize(
    ("host", "doubtful"),
    [
        ("8.8.8.8", False),
        ("voice.example.com", False),
        ("10.0.0.5", True),
        ("127.0.0.1", True),
        ("::", True),
        ("localhost", True),
    ],
)
def test_doubt(host: str, doubtful: bool) -> None:
    assert (url.doubt(host) is not None) == doubtful


@pytest.mark.parametrize(
    ("host", "local"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5", "10.0.0.5"), ("", "127.0.0.1")]
)
def test_how_the_server_is_reached_from_its_host(tmp_path: Path, host: str, local: str) -> None:
    target = load(settings(tmp_path, f'host = "{host}"\nport = 9000\n')).local_target
    assert (target.host, target.port) == (local, 9000)


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="No such file"):
        load(tmp_path / "missing.toml")
    with pytest.raises(UsageFault, match="is not TOML"):
        load(settings(tmp_path, "port ="))
    with pytest.raises(UsageFault, match="not a number"):
        load(settings(tmp_path, 'port = "x"'))
