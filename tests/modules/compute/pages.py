"""Lists as the API gives them: filtered, ordered by name, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tests.modules.compute.answers import Call, invalid
from tests.modules.compute.discovery import Json

TERM = re.compile(
    r"""\(?\s*(?P<field>[\w.]+)\s*(?P<operator>!=|=|:|\beq\b|\bne\b)\s*(?P<quote>["']?)(?P<value>[^"'()]*?)(?P=quote)\s*\)?(?:\s+AND\s+|\s+|$)"""
)


def page(call: Call, kind: str, items: Iterable[Json], most: int = 500) -> Json:
    """Return one page of the `items` that the call's filter lets through, at most `most` of them.

    Raises ApiError: the filter or the page token is none.
    """
    chosen = sorted(filtered(call, items), key=lambda item: str(item["name"]))
    token = call.query.get("pageToken", "0")
    if not token.isdecimal():
        raise invalid("pageToken", token, "The page token is invalid.")
    start = int(token)
    end = start + min(most, int(call.query.get("maxResults", most)) or most)
    said: Json = {"kind": kind, "id": f"projects/{call.project}"}
    if chosen:  # an empty list is no list in Google's answers
        said["items"] = chosen[start:end]
    return said | ({"nextPageToken": str(end)} if end < len(chosen) else {})


def filtered(call: Call, items: Iterable[Json]) -> list[Json]:
    """Return the items that pass the call's filter: `name = a`, `name:a`, `name eq a.*`, in parentheses, joined by AND."""
    text = call.query.get("filter", "")
    terms, at = [], 0
    while at < len(text):
        if not (match := TERM.match(text, at)) or match.end() == at:
            raise invalid("filter", text, "Invalid list filter expression, or one that this server does not know.")
        terms.append(match.groupdict())
        at = match.end()
    return [item for item in items if all(_lets_through(term, item) for term in terms)]


def _lets_through(term: dict[str, str], item: Json) -> bool:
    value: Any = item
    for name in term["field"].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    match term["operator"]:
        case "=":
            return text == term["value"]
        case "!=":
            return text != term["value"]
        case ":":
            return value is not None and (term["value"] == "*" or term["value"] in text)
        case "eq":
            return re.fullmatch(term["value"], text) is not None
        case _:
            return re.fullmatch(term["value"], text) is None
