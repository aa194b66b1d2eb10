"""Finds in the journal of this host what a question asks for. Nothing is printed here."""

import dataclasses
import heapq
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from exotelctl import journal
from exotelctl.journal import DROPPED, OUR_UNITS, Entry
from exotelctl.logs import question as matches
from exotelctl.logs.question import Question

_OURS_BESIDE: Final = 20
"""Lines read for each line asked for, where lines of test calls are filtered out afterwards."""
_OURS: Final = "exotel-ws"
_LATE_S: Final = 60.0
"""journald tells of suppressed lines with the next line that it lets through, by default within 30 s."""


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


def look_back(question: Question) -> Story:
    """Return the lines up to now. Raises Refusal and UsageFault."""
    if question.call:
        return _look_back_at_call(question, _find(question))
    starts = journal.starts()
    whole = question.since is not None and _reaches(question.since)
    found = _read(question, matches.by_event(question.events), OUR_UNITS)
    if question.lines is None:
        return Story(in_order([found, _dropped(question.since, question.until)]), starts, whole)
    shown = list(found)
    since = _at(shown[0].time) if shown else question.since
    return Story(in_order([shown, _dropped(since, question.until)]), starts, whole or len(shown) >= question.lines)


def follow(question: Question) -> Story:
    """Yield the lines up to now and those logged from now on, without an end. Raises Refusal and UsageFault."""
    call = _find(question) if question.call else None
    story = _look_back_at_call(question, call) if question.call else look_back(question)
    events = matches.by_event(question.events)
    asked = matches.alternatives([[match, *events] for match in _to_follow(question, call)])
    return dataclasses.replace(story, entries=_go_on(story.entries, question, asked))


def in_order(sources: Sequence[Iterable[Entry]]) -> Iterator[Entry]:
    """Return the entries of all ``sources``, each of which is in order, by time and each once."""
    now, seen = 0.0, set[str]()
    for entry in heapq.merge(*sources, key=lambda entry: entry.time):
        if entry.time != now:
            now, seen = entry.time, set()
        if entry.origin not in seen:
            seen.add(entry.origin)
            yield entry


def _look_back_at_call(question: Question, call: _Call | None) -> Story:
    starts = journal.starts()
    if call is None:
        return Story(iter(()), starts, whole=False, known=False)
    shown = _read(question, [*matches.by_connection(call.connections), *matches.by_event(question.events)])
    gaps = [gap for gap in _dropped(_at(call.first), _at(call.last + _LATE_S)) if gap.unit in call.units]
    whole = _all_opened(call) or (question.since is not None and _reaches(question.since))
    return Story(in_order([shown, gaps]), starts, whole)


def _find(question: Question) -> _Call | None:
    """Return the call in the journal; None if no line has its id. What was logged before its start has its connection's only."""
    asked = matches.by_id(question.call)
    fields = ("CONN_ID", "_SYSTEMD_UNIT")
    found = [*journal.read(units=(), matches=asked, since=question.since, until=question.until, only=fields)]
    connections = dict.fromkeys(entry.fields["CONN_ID"] for entry in found if "CONN_ID" in entry.fields)
    if not connections:
        return None
    return _Call(tuple(connections), frozenset(entry.unit for entry in found), found[0].time, found[-1].time)


def _all_opened(call: _Call) -> bool:
    """Return True if the journal has the first line of each of the call's connections."""
    asked = [*matches.by_connection(call.connections), *matches.by_event(["open"])]
    found = journal.read(units=(), matches=asked, only=("CONN_ID",))
    return {entry.fields["CONN_ID"] for entry in found} == set(call.connections)


def _reaches(since: str) -> bool:
    """Return True if the journal has an entry, of whatever program, from before ``since``."""
    return any(True for _ in journal.read(units=(), until=since, lines=1, only=("MESSAGE",), anybody=True))


def _dropped(since: str | None, until: str | None) -> Iterator[Entry]:
    """Yield the entries in which journald says that it dropped lines of ours, which it files under its own unit."""
    said = journal.read(units=(), matches=[f"MESSAGE_ID={DROPPED}"], since=since, until=until)
    return (entry for entry in said if entry.unit.startswith(_OURS))


def _to_follow(question: Question, call: _Call | None) -> list[str]:
    """Matches of which one must hold. No pattern of units: journalctl would not see those that come later.

    A connection of the call that is still to come is found by the call's id, from its start on.
    """
    if question.call:
        connections = matches.by_connection(call.connections if call else ())
        return [match for match in matches.by_id(question.call) if match != "+"] + connections
    return [r"_SYSTEMD_SLICE=system-exotel\x2dws.slice", "_PID=1", f"MESSAGE_ID={DROPPED}"]


def _go_on(before: Iterator[Entry], question: Question, asked: Sequence[str]) -> Iterator[Entry]:
    """``before``, then the matching entries of our units from its end on. What both have comes once."""
    now, seen = time.time(), set[str]()
    for entry in before:
        if entry.time != now:
            now, seen = entry.time, set()
        seen.add(entry.origin)
        yield entry
    later = journal.read(units=(), matches=asked, since=_at(now), priority=question.priority, follow=True)
    new = (entry for entry in later if entry.unit.startswith(_OURS) and entry.origin not in seen)
    yield from _wanted(question, new)


def _read(question: Question, asked: Sequence[str], units: Sequence[str] = ()) -> Iterator[Entry]:
    lines = question.lines
    if not question.leaves_ours_out or lines is None:
        return _wanted(question, _ask(question, asked, units, lines))
    # journalctl can't match entries that lack a field.
    return iter(deque(_wanted(question, _ask(question, asked, units, lines * _OURS_BESIDE)), lines))


def _ask(question: Question, asked: Sequence[str], units: Sequence[str], lines: int | None) -> Iterator[Entry]:
    return journal.read(
        units=units, matches=asked, since=question.since, until=question.until, lines=lines, priority=question.priority
    )


def _wanted(question: Question, entries: Iterator[Entry]) -> Iterator[Entry]:
    if not question.leaves_ours_out:
        return entries
    return (entry for entry in entries if entry.fields.get("OURS") != "1")


def _at(seconds: float) -> str:
    return f"@{seconds:.6f}"
