"""The filter that names what an unknown variable was probably meant to be."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "plugins/filter/did_you_mean.py"


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("did_you_mean", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("unknown", "known", "said"),
    [
        ([], ["exotel_ws_port"], []),
        (
            ["exotel_ws_prot"],
            ["exotel_ws_mode", "exotel_ws_port"],
            ["unknown variable exotel_ws_prot (did you mean exotel_ws_port?)"],
        ),
        (["gcp_zone_of_moon"], ["exotel_ws_port"], ["unknown variable gcp_zone_of_moon"]),
        (
            ["exotel_ws_worker", "gcp_projct"],
            ["gcp_project", "exotel_ws_workers"],
            [
                "unknown variable exotel_ws_worker (did you mean exotel_ws_workers?)",
                "unknown variable gcp_projct (did you mean gcp_project?)",
            ],
        ),
    ],
)
def test_suggestions(plugin: ModuleType, unknown: list[str], known: list[str], said: list[str]) -> None:
    assert plugin.FilterModule().filters()["did_you_mean"](unknown, known) == said
