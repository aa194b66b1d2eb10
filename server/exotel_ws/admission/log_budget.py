"""Bounds on log lines: calls that have proven themselves are logged in full, everybody else shares a small budget.

A stranger who connects over and over must not push the lines of real calls out of the journal. So the first lines of a
connection are written while its source and the worker have lines left, and held back after that: they are written, in their
order, when the connection proves to be a call, and left out when it ends without. A part of the budget is for those that say
that a call began and how it ended: calls of a second prove nothing, and an operator has to see them all the same. Whatever is
left out is counted by kind (`BOUNDS`) and said once in a while.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from exotel_ws.admission.bounds import Ticket
from exotel_ws.admission.bucket import Bucket
from exotel_ws.logs import Verdict
from exotel_ws.settings import Log

BOUNDS: Final = {
    "log_stranger": "log.stranger_lines_s",
    "log_call": "log.call_lines_s",
    "log_lost": "",
}
"""Bounds on log lines, each with the setting that raises it; none raises `log_lost`, which is the journal's."""
SAID: Final = {
    "log_stranger": "lines about connections that proved to be no call were left out",
    "log_call": "lines of calls were left out",
    "log_lost": "lines were lost, because the journal did not take them",
}
_SAY_EVERY_S: Final = 30.0
_SOURCE_SHARE: Final = 0.2
"""Part of `Log.stranger_burst` that one unproven source may use at once; a connection without a call has four lines."""
_OUTLINE_SHARE: Final = 0.25
"""Part of a source's lines for the outlines of calls whose other lines are left out; an outline has some six lines."""
_TRUSTED_S: Final = 5.0
_TRUSTED_BURST: Final = 5000
"""Lines at once about new connections from a source that makes calls: hundreds of calls may begin at once."""
_CALL_BURST: Final = 1000
"""Lines of one call at once; ten minutes of talk have a hundred."""
_ALL_CALLS_FACTOR: Final = 15.0
"""Lines a second of all calls of a worker together, as a multiple of `Log.call_lines_s`."""
_ALL_CALLS_BURST: Final = 20_000


class LogBudget:
    """Budget of log lines of one worker."""

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = log
        self._clock = clock
        now = clock()
        self._strangers = Bucket(log.stranger_lines_s, log.stranger_burst, now)
        self._calls = Bucket(log.call_lines_s * _ALL_CALLS_FACTOR, _ALL_CALLS_BURST, now)
        self._left_out = dict.fromkeys(BOUNDS, 0)
        self._unsaid = dict.fromkeys(BOUNDS, 0)
        self._said_at = dict.fromkeys(BOUNDS, float("-inf"))

    def call(self) -> Bucket:
        """Return a new call's own budget."""
        return Bucket(self._settings.call_lines_s, _CALL_BURST, self._clock())

    def judge(self, ticket: Ticket, own: Bucket) -> Verdict:
        """Return the verdict on a line of the connection with ``ticket``; ``own`` is its budget once it is a proven call."""
        now = self._clock()
        if ticket.proven:
            if own.take(now) and self._calls.take(now):
                return Verdict.WRITE
            self.leave_out("log_call")
            return Verdict.LEAVE_OUT
        if ticket.trusted:
            takes = ticket.source.bucket("new_call_lines", _TRUSTED_S, _TRUSTED_BURST, now).take(now)
        else:
            takes = self._takes(ticket, "lines", 1 - _OUTLINE_SHARE, now)
        return Verdict.WRITE if takes else Verdict.HOLD

    def outline(self, ticket: Ticket) -> bool:
        """Take one line about the start or the end of a call that has ended unproven. Return False to leave it out."""
        return self._takes(ticket, "outlines", _OUTLINE_SHARE, self._clock())

    def _takes(self, ticket: Ticket, name: str, share: float, now: float) -> bool:
        settings = self._settings
        burst = settings.stranger_burst * _SOURCE_SHARE * share
        own = ticket.source.bucket(name, settings.stranger_lines_s * share, burst, now)
        return own.take(now) and self._strangers.take(now)

    def stranger(self) -> bool:
        """Take one line that belongs to no call: a refusal, a bound, a library's complaint. Return False to leave it out."""
        if self._strangers.take(self._clock()):
            return True
        self.leave_out("log_stranger")
        return False

    def leave_out(self, bound: str, lines: int = 1) -> None:
        """Count lines that are not written."""
        self._left_out[bound] += lines
        self._unsaid[bound] += lines

    def counted(self) -> dict[str, int]:
        """Return the lines left out since the last call, by bound."""
        counted, self._left_out = self._left_out, dict.fromkeys(BOUNDS, 0)
        return counted

    def due(self) -> dict[str, int]:
        """Return the lines left out since they were last logged, by bound; each bound is due at most twice a minute."""
        now = self._clock()
        due = {bound: lines for bound, lines in self._unsaid.items() if lines and now - self._said_at[bound] >= _SAY_EVERY_S}
        for bound in due:
            self._said_at[bound], self._unsaid[bound] = now, 0
        return due


class StrangerFilter(logging.Filter):
    """Passes a record that belongs to no call while a line is left for it; passes every other record always.

    Such records are refusals, bounds, libraries' lines, and tracebacks: a stranger can cause each over and over.
    """

    def __init__(self, budget: LogBudget) -> None:
        super().__init__()
        self._budget = budget

    def filter(self, record: logging.LogRecord) -> bool:
        fields = getattr(record, "fields", {})
        ours = record.name.startswith("exotel_ws")
        # The lines of a connection were judged before.
        about_a_stranger = fields.get("EVENT") in ("refused", "bound") and "CONN_ID" not in fields
        if fields.get("REASON") in BOUNDS or (ours and not about_a_stranger and not record.exc_info):
            return True
        return self._budget.stranger()
