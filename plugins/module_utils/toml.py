"""Write settings as TOML, which Python does not; and read them back, which it does since 3.11 only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dumps(settings: Mapping[str, Any]) -> str:
    """Return `settings` as a TOML document, keys in the order given, plain values before tables.

    Values may be str, bool, int, float, lists of values, and mappings. Anything else, None included, raises
    ValueError with the dotted name of the key.
    """
    return "\n".join(_table(settings, ())) + "\n"


def plain(text: str) -> dict[str, Any]:
    """Return the plain values and lists of a document that `dumps` wrote, by their dotted names.

    Tables in one line, and whatever else `dumps` does not write, are left out.
    """
    found: dict[str, Any] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("["):
            table = line.strip("[]") + "."
            continue
        key, _, value = line.partition(" = ")
        try:
            found[table + key] = json.loads(value)
        except ValueError:
            continue
    return found


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(key)} = {_value(value, (*path, key))}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        if _is_table(value):
            name = (*path, key)
            lines += ["", "[" + ".".join(_key(part) for part in name) + "]", *_table(value, name)]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _value(value: Any, path: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item, path) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(item, (*path, key))}" for key, item in value.items()) + "}"
    raise ValueError(f"{'.'.join(path)}: a {type(value).__name__} has no place in TOML; give it a value or leave it out")


def _string(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
