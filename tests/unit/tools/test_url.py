"""The line for Exotel, and doubts about it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.target import parse
from exotel_ws.handshake import Credentials
from exotel_ws.handshake import Target as ServersTarget
from exotelctl import url
from exotelctl.edge import config
from exotelctl.edge.config import EdgeConfig
from exotelctl.host_settings import load
from exotelctl.options import UrlOptions
from exotelctl.url import Place


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


def test_the_edge_tells_its_name_where_a_rollback_took_the_settings_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = EdgeConfig(domains=("calls.example.com",), certificate="acme", port=8443)
    monkeypatch.setattr(config, "load", lambda: edge)
    file = settings(tmp_path, 'public_url = "wss://voice.example.com/exotel"\n')
    assert url.run(UrlOptions(host=None, port=None, rate=8000, settings=file, json=False)) == Exit.OK
    assert capsys.readouterr().out == "wss://calls.example.com:8443/exotel?sample-rate=8000\n"


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


KEYS = ["old:short-token", "exotel-20261129:" + "ab" * 32]
ODD = "us/er:p@ss%word+~/x"


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that writes settings with these keys, as root sees them."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "credentials").mkdir()

    def write(*keys: str, path: str = "/exotel") -> Path:
        (tmp_path / "credentials/stream-credentials").write_text("".join(f"{key}\n" for key in keys))
        return settings(tmp_path, f'public_url = "wss://voice.example.com{path}"\n[auth]\nrequired = true\n')

    return write


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (None, f"wss://exotel-20261129:{'ab' * 32}@voice.example.com/exotel?sample-rate=8000"),
        ("header", f"wss://exotel-20261129:{'ab' * 32}@voice.example.com/exotel?sample-rate=8000"),
        ("path", f"wss://voice.example.com/exotel/{'ab' * 32}?sample-rate=8000"),
        ("query", f"wss://voice.example.com/exotel?sample-rate=8000&token={'ab' * 32}"),
    ],
)
def test_the_newest_key_in_each_place(
    keyed: Callable[..., Path], capsys: pytest.CaptureFixture[str], place: Place | None, shown: str
) -> None:
    assert url.run(UrlOptions(with_key=True, place=place, settings=keyed(*KEYS))) == Exit.OK
    out, err = capsys.readouterr()
    assert out == f"{shown}\n"
    assert ("edge_key_in_start" in err) == (place == "query")
    assert "USER:TOKEN" not in err
    assert url.run(UrlOptions(with_key=True, place=place, settings=keyed(*KEYS), json=True)) == Exit.OK
    assert json.loads(capsys.readouterr().out)["url"] == shown


@pytest.mark.parametrize(
    ("public_url", "with_key", "shown"),
    [
        ("wss://voice.example.com/exotel", False, "https://voice.example.com/exotel/next/SECRET"),
        ("wss://voice.example.com/exotel", True, "https://voice.example.com/exotel/next/the-newer-secret"),
        ("ws://8.8.8.8:8765", False, "http://8.8.8.8:8765/exotel/next/SECRET"),
    ],
)
def test_the_line_for_the_passthru_applet(
    keyed: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], public_url: str, with_key: bool, shown: str
) -> None:
    (tmp_path / "credentials/passthru").write_text("the-older-secret\nthe-newer-secret\n")
    keyed(*KEYS)
    file = settings(tmp_path, f'public_url = "{public_url}"\n[auth]\nrequired = true\n')
    assert url.run(UrlOptions(passthru=True, with_key=with_key, settings=file)) == Exit.OK
    assert capsys.readouterr() == (f"{shown}\n", "")
    (tmp_path / "credentials/passthru").unlink()
    with pytest.raises(Refusal, match=r"exotel_ws_ai_keys: \{passthru"):
        url.run(UrlOptions(passthru=True, with_key=True, settings=file))


@pytest.mark.parametrize(("place", "shown"), [("header", "//USER:TOKEN@"), ("path", "/exotel/TOKEN?"), ("query", "&token=TOKEN")])
def test_a_place_without_the_key_shows_a_stand_in(
    keyed: Callable[..., Path], capsys: pytest.CaptureFixture[str], place: Place, shown: str
) -> None:
    assert url.run(UrlOptions(place=place, settings=keyed(*KEYS))) == Exit.OK
    out, err = capsys.readouterr()
    assert shown in out
    assert "ab" * 32 not in out + err


def test_a_key_is_encoded_so_that_the_server_reads_the_same(
    keyed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert url.run(UrlOptions(with_key=True, settings=keyed(ODD, path=""))) == Exit.OK
    assert parse(capsys.readouterr().out.strip()).credential == ODD
    with pytest.raises(UsageFault, match="a slash"):
        url.run(UrlOptions(with_key=True, place="path", settings=keyed(ODD)))
    for place in ("path", "query"):
        url.run(UrlOptions(with_key=True, place=place, settings=keyed("me:p@ss%word+~?#&=x")))  # type: ignore[arg-type]
        read = ServersTarget.parse(capsys.readouterr().out.strip().removeprefix("wss://voice.example.com"))
        assert Credentials(["me:p@ss%word+~?#&=x"]).in_target(read)


def test_the_key_is_for_root_and_there_has_to_be_one(keyed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file = keyed(*KEYS)
    file.write_text('public_url = "wss://voice.example.com"\n')
    with pytest.raises(Refusal, match="keys_action=add"):
        url.run(UrlOptions(with_key=True, settings=file))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="sudo exotelctl url --with-key"):
        url.run(UrlOptions(with_key=True, settings=keyed(*KEYS)))


def test_a_bare_token_has_no_user_for_the_header(keyed: Callable[..., Path]) -> None:
    with pytest.raises(UsageFault, match="without a user"):
        url.run(UrlOptions(with_key=True, settings=keyed("a-bare-token")))


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
