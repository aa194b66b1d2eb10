"""Files that may lie beside an inventory."""

import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[2]


def test_a_flow_in_files_is_not_read_as_an_inventory(tmp_path: Path) -> None:
    shutil.copytree(REPO / "inventory/example", tmp_path / "production")
    (tmp_path / "production/files").mkdir()
    shutil.copy(REPO / "server/exotel_ws/ai/flows/example.yml", tmp_path / "production/files/flow.yml")
    listed = subprocess.run(
        [Path(sys.executable).parent / "ansible-inventory", "-i", tmp_path / "production", "--graph"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert listed.stderr == ""
    assert listed.stdout.split() == ["@all:", "|--@ungrouped:", "|--@exotel_ws:", "|", "|--voicebot-1"]
