"""The few settings that an on-call command needs, from a file that may hold anything."""

from pathlib import Path

import pytest
from exotelctl.exits import UsageFault
from exotelctl.host_settings import load


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999999999", '"8765"', "1.5", "[]"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"port = {port}\n")
    with pytest.raises(UsageFault, match="check-config"):
        load(file)


def test_the_default_port(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('public_url = "ws://203.0.113.10:8765"\n')
    assert load(tmp_path / "settings.toml").port == 8765
