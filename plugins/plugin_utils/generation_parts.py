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
    "exotel_ws_ai",
)
"""Variables that these functions read."""
FILES = {"flow": "flow.yml", "prompt": "prompt.txt"}
"""Kinds of files on the controller, which settings name by these keys, and their names in the generation."""


def extras(values: Mapping[str, Any]) -> list[str]:
    """Return the extras of ``pyproject.toml`` that the release has, each once."""
    of_mode = ["ai"] if values["exotel_ws_mode"] == "ai" else []
    return list(dict.fromkeys([*of_mode, *values["exotel_ws_extras"]]))


def secrets(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the secrets by the name of their credential; ``stream-credentials`` has one ``user:token`` a line."""
    keys = dict(values["exotel_ws_ai_keys"]) if values["exotel_ws_mode"] == "ai" else {}
    credentials = "".join(f"{credential}\n" for credential in values["exotel_ws_credentials"])
    return {**keys, **({"stream-credentials": credentials} if credentials else {})}


def bots(ai: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the tables of ``bots`` in ``exotel_ws_ai``; what is no table is the server's to refuse."""
    told = ai.get("bots")
    return {str(name): table for name, table in told.items() if isinstance(table, Mapping)} if isinstance(told, Mapping) else {}


def file_of_bot(bot: str, kind: str) -> str:
    """Return the name in the generation of a bot's file of this kind, one of `FILES`."""
    return f"bot-{bot}-{FILES[kind]}"


def paths(values: Mapping[str, Any], inventory_dir: str | None) -> dict[str, str]:
    """Return the paths of AI mode's files on the controller by their name in the generation."""
    return {source["name"]: source["path"] for source in sources(values, inventory_dir)}


def sources(values: Mapping[str, Any], inventory_dir: str | None) -> list[dict[str, str]]:
    """Return AI mode's files on the controller: ``kind`` (``flow`` or ``prompt``), ``name`` in the generation, ``path``, and
    the ``variable`` that ``said`` which file it is.

    A relative one is beside the inventory, or in this tree if the inventory has no directory.
    """
    if values["exotel_ws_mode"] != "ai":
        return []
    told = [(kind, name, f"exotel_ws_ai_{kind}", values[f"exotel_ws_ai_{kind}"]) for kind, name in FILES.items()]
    for bot, table in bots(values["exotel_ws_ai"]).items():
        told += [(kind, file_of_bot(bot, kind), f"exotel_ws_ai: bots.{bot}.{kind}", table.get(kind)) for kind in FILES]
    return [
        {"kind": kind, "name": name, "path": str(Path(inventory_dir or TREE, said)), "variable": variable, "said": said}
        for kind, name, variable, said in told
        if said and isinstance(said, str)
    ]
