"""Name the events of the journal and the fields of their lines: what the server writes, and what exotelctl reads.

Readers of a line go by these fields, never by its text. A new event or field is added here first; docs/operating.md
describes those that operators use.
"""

from typing import Final, Literal, get_args

# fmt: off
Event = Literal[
    "open", "connected", "start", "media", "echo", "mark", "dtmf", "clear", "stop", "fault", "hang_up", "lost", "close",
    "refused", "bound", "failed", "tap", "passthru",
    # AI mode
    "lookup", "parameters", "heard", "spoke", "tool", "tool_failed", "provider_error", "switched", "summary", "not_kept", "flood",
    "barge_in", "illegal_phase", "bot_end", "resume", "voicemail", "ended_report",
    # the companion
    "callback",
    # receipts of exotelctl
    "port_clean", "reset",
]
"""Kind of a log line: its field EVENT."""

Field = Literal[
    # of every line of a connection; OURS is 1 for a test call of the operator's
    "EVENT", "CONN_ID", "CALL_SID", "STREAM_SID", "OURS",
    "REMOTE", "QUERY", "RATE", "RATE_ASKED",
    # KIND of a fault, REASON and DETAIL of a refusal or a bound, RAISED_BY the setting that raises the bound
    "KIND", "REASON", "DETAIL", "RAISED_BY",
    # lines not written: how many, in a sum of several seconds if SUM is there, and of which calls
    "LEFT_OUT", "LINES_LEFT_OUT", "SUM", "LOST_CALLS",
    # the end of a connection
    "ENDED", "CODE", "DURATION_MS", "FRAMES_IN", "FRAMES_OUT",
    # AI mode
    "BOT", "HEARD", "HOW", "KEPT", "KEYS", "OUTCOME", "SERVICE", "STAGE", "SWITCHES", "TO", "TOOL", "TURNS", "ERRORS",
    "GREETING_MS", "V2V_P50_MS", "V2V_MAX_MS", "BARGE_INS", "FALSE_BARGE_INS",
]
"""Journal field of the server's own lines."""
# fmt: on

EVENTS: Final[frozenset[str]] = frozenset(get_args(Event))
FIELDS: Final[frozenset[str]] = frozenset(get_args(Field))
