"""Find in the journal of this host what is asked for. Nothing is printed here."""

import dataclasses
import heapq
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypedDict

from exotelctl import journal
from exotelctl.edge import log
from exotelctl.journal import DROPPED, OUR_UNITS, Entry
from exotelctl.logs.question import alternatives, any_of, by_id, leaves_ours_out, priority
from exotelctl.options import LogsOptions

_BESIDE: Final = 20
"""Lines read for each line asked for, where lines are filtered out afterwards: of test calls, and of the edge."""
_OURS: Final = ("exotel-ws", journal.EDGE_UNIT)
_LATE_S: Final = 60.0
"""journald tells of suppressed lines with the next line that it lets through, by default within 30 s."""


class _Window(TypedDict):
    """Options of `journal.read` that a question has for all lines alike."""

    since: str | None
    until: str | None
    priority: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """The ``entries`` that answer a question, in order of time.

    ``starts`` is when the journal begins (Unix seconds, None: it is empty). ``whole`` False: something asked for may be missing,
    because the journal does not reach back that far. ``known`` False: the journal has no line of the call asked for.
    """

    entries: Iterator[Entry]
    starts: float | None
    whole: bool
    known: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class _Call:
    """Place of a call in the journal: its connections in order, its workers, its first and last line."""

    connections: tuple[str, ...]
    units: frozenset[str]
    first: float
    last: float


def look_back(asked: LogsOptions) -> Story:
    """Return the lines up to now. Raises Refusal and UsageFault."""
    return _look_back(asked, _find(asked))


def follow(asked: LogsOptions) -> Story:
    """Return the lines up to now and those logged from now on, without an end. Raises Refusal and UsageFault."""
    call = _find(asked)
    story = _look_back(asked, call)
    matches = alternatives([[match, *any_of("EVENT", asked.event)] for match in _to_follow(asked, call)])
    return dataclasses.replace(story, entries=in_order([_go_on(story.entries, asked, matches)]))


def in_order(sources: Sequence[Iterable[Entry]]) -> Iterator[Entry]:
    """Yield the entries of all ``sources``, each of which is in order, by time and each once."""
    now, seen = 0.0, set[str]()
    for entry in heapq.merge(*sources, key=lambda entry: entry.time):
        if entry.time != now:
            now, seen = entry.time, set()
        if entry.origin not in seen:
            seen.add(entry.origin)
            yield entry


def _find(asked: LogsOptions) -> _Call | None:
    """Return the call in the journal; None if no line has its id. What was logged before its start has its connection's only."""
    if not asked.call:
        return None
    fields = ("CONN_ID", "_SYSTEMD_UNIT")
    found = [*journal.read(units=(), matches=by_id(asked.call), since=asked.since, until=asked.until, only=fields)]
    connections = dict.fromkeys(entry.fields["CONN_ID"] for entry in found if "CONN_ID" in entry.fields)
    if not connections:
        return None
    return _Call(tuple(connections), frozenset(entry.unit for entry in found), found[0].time, found[-1].time)


def _look_back(asked: LogsOptions, call: _Call | None) -> Story:
    starts = journal.starts()
    events = any_of("EVENT", asked.event)
    if call is not None:
        shown = _read(asked, [*any_of("CONN_ID", call.connections), *events])
        gaps = [gap for gap in _dropped(_at(call.first), _at(call.last + _LATE_S)) if gap.unit in call.units]
        return Story(in_order([shown, gaps]), starts, whole=_all_opened(call) or _reaches(asked.since))
    if asked.call:
        return Story(iter(()), starts, whole=False, known=False)
    whole = _reaches(asked.since)
    found = _server_and_edge(asked, events)
    if asked.lines is None:
        return Story(in_order([found, _dropped(asked.since, asked.until)]), starts, whole)
    last = list(found)
    since = _at(last[0].time) if last else asked.since
    return Story(in_order([last, _dropped(since, asked.until)]), starts, whole or len(last) >= asked.lines)


