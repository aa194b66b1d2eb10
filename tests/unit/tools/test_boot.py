"""Units that start at the next boot, and the mark of a host in maintenance."""

from pathlib import Path

from ansible_collections.exotel.voicebot.plugins.module_utils import maintenance as marks
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from exotelctl import boot


def test_what_does_not_start_at_boot(tmp_path: Path) -> None:
    wants = tmp_path / "sockets.target.wants"
    wants.mkdir()
    (wants / "exotel-ws.socket").touch()
    assert boot.missing("g1", 2, boot.enabled(tmp_path)) == ["exotel-ws@g1-1.service", "exotel-ws@g1-2.service"]


def test_a_maintenance_says_since_when_by_whom_and_why(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.maintenance.parent.mkdir(parents=True)
    assert boot.maintenance(tmp_path) == ""
    mark = marks.begin(paths, "me@desk", "disk\x1b[2J swap\n" + 500 * "x")
    said = boot.maintenance(tmp_path)
    assert said == str(mark)
    assert said.startswith(f"in maintenance since {mark.since}, by me@desk: disk?[2J swap xxx")
    assert len(said) < 300
    paths.maintenance.write_text("not ours")
    assert boot.maintenance(tmp_path) == "in maintenance since an unknown time, by somebody"
    marks.end(paths)
    marks.end(paths)
    assert boot.maintenance(tmp_path) == ""
