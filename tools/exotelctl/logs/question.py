"""Turn the command line's question to the journal into journal matches. Pure."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from exotel_phone.exits import UsageFault

from exotelctl.instant import instant
from exotelctl.options import LogsOptions

DEFAULT_LINES: Final = 50
WARNING: Final = 4
_IDS: Final = ("CALL_SID", "STREAM_SID", "CONN_ID")


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """``call`` is a call_sid, stream_sid or conn_id ("" for all calls), ``lines`` None for everything there is.

    ``since`` and ``until`` are in journalctl's words, ``errors`` leaves out what is less than a warning, ``events`` what is not
    one of these (empty: none is left out). ``ours`` shows the operator's own test calls among the errors too.
    """

    call: str = ""
    since: str | None = None
    until: str | None = None
    errors: bool = False
    events: tuple[str, ...] = ()
    lines: int | None = None
    follow: bool = False
    ours: bool = False

    @property
    def leaves_ours_out(self) -> bool:
        """True if lines of the operator's own test calls are left out, because their faults are on purpose."""
        return self.errors and not self.ours and not self.call

    @property
    def priority(self) -> int | None:
        """Return the least priority that is shown, as the journal counts."""
        return WARNING if self.errors else None


def ask(options: LogsOptions) -> Question:
    """Return the question as typed, absolute times as instants. Raises UsageFault.

    A look-back that nothing bounds is bounded to the last 50 lines.
    """
    call, follow, lines = options.call, options.follow, options.lines
    if call is not None and not call.strip():
        raise UsageFault("--call is empty: name a call_sid, a stream_sid or a conn_id")
    if follow and options.until is not None:
        raise UsageFault("--follow has no end, so it goes without --until")
    if lines is None and (follow or options.since is None) and call is None:
        lines = DEFAULT_LINES
    since, until = (time if time is None else instant(time) for time in (options.since, options.until))
    return Question((call or "").strip(), since, until, options.errors, tuple(options.event or ()), lines, follow, options.ours)


def by_id(call: str) -> list[str]:
    """Matches for the lines that carry the id: all of the call but what was logged before its start."""
    return alternatives([[f"{field}={call}"] for field in _IDS])


def by_connection(connections: Iterable[str]) -> list[str]:
    """Matches for every line of these connections."""
    return [f"CONN_ID={connection}" for connection in connections]


def by_event(events: Iterable[str]) -> list[str]:
    """Matches for any of these events; none where all are wanted."""
    return [f"EVENT={event}" for event in events]


def alternatives(groups: Sequence[Sequence[str]]) -> list[str]:
    """Matches of which one whole group must hold."""
    return [match for group in groups for match in ("+", *group)][1:]
