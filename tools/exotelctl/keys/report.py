"""The keys and their use as text for people and as JSON. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ansible_collections.exotel.voicebot.plugins.module_utils.status import columns
from exotel_phone.text import duration

from exotelctl.keys.credentials import Key
from exotelctl.keys.usage import PLACES, Record

SERVING: Final = "serving"
RETIRED: Final = "retired"
LEFT: Final = "not served"
"""State of a key that the serving generation lacks, and that no worker has called retired: one still drains."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One key: its id and name, its state, and its use (None: nothing is recorded)."""

    id: str
    name: str
    state: str
    record: Record | None


def rows(serving: Sequence[Key], records: Mapping[str, Record]) -> list[Row]:
    """Return the keys: those that are served in the order of their file, then the others, retired last."""
    known = {key.id: Row(key.id, key.name, SERVING, records.get(key.id)) for key in serving}
    others = [
        Row(id, record.name, LEFT if record.retired is None else RETIRED, record)
        for id, record in records.items()
        if id not in known
    ]
    return [*known.values(), *sorted(others, key=lambda row: (row.state == RETIRED, -_time(row)))]


def _time(row: Row) -> float:
    assert row.record is not None
    return row.record.since if row.record.retired is None else row.record.retired


def as_text(found: Sequence[Row], now: float, *, recorded: bool) -> str:
    """Return a table; `now` is in Unix seconds. Without `recorded`, use is unknown, not absent."""
    cells = [("KEY", "STATE", "KNOWN", "LAST USED", *(place.upper() for place in PLACES))]
    for row in found:
        record = row.record
        if record is None:
            cells.append((row.name, row.state, "-" if recorded else "?", "never" if recorded else "?", *("-" * len(PLACES))))
            continue
        state = row.state if record.retired is None or row.state != RETIRED else f"{RETIRED} {_ago(now, record.retired)}"
        places = [record.places.get(name) for name in PLACES]
        uses = (f"{place.count}, {_ago(now, place.last)}" if place and place.count else "-" for place in places)
        last = "never" if record.last is None else _ago(now, record.last)
        cells.append((row.name, state, duration(max(0.0, now - record.since)), last, *uses))
    return columns(cells)


def as_json(found: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the same under stable keys, times in Unix seconds."""
    return [
        {
            "id": row.id,
            "name": row.name,
            "state": row.state,
            "since": row.record and row.record.since,
            "retired": row.record and row.record.retired,
            "count": row.record.count if row.record else 0,
            "last": row.record and row.record.last,
            "places": {name: dataclasses.asdict(place) for name, place in row.record.places.items()} if row.record else {},
        }
        for row in found
    ]


def _ago(now: float, then: float) -> str:
    return f"{duration(max(0.0, now - then))} ago"
