"""Keys as systemd would leave them, and silence about what the providers' SDKs deprecate among themselves."""

from pathlib import Path

import pytest
from exotel_ws.ai.presets import PRESETS

from .fakes.server import KEY


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the right key of every preset."""
    for stages in PRESETS.values():
        for preset in stages.values():
            if preset.credential:
                (tmp_path / preset.credential).write_text(KEY + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path
