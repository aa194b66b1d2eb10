"""Tallies and their publication. prometheus_client keeps one store a process, so workers are processes here too."""

import subprocess
import sys
from pathlib import Path

from exotel_ws.metrics.publisher import Publisher
from exotel_ws.metrics.tally import LATENCY_BUCKETS_S, Tally
from prometheus_client.parser import text_string_to_metric_families

WORKER = """
import sys
from pathlib import Path
from exotel_ws.metrics.publisher import Publisher
from exotel_ws.metrics.tally import Tally

tally = Tally()
publisher = Publisher(tally, Path(sys.argv[1]), version="1", release="r")
tally.calls, tally.calls_live, tally.rejected["full"] = map(int, sys.argv[2:])
publisher.publish(draining=False, lag_s=0.0)
print(publisher.exposition() + "EOF", flush=True)
sys.stdin.readline()
print(publisher.exposition() + "EOF", flush=True)
"""


def values(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Worker:
    """Process that publishes the values it gets, and scrapes once more on request."""

    def __init__(self, directory: Path, calls: int = 0, live: int = 0, full: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(directory), str(calls), str(live), str(full)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first = self._read()

    def scrape_and_end(self) -> dict[str, float]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found = self._read()
        self.process.communicate(timeout=10)
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)

    def _read(self) -> dict[str, float]:
        assert self.process.stdout is not None
        lines: list[str] = []
        while (line := self.process.stdout.readline()).strip() != "EOF":
            assert line, "the worker has failed"
            lines.append(line)
        return values("".join(lines))


def test_one_process_alone() -> None:
    tally = Tally()
    publisher = Publisher(tally, None, version="1", release="r")
    publisher.publish(draining=False, lag_s=0.25)
    assert values(publisher.exposition())["exotel_ws_calls_total"] == 0
    tally.calls, tally.calls_live, tally.connections = 3, 2, 4
    tally.frames_in, tally.frames_out, tally.bytes_in, tally.bytes_out = 10, 9, 3200, 2880
    tally.faults["not_json"] += 5
    tally.ended["stop"] += 1
    for seconds in (0.00005, 0.0001, 0.002, 5.0):
        tally.observe_latency(seconds)
    for _ in range(2):  # to publish twice is to publish once
        publisher.publish(draining=True, lag_s=0.5)
    found = values(publisher.exposition())
    expected = {
        "calls_total": 3,
        "calls_live": 2,
        "connections_live": 4,
        "frames_totalin": 10,
        "frames_totalout": 9,
        "audio_bytes_totalin": 3200,
        "audio_bytes_totalout": 2880,
        "protocol_faults_totalnot_json": 5,
        "protocol_faults_totalbinary": 0,
        "calls_ended_totalstop": 1,
        "workers_draining": 1,
        "workersr1": 1,
        "loop_lag_seconds": 0.5,
        "echo_latency_seconds_bucket0.0001": 2,
        "echo_latency_seconds_bucket0.001": 2,
        "echo_latency_seconds_bucket0.0025": 3,
        "echo_latency_seconds_bucket1.0": 3,
        "echo_latency_seconds_bucket+Inf": 4,
        "echo_latency_seconds_count": 4,
    }
    assert {name: found[f"exotel_ws_{name}"] for name in expected} == expected


def test_every_latency_has_a_bucket() -> None:
    tally = Tally()
    for seconds in (0.0, *LATENCY_BUCKETS_S, 100.0):
        tally.observe_latency(seconds)
    assert tally.latency == [2, *[1] * (len(LATENCY_BUCKETS_S) - 1), 1]


def test_workers_add_up_and_counters_stay(tmp_path: Path) -> None:
    one = Worker(tmp_path, calls=1, live=1, full=1)
    two = Worker(tmp_path, calls=10, live=10, full=10)
    assert two.first["exotel_ws_calls_total"] == 11
    assert two.first["exotel_ws_calls_live"] == 11
    assert two.first["exotel_ws_handshakes_rejected_totalfull"] == 11
    assert two.first["exotel_ws_workersr1"] == 2
    one.kill()
    found = two.scrape_and_end()
    assert found["exotel_ws_calls_total"] == 11
    assert found["exotel_ws_calls_live"] == 10
    assert found["exotel_ws_workersr1"] == 1
    three = Worker(tmp_path, calls=100, live=100, full=100)
    assert three.first["exotel_ws_calls_total"] == 111
    assert three.first["exotel_ws_calls_live"] == 100
    assert three.first["exotel_ws_workersr1"] == 1
    three.kill()
    assert len(list(tmp_path.glob("slot-*.lock"))) == 2, "a slot that is free is taken over"
