"""Former addresses of the server, from a table of generations that served; and units that start at boot."""

import json
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import maintenance as marks
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from exotelctl import boot
from exotelctl.moved import last, look

DAY = 86_400.0
OLD, NEW = "0.0.0.0:8765", "0.0.0.0:9000"


@pytest.mark.parametrize(
    ("served", "at", "said"),
    [
        ([], DAY, None),
        ([(0, OLD)], DAY, None),
        ([(0, OLD), (60, OLD)], DAY, None),
        ([(0, OLD), (60, NEW)], DAY, "calls to port 8765 are refused since 1970-01-01 00:01 UTC: the applet has to dial 9000"),
        ([(0, OLD), (60, NEW), (120, NEW)], DAY, "calls to port 8765 are refused since 1970-01-01 00:01 UTC"),
        ([(60, NEW), (0, OLD)], DAY, "calls to port 8765 are refused"),
        ([(0, OLD), (60, NEW), (120, OLD)], DAY, "calls to port 9000 are refused since 1970-01-01 00:02 UTC"),
        ([(0, OLD), (60, NEW)], 8 * DAY, None),
        (
            [(0, OLD), (60, "127.0.0.1:8765")],
            DAY,
            "calls are taken at 127.0.0.1:8765 since 1970-01-01 00:01 UTC, and at 0.0.0.0:8765",
        ),
    ],
)
def test_the_last_move(served: list[tuple[float, str]], at: float, said: str | None) -> None:
    moved = last(served, at)
    assert (moved is None) == (said is None)
    assert str(moved or "").startswith(said or "")


def test_it_is_read_from_what_served(tmp_path: Path) -> None:
    for name, listen, served in (("a", OLD, "2026-11-28T10:00:00Z"), ("b", NEW, "2026-11-28T11:00:00Z"), ("c", OLD, None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "generation.json").write_text(json.dumps({"listen": listen}))
        if served:
            (tmp_path / name / "served").write_text(f"{served}\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/served").write_text("?")
    moved = look(1795345200.0 + DAY, tmp_path)
    assert moved
    assert (moved.listen, moved.now) == (OLD, NEW)


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
