"""Publish the tally of a worker's AI calls, as `exotel_ws.metrics.publisher` publishes the server's."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from exotel_ws.ai.records.tally import STAGE_BUCKETS_S, AiTally
from exotel_ws.metrics.publisher import advance, advance_cells


class AiMetrics:
    """Metrics of one worker's `AiTally`. Import this module only once prometheus_client's store of values is chosen."""

    def __init__(self, tally: AiTally, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, label: str) -> Counter:
            return Counter(f"exotel_ws_ai_{name}", text, [label], registry=registry)

        self._tally = tally
        self._published = before = AiTally(tally.bots)
        self._turns = Counter("exotel_ws_ai_turns", "What callers said and the bot understood", registry=registry)
        self._apologies = Counter("exotel_ws_ai_apologies", "Calls told that there is a technical problem", registry=registry)
        self._tool_errors = Counter("exotel_ws_ai_tool_errors", "Calls of tools of which nothing came", registry=registry)
        self._unjudged = Counter(
            "exotel_ws_ai_pauses_unjudged", "Pauses that the turn model would have judged too late", registry=registry
        )
        self._by_label = (
            (
                counter("interruptions", "Callers who spoke into the bot's words", "kind"),
                tally.interruptions,
                before.interruptions,
            ),
            (
                counter("requests_ahead", "Requests to a language model before a turn was over, by result", "result"),
                tally.ahead,
                before.ahead,
            ),
            (counter("provider_errors", "Services that failed, by stage", "stage"), tally.errors, before.errors),
            (counter("switches", "Changes to the next service, by stage", "stage"), tally.switches, before.switches),
            (
                counter("lookups", "Calls for which ai.start_url was to be asked", "result"),
                tally.lookups,
                before.lookups,
            ),
            (counter("bot_calls", "AI calls by the bot that answered", "bot"), tally.bots, before.bots),
            (
                counter("ended_reports", "Reports of ended calls to ai.ended_url, by result", "result"),
                tally.ended_reports,
                before.ended_reports,
            ),
            (counter("calls_ended", "AI calls that ended, by outcome", "outcome"), tally.ended, before.ended),
        )
        for metric, values, _ in self._by_label:
            for value in values:
                metric.labels(value)
        self._pending = Gauge(
            "exotel_ws_ai_ended_pending",
            "Reports of ended calls that wait on disk",
            registry=registry,
            multiprocess_mode="livemax",
        )
        stages = Histogram(
            "exotel_ws_ai_stage_seconds",
            "What a turn's stages took; docs/ai.md says from when to when",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=registry,
        )
        self._stages = {stage: stages.labels(stage) for stage in tally.stages}

    def publish(self) -> None:
        """Bring the published values up to the tally. Cheap."""
        now, before = self._tally, self._published
        self._turns.inc(now.turns - before.turns)
        self._apologies.inc(now.apologies - before.apologies)
        self._tool_errors.inc(now.tool_errors - before.tool_errors)
        self._unjudged.inc(now.unjudged - before.unjudged)
        before.turns, before.apologies, before.tool_errors = now.turns, now.apologies, now.tool_errors
        before.unjudged = now.unjudged
        self._pending.set(now.ended_pending)
        for metric, current, published in self._by_label:
            advance(metric, current, published)
        for stage, histogram in self._stages.items():
            current_s, published_s = now.stages[stage], before.stages[stage]
            advance_cells(histogram, current_s.counts, published_s.counts, current_s.sum_s - published_s.sum_s)
            published_s.sum_s = current_s.sum_s
