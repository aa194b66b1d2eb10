"""docs/operating.md tells every setting outside of `[limits]` and `[ai]`, with its default; those two have pages of their own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from exotel_ws.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs/operating.md").read_text("utf-8")
SECTION = PAGE.partition("\n## Settings\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (`[^|]+`) \| ([^|]+?) \|", SECTION, re.MULTILINE)
TOLD = {
    name: default
    for names, defaults in ROWS
    for name, default in zip(re.findall(r"`([^`]+)`", names), defaults.split(", "), strict=True)
}


def flat(table: dict[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


def shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default or "none").replace("[]", "none")


def test_each_setting_is_told_with_its_default() -> None:
    settings = flat(msgspec.to_builtins(Settings()))
    assert {name: shown(value) for name, value in settings if not name.startswith(("limits.", "ai."))} == TOLD
