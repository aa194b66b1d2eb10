"""Turn the command line's question to the journal into journal matches. Pure."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from exotel_phone.exits import UsageFault

from exotelctl.options import LogsOptions
from exotelctl.timestamp import timestamp

DEFAULT_LINES: Final = 50
_WARNING: Final = 4
_IDS: Final = ("CALL_SID", "STREAM_SID", "CONN_ID")


def ask(options: LogsOptions) -> LogsOptions:
    """Return what is asked, with ``since`` and ``until`` as timestamps if they are absolute. Raises UsageFault.

    A look-back that nothing bounds is bounded to the last 50 lines.
    """
    call, follow, lines = options.call, options.follow, options.lines
    if call is not None and not call.strip():
        raise UsageFault("--call is empty: name a call_sid, a stream_sid or a conn_id")
    if options.edge and (call is not None or options.event):
        raise UsageFault("--edge shows the edge's lines, which have no call and no event: leave --call and --event out")
    if follow and options.until is not None:
        raise UsageFault("--follow has no end, so it goes without --until")
    if lines is None and (follow or options.since is None) and call is None:
        lines = DEFAULT_LINES
    since, until = (time if time is None else timestamp(time) for time in (options.since, options.until))
    return dataclasses.replace(options, call=call and call.strip(), since=since, until=until, lines=lines)


def leaves_ours_out(asked: LogsOptions) -> bool:
    """Return True if lines of the operator's own test calls are left out, because their faults are on purpose."""
    return asked.errors and not asked.ours and not asked.call


def priority(asked: LogsOptions) -> int | None:
    """Return the least priority that is shown, as the journal counts."""
    return _WARNING if asked.errors else None


def by_id(call: str) -> list[str]:
    """Return matches for the lines that carry the id: all of the call but what was logged before its start."""
    return alternatives([[f"{field}={call}"] for field in _IDS])


def any_of(field: str, values: Iterable[str] | None) -> list[str]:
    """Return matches for the lines with any of these values; none if all are wanted."""
    return [f"{field}={value}" for value in values or ()]


def alternatives(groups: Sequence[Sequence[str]]) -> list[str]:
    """Return matches of which one whole group must hold."""
    return [match for group in groups for match in ("+", *group)][1:]
