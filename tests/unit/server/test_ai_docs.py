"""docs/ai.md has every setting of AI mode, with its default."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from exotel_ws import settings
from exotel_ws.ai.settings import Ai

PAGE = (Path(__file__).parents[3] / "docs/ai.md").read_text("utf-8")
BLOCKS = [tomllib.loads(block)["ai"] for block in re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
DEFAULTS = tomllib.loads(PAGE.partition("## What else there is to set")[2].split("```")[1].removeprefix("toml"))["ai"]


def flat(table: dict[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and key not in ("services", "tools", "bots"):
            yield from flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


def test_each_setting_is_there() -> None:
    told = {name for block in BLOCKS for name, _ in flat(block)}
    assert told == {name for name, _ in flat(msgspec.to_builtins(Ai()))}


def test_the_defaults_are_those_of_the_server() -> None:
    known = dict(flat(msgspec.to_builtins(Ai())))
    record = dict(flat(BLOCKS[-1]))
    off = {"record.transcripts": False, "record.audio": False}  # the example turns on what is off
    assert dict(flat(DEFAULTS)) | record | off == {name: known[name] for name in dict(flat(DEFAULTS)) | record}


def test_each_example_is_taken() -> None:
    for block in BLOCKS:
        settings.check({"mode": "ai", "ai": block})