def _server_and_edge(asked: LogsOptions, events: Sequence[str]) -> Iterator[Entry]:
    """Return the lines of the server, and between them those of the edge that say more; with ``edge`` all of those, and no other.

    The edge has no events.
    """
    if asked.event:
        return _read(asked, events, OUR_UNITS)
    beside = None if asked.lines is None else asked.lines * (1 if asked.edge else _BESIDE)
    of_edge = _wanted(asked, journal.read(**_window(asked), units=(), matches=[journal.OF_EDGE], lines=beside))
    found = of_edge if asked.edge else in_order([_read(asked, events, OUR_UNITS), of_edge])
    return found if asked.lines is None else iter(deque(found, asked.lines))


def _all_opened(call: _Call) -> bool:
    """Return True if the journal has the first line of each of the call's connections."""
    matches = [*any_of("CONN_ID", call.connections), journal.of_event("open")]
    found = journal.read(units=(), matches=matches, only=("CONN_ID",))
    return {entry.fields["CONN_ID"] for entry in found} == set(call.connections)


def _reaches(since: str | None) -> bool:
    """Return True if the journal has an entry, of whatever program, from before ``since``."""
    earlier = journal.read(units=(), until=since, lines=1, only=("MESSAGE",), anybody=True) if since is not None else ()
    return any(True for _ in earlier)


def _dropped(since: str | None, until: str | None) -> Iterator[Entry]:
    """Yield the entries in which journald says that it dropped lines of ours, which it files under its own unit."""
    said = journal.read(units=(), matches=[f"MESSAGE_ID={DROPPED}"], since=since, until=until)
    return (entry for entry in said if entry.unit.startswith(_OURS))


def _to_follow(asked: LogsOptions, call: _Call | None) -> list[str]:
    """Return matches of which one must hold. No pattern of units: journalctl would not see those that come later.

    A connection of the call that is still to come is found by the call's id, from its start on.
    """
    if asked.call:
        connections = any_of("CONN_ID", call.connections if call else ())
        return [match for match in by_id(asked.call) if match != "+"] + connections
    ours = [r"_SYSTEMD_SLICE=system-exotel\x2dws.slice", "_PID=1", f"MESSAGE_ID={DROPPED}"]
    return [journal.OF_EDGE] if asked.edge else ours if asked.event else [*ours, journal.OF_EDGE]


def _go_on(before: Iterator[Entry], asked: LogsOptions, matches: Sequence[str]) -> Iterator[Entry]:
    """Yield ``before``, then the matching entries of our units from the time of its last one on, which may come twice."""
    last = time.time()
    for entry in before:
        last = entry.time
        yield entry
    later = journal.read(units=(), matches=matches, since=_at(last), priority=priority(asked), follow=True)
    yield from _wanted(asked, (entry for entry in later if entry.unit.startswith(_OURS)))


def _read(asked: LogsOptions, matches: Sequence[str], units: Sequence[str] = ()) -> Iterator[Entry]:
    most = asked.lines if leaves_ours_out(asked) else None
    # journalctl can't match entries that lack a field.
    lines = asked.lines if most is None else most * _BESIDE
    found = journal.read(**_window(asked), units=units, matches=matches, lines=lines)
    wanted = _wanted(asked, found)
    return wanted if most is None else iter(deque(wanted, most))


def _window(asked: LogsOptions) -> _Window:
    return {"since": asked.since, "until": asked.until, "priority": priority(asked)}


def _wanted(asked: LogsOptions, entries: Iterator[Entry]) -> Iterator[Entry]:
    if not asked.edge:
        entries = (entry for entry in entries if entry.unit != journal.EDGE_UNIT or log.tells(entry.message))
    if not leaves_ours_out(asked):
        return entries
    return (entry for entry in entries if entry.fields.get("OURS") != "1")


def _at(seconds: float) -> str:
    return f"@{seconds:.6f}"
