"""Count what one worker does, in plain integers: cheap enough for every frame. `publisher` publishes the counts."""

from bisect import bisect_left
from typing import Final

FAULT_KINDS: Final = (
    "not_json",
    "bad_type",
    "no_event",
    "missing_field",
    "bad_payload",
    "bad_digit",
    "too_long",
    "binary",
    "framing",
    "not_utf8",
    "too_big",
    "unknown_event",
    "no_connected",
    "media_before_start",
    "duplicate_start",
    "other_stream",
    "unsolicited_mark",
    "after_stop",
    "unsupported_rate",
    "rate_mismatch",
    "unsupported_encoding",
    "encoding_mismatch",
)
REJECTIONS: Final = (
    "bad_forwarded",
    "bad_handshake",
    "bad_method",
    "bad_request",
    "credentials",
    "full",
    "head_timeout",
    "head_too_big",
    "http_version",
    "not_http",
    "not_websocket",
    "passthru",
    "path",
    "proxy_header",
    "proxy_protocol",
    "target_too_long",
    "tls",
    "upgrade_lost",
)
BOUNDS: Final = (
    # admission
    "unproven_source",
    "unproven_total",
    "unproven_call",
    "handshake_rate",
    "barred",
    "files",
    # one connection
    "no_media",
    "message_rate",
    "byte_rate",
    "early_size",
    "malformed",
    "restarts",
    # log_budget
    "log_stranger",
    "log_call",
    "log_lost",
    # one call of AI mode
    "ai_requests",
    "ai_requests_call",
    "ai_context",
    "ai_speech",
    "ai_speech_call",
    "ai_starts",
    "ai_names",
)
"""Bounds on what one source or connection may use. Each has an entry in docs/operating.md, "Who may use how much"."""
PASSTHRU: Final = ("transfer", "end", "unknown", "no_call_sid")
"""Outcomes that Exotel's Passthru applet was told: those of a call, and those of none that is known."""
ENDINGS: Final = ("stop", "no_stop", "no_start", "closed_by_client", "closed_by_server", "no_media")

LATENCY_BUCKETS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Tally:
    """Counts since the worker started; every key exists from the start, so that the first increase is seen as one."""

    __slots__ = (
        "bounds",
        "bytes_in",
        "bytes_out",
        "calls",
        "calls_live",
        "connections",
        "ended",
        "faults",
        "frames_in",
        "frames_out",
        "latency",
        "latency_sum_s",
        "passthru",
        "rejected",
        "unproven_most",
    )

    def __init__(self) -> None:
        self.frames_in = self.frames_out = self.bytes_in = self.bytes_out = 0
        self.connections = self.calls = self.calls_live = 0
        self.unproven_most = 0
        """Unproven connections or calls of the source that holds most."""
        self.faults = dict.fromkeys(FAULT_KINDS, 0)
        self.rejected = dict.fromkeys(REJECTIONS, 0)
        self.bounds = dict.fromkeys(BOUNDS, 0)
        self.ended = dict.fromkeys(ENDINGS, 0)
        self.passthru = dict.fromkeys(PASSTHRU, 0)
        self.latency = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.latency_sum_s = 0.0

    def observe_latency(self, seconds: float) -> None:
        """Count the time from a frame's arrival in the worker to the hand-over of its echo to the socket."""
        self.latency[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        self.latency_sum_s += seconds
