"""Counts of one worker's AI calls, beside those of any mode in `exotel_ws.metrics.tally`. `records.metrics` publishes them."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

STAGES: Final = ("turn_end", "stt", "llm_first_token", "tts_first_audio", "voice_to_voice", "barge_in", "greeting")
"""Stages that are timed; `exotel_ws.ai.records.stopwatch` says from when to when."""
STAGE_BUCKETS_S: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
SERVICES: Final = ("stt", "llm", "tts", "pipeline")
"""Stages that can fail; ``pipeline`` is for what belongs to no service."""
LOOKUPS: Final = ("answered", "failed", "not_asked")
"""Results of asking who calls, before a greeting."""
OUTCOMES: Final = (
    *("hang_up", "transfer", "caller", "silence", "voicemail", "no_media", "time_up", "limit", "failed", "drained", "other"),
)
REPORTS: Final = ("sent", "failed", "dropped")
"""Results of a try to report an ended call: it was taken, it was not, it is never tried again."""
INTERRUPTIONS: Final = ("meant", "false")
AHEAD: Final = ("used", "wasted")
"""Results of asking a language model before a turn is over."""


class Timings:
    """Durations of a stage: counts by bucket, the last for what is beyond all, and their sum in seconds."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(STAGE_BUCKETS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(STAGE_BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


class AiTally:
    """Counts since the worker started; every key exists from the start, so that the first increase is seen as one."""

    __slots__ = (
        "ahead",
        "apologies",
        "bots",
        "ended",
        "ended_pending",
        "ended_reports",
        "errors",
        "interruptions",
        "lookups",
        "stages",
        "switches",
        "tool_errors",
        "turns",
        "unjudged",
    )

    def __init__(self, bots: Iterable[str] = ()) -> None:
        """``bots`` are the names of the bots that answer calls."""
        self.bots = dict.fromkeys(bots, 0)
        self.turns = self.apologies = self.tool_errors = self.unjudged = 0
        self.stages = {stage: Timings() for stage in STAGES}
        self.interruptions = dict.fromkeys(INTERRUPTIONS, 0)
        self.ahead = dict.fromkeys(AHEAD, 0)
        self.errors = dict.fromkeys(SERVICES, 0)
        self.lookups = dict.fromkeys(LOOKUPS, 0)
        self.switches = dict.fromkeys(SERVICES[:-1], 0)
        self.ended = dict.fromkeys(OUTCOMES, 0)
        self.ended_reports = dict.fromkeys(REPORTS, 0)
        self.ended_pending = 0
        """Reports of ended calls that wait on disk, those of all workers."""

    def not_judged(self) -> None:
        """Count a pause of which the turn model was not asked, since it would have answered too late."""
        self.unjudged += 1
