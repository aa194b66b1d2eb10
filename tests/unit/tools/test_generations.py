"""Generations as everybody may read them, and the former address of the server, from a table of those that served."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exotelctl.generations import Generation, address_change, load

DAY = 86_400.0
SERVED = datetime(2026, 11, 28, 11, tzinfo=UTC).timestamp()
OLD, NEW = "0.0.0.0:8765", "0.0.0.0:9000"


@pytest.mark.parametrize(
    ("served", "at", "said"),
    [
        ([], DAY, ""),
        ([(0, OLD)], DAY, ""),
        ([(0, OLD), (60, OLD)], DAY, ""),
        ([(0, OLD), (60, NEW)], DAY, "calls to port 8765 are refused since 1970-01-01 00:01 UTC: the applet has to dial 9000"),
        ([(0, OLD), (60, NEW), (120, NEW)], DAY, "calls to port 8765 are refused since 1970-01-01 00:01 UTC"),
        ([(60, NEW), (0, OLD)], DAY, "calls to port 8765 are refused"),
        ([(0, OLD), (60, NEW), (120, OLD)], DAY, "calls to port 9000 are refused since 1970-01-01 00:02 UTC"),
        ([(0, OLD), (60, NEW)], 8 * DAY, ""),
        # Behind an edge nobody else dials the port.
        ([(0, "127.0.0.1:8765"), (60, "127.0.0.1:9000")], DAY, ""),
        (
            [(0, OLD), (60, "127.0.0.1:8765")],
            DAY,
            "calls are taken at 127.0.0.1:8765 since 1970-01-01 00:01 UTC, and at 0.0.0.0:8765 no more",
        ),
        # Who may not read the settings is told what holds with an edge and without.
        (
            [(0, "127.0.0.1:8765"), (60, OLD)],
            DAY,
            "calls are taken at 0.0.0.0:8765 since 1970-01-01 00:01 UTC, and before at 127.0.0.1:8765 only",
        ),
        ([(0, OLD), (60, "127.0.0.1:9000")], DAY, "calls are taken at 127.0.0.1:9000 since"),
    ],
)
def test_the_last_change_of_address(served: list[tuple[float, str]], at: float, said: str) -> None:
    told = address_change([Generation("g", "r", 1, since, listen) for since, listen in served], at)
    assert bool(told) == bool(said)
    assert told.startswith(said)


EDGE = [("127.0.0.1:8765", ("wss", 443)), ("127.0.0.1:9000", ("wss", 443))]
PLAIN = [(OLD, ("ws", 8765))]
GONE = "calls by wss:// to port 443 are refused since 1970-01-01 00:01 UTC: the applet has to dial ws:// and port 8765"
CAME = "calls by ws:// to port 8765 are refused since 1970-01-01 00:01 UTC: the applet has to dial wss:// and port 443"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(edge, plain, GONE) for edge in EDGE for plain in PLAIN] + [(plain, edge, CAME) for plain in PLAIN for edge in EDGE],
)
def test_an_edge_that_came_or_went_is_told_as_callers_see_it(
    before: tuple[str, tuple[str, int]], after: tuple[str, tuple[str, int]], said: str
) -> None:
    history = [Generation("a", "r", 1, 0, *before), Generation("b", "r", 1, 60, *after)]
    assert address_change(history, DAY) == said


def test_how_callers_dial_is_read_from_the_settings(tmp_path: Path) -> None:
    urls = {"a": "wss://voice.example.com/p4th", "b": "ws://198.51.100.7:8765", "c": ""}
    for name, url in urls.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "generation.json").write_text(json.dumps({"release": "r", "workers": 2, "listen": OLD}))
        (tmp_path / name / "settings.toml").write_text(f'public_url = "{url}"\n')
    found = load(tmp_path)
    assert {name: one.dialled for name, one in found.items()} == {"a": ("wss", 443), "b": ("ws", 8765), "c": None}


def test_generations_are_read_from_what_the_deploy_wrote(tmp_path: Path) -> None:
    for name, listen, served in (("a", OLD, "2026-11-28T10:00:00Z"), ("b", NEW, "2026-11-28T11:00:00Z"), ("c", OLD, None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "generation.json").write_text(json.dumps({"release": "r", "workers": 2, "listen": listen}))
        if served:
            (tmp_path / name / "served").write_text(f"{served}\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/generation.json").write_text("{}")
    (tmp_path / "broken/served").write_text("?")
    found = load(tmp_path)
    assert found.keys() == {"a", "b", "c"}
    assert found["b"] == Generation("b", "r", 2, SERVED, NEW)
    assert found["c"] == Generation("c", "r", 2, None, OLD)
    assert address_change(found.values(), SERVED + DAY).startswith("calls to port 8765 are refused since 2026-11-28 11:00 UTC")
