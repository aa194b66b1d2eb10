"""Scraped counters equal the messages sent, over all workers of a host, and never go back."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess, eventually


def _call(server: ServerProcess, frames: int, *extra: str, stop: bool = True) -> None:
    """Send ``frames``, then ``extra`` messages; only media are answered."""

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            sent = wire.audio(frames)
            assert await phone.converse(sent) == sent
            await phone.send(*extra)
            for _ in [message for message in extra if '"media"' in message]:
                assert (await phone.receive())["event"] == "media"
            await phone.in_order()
            if stop:
                await phone.send(wire.stop())
                await phone.silence(0.05)

    live = server.metric("connections_live")
    asyncio.run(call())
    eventually(lambda: server.metric("connections_live") == live, "the call to be over")


def test_counts_equal_what_was_sent(start_server: StartServer) -> None:
    server = start_server()
    faulty = [
        "{",
        "[]",
        '{"no":"event"}',
        wire.message(event="mark"),
        wire.media(b"abc"),
        wire.dtmf("x"),
        wire.message(event="new"),
    ]
    _call(server, 30)
    _call(server, 20, *faulty)
    _call(server, 10, stop=False)
    server.fetch("/nowhere")
    found = server.metrics()
    expected = {
        "calls_total": 3,
        "calls_live": 0,
        "connections_live": 0,
        "workers_draining": 0,
        'workers{release="unreleased",version="0.1.0"}': 1,
        'frames_total{direction="in"}': 61,
        'frames_total{direction="out"}': 61,
        'audio_bytes_total{direction="in"}': 60 * 320 + 3,
        'audio_bytes_total{direction="out"}': 60 * 320 + 3,
        'calls_ended_total{how="stop"}': 2,
        'calls_ended_total{how="no_stop"}': 1,
        'calls_ended_total{how="no_start"}': 0,
        'handshakes_rejected_total{reason="not_websocket"}': 1,
        'handshakes_rejected_total{reason="full"}': 0,
        'protocol_faults_total{kind="not_json"}': 1,
        'protocol_faults_total{kind="bad_type"}': 1,
        'protocol_faults_total{kind="no_event"}': 1,
        'protocol_faults_total{kind="missing_field"}': 1,
        'protocol_faults_total{kind="bad_payload"}': 1,
        'protocol_faults_total{kind="bad_digit"}': 1,
        'protocol_faults_total{kind="unknown_event"}': 1,
        'protocol_faults_total{kind="binary"}': 0,
    }
    assert {name: found[f"exotel_ws_{name}"] for name in expected} == expected


def test_latency_is_a_histogram_of_the_echoes(start_server: StartServer) -> None:
    server = start_server()
    _call(server, 100)
    found = server.metrics()
    buckets = [value for name, value in found.items() if name.startswith("exotel_ws_echo_latency_seconds_bucket")]
    assert found["exotel_ws_echo_latency_seconds_count"] == 101  # the frames, and the mark
    assert buckets == sorted(buckets)
    assert buckets[-1] == 101
    assert found["exotel_ws_echo_latency_seconds_sum"] > 0


@pytest.fixture
def start_worker(start_server: StartServer, tmp_path: Path) -> Callable[[], ServerProcess]:
    """Return a function that starts a worker of one host: all share a metrics directory."""
    return lambda: start_server({"drain": {"grace_s": 0}}, "--metrics-dir", str(tmp_path / "metrics"))


def test_any_worker_answers_for_the_host(start_worker: Callable[[], ServerProcess]) -> None:
    one, two, three = (start_worker() for _ in range(3))
    for frames, worker in enumerate((one, two, three), 1):
        _call(worker, frames * 10)
    for worker in (one, two, three):
        # The other workers publish each second.
        eventually(lambda worker=worker: worker.metric('frames_total{direction="in"}') == 60, "the sum of all workers")
        assert worker.metric("calls_total") == 3
        assert worker.metric('workers{release="unreleased",version="0.1.0"}') == 3


def test_counters_outlive_their_worker(start_worker: Callable[[], ServerProcess]) -> None:
    """Counters outlive workers that are drained, killed or replaced; the calls of these no longer count as live."""
    stays, drains, crashes = (start_worker() for _ in range(3))
    for worker in (stays, drains, crashes):
        _call(worker, 10)
    eventually(lambda: stays.metric("calls_total") == 3, "the calls of three workers")

    drains.signal(signal.SIGTERM)
    assert drains.ended() == 0
    assert stays.metric("calls_total") == 3
    assert stays.metric("workers_draining") == 0
    assert stays.metric('workers{release="unreleased",version="0.1.0"}') == 2

    async def crash_with_a_live_call() -> None:
        async with Phone(crashes.url()) as phone:
            await phone.open()
            eventually(lambda: stays.metric("calls_live") == 1, "the live call of another worker")
            crashes.kill()
            assert (await phone.closed())[0] == 1006

    asyncio.run(crash_with_a_live_call())
    assert stays.metric("calls_live") == 0
    assert stays.metric("connections_live") == 0
    assert stays.metric("calls_total") == 4
    assert stays.metric('frames_total{direction="in"}') == 30

    fresh = start_worker()
    assert fresh.metric("calls_total") == 4
    _call(fresh, 5)
    assert fresh.metric('frames_total{direction="in"}') == 35
    eventually(lambda: stays.metric("calls_total") == 5, "the new worker's call")


def test_a_crash_loop_does_not_fill_the_directory(start_worker: Callable[[], ServerProcess], tmp_path: Path) -> None:
    start_worker().kill()
    files = len(list((tmp_path / "metrics").iterdir()))
    for _ in range(3):
        start_worker().kill()
    assert len(list((tmp_path / "metrics").iterdir())) == files
