"""Publish the tallies of all workers and generations of a host in one scrape.

Each worker writes its counts to memory-mapped files (prometheus_client's multiprocess mode) in a directory that all share; the
worker that is scraped adds them up. A file belongs to a slot, not to a process: a new worker takes over a free slot and continues
its counts, so a counter of the host never goes back, and a crash loop does not fill the directory.
"""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from exotel_ws.metrics.tally import LATENCY_BUCKETS_S, Tally

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_MOST_SLOTS: Final = 1024


class Publisher:
    """Publishes one worker's `Tally`. ``directory`` is shared by the workers of the host; None: this process alone.

    ``mode_metrics`` registers the metrics of the worker's mode, see `exotel_ws.responder.Mode.metrics`.
    """

    def __init__(
        self,
        tally: Tally,
        directory: Path | None,
        *,
        version: str,
        release: str,
        mode_metrics: "Callable[[CollectorRegistry], Callable[[], None] | None]" = lambda _registry: None,
    ) -> None:
        """Raises OSError if the directory can't be written."""
        self._tally = tally
        self._directory = directory
        self._slot_lock = _prepare_multiprocess(directory) if directory else None
        # Only now: prometheus_client chooses how values are stored when it is imported.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, label: str | None = None, values: Mapping[str, int] | None = None) -> Counter:
            metric = Counter(f"exotel_ws_{name}", text, [label] if label else [], registry=registry)
            for value in values or {}:
                metric.labels(value)
            return metric

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"exotel_ws_{name}", text, labels, registry=registry, multiprocess_mode="livesum")

        directions = {"in": 0, "out": 0}
        self._calls = counter("calls", "Streams that were opened")
        self._ended = counter("calls_ended", "Streams that ended, by how", "how", tally.ended)
        self._frames = counter("frames", "Media messages", "direction", directions)
        self._bytes = counter("audio_bytes", "Audio in bytes of PCM", "direction", directions)
        self._rejected = counter("handshakes_rejected", "Connections refused, by reason", "reason", tally.rejected)
        self._bounds = counter("bounds", "Times that a bound on what may be used up bit", "bound", tally.bounds)
        self._faults = counter("protocol_faults", "Messages that broke the protocol, by kind", "kind", tally.faults)
        self._passthru = counter("passthru", "Answers to Exotel's Passthru applet, by outcome", "outcome", tally.passthru)
        self._live = gauge("calls_live", "Streams that are live")
        self._connections = gauge("connections_live", "Open WebSocket connections")
        self._unproven_most = gauge(
            "unproven_most_of_one_source", "Connections or calls without proof of the source with most, summed over workers"
        )
        self._draining = gauge("workers_draining", "Workers that finish their calls and take no new ones")
        self._lag = gauge("loop_lag_seconds", "How late the worker's event loop last ran a timer, summed over workers")
        gauge("workers", "Live workers", ("version", "release")).labels(version, release).set(1)
        self._latency = Histogram(
            "exotel_ws_echo_latency_seconds",
            "From a frame's arrival in the worker to its echo's hand-over to the socket",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._published = Tally()
        self._publish_mode = mode_metrics(registry)

    def publish(self, *, draining: bool, lag_s: float) -> None:
        """Bring the published values up to the tally. Cheap; called about once a second and before a scrape."""
        now, before = self._tally, self._published
        self._calls.inc(now.calls - before.calls)
        self._frames.labels("in").inc(now.frames_in - before.frames_in)
        self._frames.labels("out").inc(now.frames_out - before.frames_out)
        self._bytes.labels("in").inc(now.bytes_in - before.bytes_in)
        self._bytes.labels("out").inc(now.bytes_out - before.bytes_out)
        for counter, current, published in (
            (self._ended, now.ended, before.ended),
            (self._rejected, now.rejected, before.rejected),
            (self._bounds, now.bounds, before.bounds),
            (self._faults, now.faults, before.faults),
            (self._passthru, now.passthru, before.passthru),
        ):
            advance(counter, current, published)
        advance_cells(self._latency, now.latency, before.latency, now.latency_sum_s - before.latency_sum_s)
        before.latency_sum_s = now.latency_sum_s
        self._live.set(now.calls_live)
        self._connections.set(now.connections)
        self._unproven_most.set(now.unproven_most)
        self._draining.set(int(draining))
        self._lag.set(lag_s)
        before.calls = now.calls
        before.frames_in, before.frames_out = now.frames_in, now.frames_out
        before.bytes_in, before.bytes_out = now.bytes_in, now.bytes_out
        if self._publish_mode is not None:
            self._publish_mode()

    def exposition(self) -> str:
        """Return the metrics of all workers in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if self._directory:
            _forget_the_dead(self._directory)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=str(self._directory))  # type: ignore[no-untyped-call]
        return generate_latest(registry).decode()


def advance(counter: "Counter", current: Mapping[str, int], published: dict[str, int]) -> None:
    """Increase a counter with one label from ``published`` to ``current``, and update ``published``."""
    for key, value in current.items():
        if value != published[key]:
            counter.labels(key).inc(value - published[key])
            published[key] = value


def advance_cells(histogram: "Histogram", current: Sequence[int], published: list[int], more_s: float) -> None:
    """Increase a histogram's counts by bucket likewise; ``more_s`` is the growth of its sum in seconds."""
    # A histogram's public interface takes one observation at a time, at a price a frame; its cells take sums.
    for index, cell in enumerate(histogram._buckets):
        cell.inc(current[index] - published[index])
    histogram._sum.inc(more_s)
    published[:] = current


def _prepare_multiprocess(directory: Path) -> IO[str]:
    """Make prometheus_client write this worker's values to a slot of the directory; return the lock that holds the slot."""
    directory.mkdir(parents=True, exist_ok=True)
    slot, lock = _take_slot(directory)
    _drop_gauges(directory, slot)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)  # type: ignore[no-untyped-call]
    return lock


def _take_slot(directory: Path) -> tuple[int, IO[str]]:
    for slot in count():
        if slot == _MOST_SLOTS:
            raise OSError(f"{directory}: all {_MOST_SLOTS} metric slots are held by live workers")
        lock = (directory / f"slot-{slot}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return slot, lock
    raise AssertionError("unreachable")


def _forget_the_dead(directory: Path) -> None:
    """Drop the gauges of workers that are gone, whose slots nobody holds; their counters stay."""
    for path in directory.glob("slot-*.lock"):
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            _drop_gauges(directory, int(path.stem.removeprefix("slot-")))


def _drop_gauges(directory: Path, slot: int) -> None:
    for stale in directory.glob(f"gauge_live*_{slot}.db"):
        stale.unlink(missing_ok=True)
