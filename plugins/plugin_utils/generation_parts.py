"""Find the parts of a generation beside its settings: extras of its release, files and secrets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2]
VARIABLES = (
    "exotel_ws_mode",
    "exotel_ws_extras",
    "exotel_ws_ai_keys",
    "exotel_ws_credentials",
    "exotel_ws_ai_flow",
    "exotel_ws_ai_prompt",
)
"""Variables that these functions read."""


def extras(values: Mapping[str, Any]) -> list[str]:
    """Return the extras of ``pyproject.toml`` that the release has, each once."""
    of_mode = ["ai"] if values["exotel_ws_mode"] == "ai" else []
    return list(dict.fromkeys([*of_mode, *values["exotel_ws_extras"]]))


def secrets(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the secrets by the name of their credential; ``stream-credentials`` has one ``user:token`` a line."""
    keys = dict(values["exotel_ws_ai_keys"]) if values["exotel_ws_mode"] == "ai" else {}
    credentials = "".join(f"{credential}\n" for credential in values["exotel_ws_credentials"])
    return {**keys, **({"stream-credentials": credentials} if credentials else {})}


def paths(values: Mapping[str, Any], inventory_dir: str | None) -> dict[str, str]:
    """Return the paths of AI mode's files on the controller by their name in the generation.

    A relative one is beside the inventory, or in this tree if the inventory has no directory.
    """
    if values["exotel_ws_mode"] != "ai":
        return {}
    named = {"flow.yml": values["exotel_ws_ai_flow"], "prompt.txt": values["exotel_ws_ai_prompt"]}
    return {name: str(Path(inventory_dir or TREE, path)) for name, path in named.items() if path}
