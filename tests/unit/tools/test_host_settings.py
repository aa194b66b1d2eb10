"""The few settings that an on-call command needs, from a file that may hold anything."""

from pathlib import Path

import pytest
from exotel_phone.exits import Refusal, UsageFault
from exotelctl import url
from exotelctl.host_settings import load
from exotelctl.options import UrlOptions


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999999999", '"8765"', "1.5", "[]"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"port = {port}\n")
    with pytest.raises(UsageFault, match="check-config"):
        load(file)


def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def may_not(path: Path) -> str:
        if path.name == "settings.toml":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_text", may_not)


def test_who_is_not_root_knows_the_port_and_is_told_what_for_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden(monkeypatch)
    (tmp_path / "generation.json").write_text('{"listen": "0.0.0.0:9000"}')
    known = load(tmp_path / "settings.toml")
    assert (known.host, known.port, known.partial) == ("0.0.0.0", 9000, True)
    with pytest.raises(Refusal, match="sudo exotelctl url"):
        url.run(UrlOptions(host=None, port=None, rate=8000, settings=tmp_path / "settings.toml", json=False))


def test_where_nothing_can_be_read_root_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden(monkeypatch)
    with pytest.raises(UsageFault, match="may be read by root only"):
        load(tmp_path / "settings.toml")


def test_the_default_port(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('public_url = "ws://203.0.113.10:8765"\n')
    assert load(tmp_path / "settings.toml").port == 8765
