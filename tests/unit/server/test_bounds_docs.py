"""docs/operating.md tells every bound, and every limit with its default."""

import re
from pathlib import Path

import msgspec
import pytest
from exotel_ws.admission.bounds import RAISED_BY
from exotel_ws.metrics.tally import BOUNDS
from exotel_ws.settings import Limits

PAGE = (Path(__file__).parents[3] / "docs/operating.md").read_text("utf-8")
SECTION = PAGE.partition("## Who may use how much")[2].partition("\n## ")[0]
ROWS = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", SECTION, re.MULTILINE))


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_each_limit_is_told_with_its_default(name: str) -> None:
    default = msgspec.to_builtins(Limits())[name]
    assert ROWS[name] == (f"{default:g}" if isinstance(default, float) else str(default or "none").replace("[]", "none"))


@pytest.mark.parametrize("bound", BOUNDS)
def test_each_bound_is_told(bound: str) -> None:
    assert f"`{bound}`" in SECTION


def test_what_raises_a_bound_is_a_bound_of_ours() -> None:
    assert RAISED_BY.keys() <= set(BOUNDS)
