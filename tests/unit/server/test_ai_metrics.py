"""Counters of AI calls in Prometheus' text: every label from the start, and none of them in echo mode."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exotel_ws.ai.records.metrics import AiMetrics
from exotel_ws.ai.records.tally import LOOKUPS, OUTCOMES, REPORTS, STAGE_BUCKETS_S, STAGES, AiTally, Timings
from exotel_ws.metrics.publisher import Publisher
from exotel_ws.metrics.tally import Tally
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

WORKER = """
import sys
from pathlib import Path
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.metrics.publisher import Publisher
from exotel_ws.metrics.tally import Tally

ai = AiTally()

def register(registry):
    if sys.argv[2] != "ai":
        return None
    from exotel_ws.ai.records.metrics import AiMetrics
    return AiMetrics(ai, registry).publish

publisher = Publisher(Tally(), Path(sys.argv[1]), version="1", release="r", mode_metrics=register)
if sys.argv[2] == "ai":
    ai.turns += 2
    ai.stages["stt"].observe(0.06)
publisher.publish(draining=False, lag_s=0.0)
print("exotel_ws.ai.records.metrics" in sys.modules)
print(publisher.exposition())
"""


def registering(tally: AiTally) -> Callable[[CollectorRegistry], Callable[[], None]]:
    """Register the metrics of `tally`, as `AiMode` does."""
    return lambda registry: AiMetrics(tally, registry).publish


def values(text: str) -> dict[str, float]:
    return {
        sample.name.removeprefix("exotel_ws_ai_")
        + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("exotel_ws_ai_") and not sample.name.endswith("_created")
    }


def test_every_label_is_there_from_the_start() -> None:
    publisher = Publisher(Tally(), None, version="1", release="r", mode_metrics=registering(AiTally(["default", "sales"])))
    publisher.publish(draining=False, lag_s=0.0)
    found = values(publisher.exposition())
    assert not any(found.values())
    assert {name for name in found if not name.startswith("stage_seconds")} == {
        "turns_total",
        "apologies_total",
        "pauses_unjudged_total",
        "tool_errors_total",
        *(f"interruptions_total {kind}" for kind in ("meant", "false")),
        *(f"requests_ahead_total {result}" for result in ("used", "wasted")),
        *(f"provider_errors_total {stage}" for stage in ("stt", "llm", "tts", "pipeline")),
        *(f"switches_total {stage}" for stage in ("stt", "llm", "tts")),
        *(f"calls_ended_total {outcome}" for outcome in OUTCOMES),
        *(f"lookups_total {result}" for result in LOOKUPS),
        *(f"ended_reports_total {result}" for result in REPORTS),
        "ended_pending",
        *(f"bot_calls_total {bot}" for bot in ("default", "sales")),
    }
    timed = {name.removeprefix("stage_seconds_count ") for name in found if name.startswith("stage_seconds_count ")}
    assert timed == set(STAGES)


def test_what_was_counted() -> None:
    ai = AiTally()
    publisher = Publisher(Tally(), None, version="1", release="r", mode_metrics=registering(ai))
    publisher.publish(draining=False, lag_s=0.0)
    ai.turns, ai.apologies, ai.tool_errors = 5, 1, 6
    ai.interruptions["false"] += 2
    ai.not_judged()
    ai.errors["llm"] += 3
    ai.switches["tts"] += 1
    ai.ended["transfer"] += 4
    for seconds in (0.04, 0.05, 0.3, 0.75, 9.0):
        ai.stages["voice_to_voice"].observe(seconds)
    for _ in range(2):  # to publish twice is to publish once
        publisher.publish(draining=False, lag_s=0.0)
    found = {name: value for name, value in values(publisher.exposition()).items() if value}
    buckets = {name: value for name, value in found.items() if name.startswith("stage_seconds_bucket")}
    assert {name: value for name, value in found.items() if name not in buckets} == {
        "turns_total": 5,
        "apologies_total": 1,
        "pauses_unjudged_total": 1,
        "tool_errors_total": 6,
        "interruptions_total false": 2,
        "provider_errors_total llm": 3,
        "switches_total tts": 1,
        "calls_ended_total transfer": 4,
        "stage_seconds_count voice_to_voice": 5,
        "stage_seconds_sum voice_to_voice": pytest.approx(10.14),
    }
    expected = {0.05: 2, 0.2: 2, 0.3: 3, 0.6: 3, 0.8: 4, 5.0: 4}
    assert {edge: buckets[f"stage_seconds_bucket {edge} voice_to_voice"] for edge in expected} == expected
    assert buckets["stage_seconds_bucket +Inf voice_to_voice"] == 5


def test_every_time_has_a_bucket() -> None:
    timings = Timings()
    for seconds in (0.0, *STAGE_BUCKETS_S, 100.0):
        timings.observe(seconds)
    assert timings.counts == [2, *[1] * (len(STAGE_BUCKETS_S) - 1), 1]
    assert (STAGE_BUCKETS_S[0], STAGE_BUCKETS_S[-1]) == (0.05, 5.0)


def worker(directory: Path, mode: str) -> tuple[bool, str]:
    command = [sys.executable, "-c", WORKER, str(directory), mode]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    loaded, _, text = done.stdout.partition("\n")
    return loaded == "True", text


def test_workers_add_up(tmp_path: Path) -> None:
    worker(tmp_path, "ai")
    _, text = worker(tmp_path, "ai")
    found = values(text)
    assert (found["turns_total"], found["stage_seconds_count stt"], found["stage_seconds_bucket 0.1 stt"]) == (4, 2, 2)


def test_echo_mode_has_none_of_it(tmp_path: Path) -> None:
    loaded, text = worker(tmp_path, "echo")
    assert not loaded
    assert "_ai_" not in text
