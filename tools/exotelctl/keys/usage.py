"""Read what the workers record of the use of each key."""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from exotel_phone.command import command
from exotel_phone.text import printable

from exotelctl.keys import bounded

FILE: Final = Path("/var/lib/exotel-ws-keys/usage.json")
PLACES: Final = ("header", "path", "start", "query")
"""Places in which a call shows its key, in the order of reports."""
_MOST_BYTES: Final = 1 << 20
_MOST_KEYS: Final = 200
"""Most keys that are read; the workers keep no more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Use of a key in one place: how often, and when last, in Unix seconds."""

    count: int
    last: float


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """Use of one key. ``since`` it is known to the workers, ``retired`` it is refused (None: it is not), in Unix seconds."""

    name: str
    since: float
    retired: float | None
    places: Mapping[str, Place]

    @property
    def count(self) -> int:
        """Return how often it was shown."""
        return sum(place.count for place in self.places.values())

    @property
    def last(self) -> float | None:
        """Return when it was shown last; None if never."""
        return max((place.last for place in self.places.values() if place.count), default=None)


class Unreadable(Exception):
    """Raised if the record cannot be read; the text has the reason and what to do."""


def read(file: Path = FILE) -> dict[str, Record]:
    """Return the records by the id of their key. Raises Unreadable for a missing file and for one in another form."""
    try:
        return _records(json.loads(bounded.read(file, _MOST_BYTES)))
    except FileNotFoundError:
        raise Unreadable(
            f"no use of a key is recorded: {file} is missing. Workers write it within 10 s of their start, releases "
            "from before there were recorded keys never: ansible-playbook deploy.yml -i INVENTORY"
        ) from None
    except OSError as error:
        raise Unreadable(f"{file}: {error.strerror}") from None
    except RecursionError:
        raise Unreadable(_corrupt(file, "it is nested too deeply")) from None
    except ValueError as error:
        raise Unreadable(_corrupt(file, str(error))) from None


def _corrupt(file: Path, why: str) -> str:
    cure = command("sudo", "rm", str(file))
    return (
        f"{file} is not what the workers write ({printable(why, 100)}). One that serves puts it aside within 10 s and counts "
        f"afresh; if none does: {cure}"
    )


def _records(said: Any) -> dict[str, Record]:
    keys = _mapping(_mapping(said, "it").get("keys"), "keys")
    if len(keys) > _MOST_KEYS:
        raise ValueError(f"it has more than {_MOST_KEYS} keys")
    for key in keys:
        if not re.fullmatch("[0-9a-f]{16}", key):
            raise ValueError("a key's id is not 16 hex digits")
    return {key: _record(_mapping(about, key)) for key, about in keys.items()}


def _record(about: Mapping[str, Any]) -> Record:
    places = _mapping(about.get("places", {}), "places")
    used = {name: _mapping(places[name], name) for name in PLACES if name in places}
    return Record(
        name=printable(str(about.get("name", "")), 60),
        since=_number(about.get("since"), "since"),
        retired=None if about.get("retired") is None else _number(about["retired"], "retired"),
        places={
            name: Place(int(_number(use.get("count"), "count")), _number(use.get("last"), "last")) for name, use in used.items()
        },
    )


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no mapping")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value < 1e15:
        raise ValueError(f"{name} is no number")
    return value
