"""``exotelctl logs --merge``: what several hosts answered, as one story.

Input are the JSON lines of ``logs --json`` of each host, one after the other. Before those of a host ``playbooks/logs.yml`` puts
``{"kind": "source", "host": NAME, "fault": ""}``: NAME is then what the host is called, and ``fault`` why it did not answer.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec
from exotel_phone.captures.records import Time
from exotel_phone.exits import UsageFault
from exotel_phone.output import json_text
from exotel_phone.text import plural, printable

from exotelctl.journal import Entry
from exotelctl.logs import lines


@dataclasses.dataclass(slots=True)
class Source:
    """One host: why it did not answer ("" where that is unknown), or when its journal starts (Unix seconds) and its lines."""

    host: str
    fault: str = ""
    answered: bool = False
    starts: float | None = None
    entries: list[Entry] = dataclasses.field(default_factory=list)


def read(text: Iterable[str]) -> list[Source]:
    """Return the hosts, in the order in which they were given. Raises UsageFault for a line that is none of ours."""
    found: list[Source] = []
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            _take(json.loads(line), found)
        except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise UsageFault(
                f"line {number} to merge is none of `exotelctl logs --json`: {type(error).__name__}: {error}"
            ) from None
    return found


def story(sources: Sequence[Source]) -> list[Entry]:
    """Return the lines of all hosts by time, each once however often it was collected."""
    seen = dict[str, Entry]()
    for entry in sorted(chain.from_iterable(source.entries for source in sources), key=lambda entry: entry.time):
        seen.setdefault(entry.origin, entry)
    return list(seen.values())


def as_text(source: Source) -> str:
    """Say what became of one host."""
    host = printable(source.host, 60)
    if source.answered:
        return f"{host}: answered {plural(len(source.entries), 'line')}, {lines.beginning(source.starts)}"
    return f"{host}: did not answer: {printable(source.fault) or 'nothing came'}"


def as_json(source: Source) -> str:
    """Return the same as one JSON object."""
    said = {"kind": "host", "host": source.host, "answered": source.answered, "lines": len(source.entries)}
    return json_text({**said, "starts": source.starts, "fault": source.fault})


def _take(said: dict[str, Any], found: list[Source]) -> None:
    kind = said["kind"]
    if kind == "source":
        found.append(Source(str(said["host"]), str(said["fault"])))
    elif kind == "journal":
        if not found or found[-1].answered:
            found.append(Source(str(said["host"])))
        found[-1].answered = True
        found[-1].starts = msgspec.convert(said["starts"], Time | None)
    elif kind == "line" and found:
        found[-1].entries.append(lines.from_json(said, found[-1].host))
    else:
        raise ValueError(f"kind {kind!r} is not expected here")
