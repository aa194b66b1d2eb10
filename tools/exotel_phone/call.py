"""``exotelctl call``: place one simulated call and measure the echo.

📞 ws://127.0.0.1:8765?sample-rate=8000 at 8000 Hz: 100 frames of 320 bytes, 2.0 s
   frames      sent 100, received 100, lost 0
   round trip  p50 0.4 ms, p95 0.6 ms, p99 0.9 ms, max 1.1 ms
   echo        bit-exact, 32000 bytes
✅ A perfect call.
"""

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from exotel_ws.encodings import Encoding

from exotel_phone import audio, health
from exotel_phone.command import command, journal
from exotel_phone.echo_meter import percentile
from exotel_phone.encodings import ENCODINGS
from exotel_phone.exits import Exit, UsageFault
from exotel_phone.options import CallOptions
from exotel_phone.output import emit_json, say
from exotel_phone.phone import CallResult, place_call
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.target import Target, parse
from exotel_phone.text import plural
from exotel_phone.wire import FRAME_MS, frame_bytes
from exotel_phone.writable import require_writable

_PERCENTILES = (50, 95, 99)


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """A call to place: the server, and ``frames`` of 20 ms at ``rate`` Hz, PCM16LE, sent as ``encoding``."""

    target: Target
    rate: int
    frames: list[bytes]
    encoding: Encoding = Encoding.PCM16


def run(options: CallOptions) -> Exit:
    """Place the call and print the result. Raises UsageFault."""
    order = plan(options)
    require_writable("--out", options.out)
    if not options.json:
        length_s = len(order.frames) * FRAME_MS / 1000
        size = frame_bytes(order.rate, order.encoding.sample_bytes)
        what = f"{plural(len(order.frames), 'frame')} of {size} bytes, {length_s:.1f} s"
        say(f"📞 {order.target.shown} at {order.rate} Hz: {what}")
    try:
        with _progress(len(order.frames), quiet=options.json) as advance:
            call = place_call(
                order.target,
                order.frames,
                rate=order.rate,
                strip_query=options.as_exotel,
                keep_audio=options.out is not None,
                on_frame=advance,
                encoding=order.encoding,
            )
            result = asyncio.run(call)
    except Unreachable as error:
        return report_unreachable(order.target, order.rate, error.fault, json=options.json)
    unsaved = _save(options.out, result)
    fault = judge(result) or unsaved
    if fault is not None and health.mode(order.target) == health.AI:
        cause = f"{order.target.netloc} is in mode ai: it does not echo, its bot answers in words of its own"
        said = "…" if options.wav is None else f"file:{options.wav}"
        fault = Fault("not-an-echo", cause, command("exotelctl", "talk", "URL", said))
    if options.json:
        emit_json({**summary(order, result, fault), "out": None if options.out is None else str(options.out)})
    else:
        _report(result, fault, options.out)
    return Exit.OK if fault is None else Exit.PROBLEM


def plan(options: CallOptions) -> Order:
    """Return the call to place; its rate is the options', else the URL's, else the file's, else 8000 Hz. Raises UsageFault."""
    target = parse(options.url, options.credential_file, options.ca_file)
    rate = target.asked_rate(options.rate)
    if options.wav is None and not 0.02 <= options.seconds <= 3600:
        raise UsageFault(f"--seconds {options.seconds:g}: between 0.02 and 3600, the longest stream that Exotel allows")
    return Order(target, *audio.signal(options.wav, rate, options.seconds), ENCODINGS[options.encoding])


def _save(out: Path | None, result: CallResult) -> Fault | None:
    try:
        if out is not None:
            audio.write_wav(out, result.rate, result.audio)
    except OSError as error:
        return Fault("not-saved", f"{out} cannot be written: {error.strerror}", "name another file with --out")
    return None


def judge(result: CallResult) -> Fault | None:
    """Return the gravest fault of a call; None for a perfect one."""
    if result.closed_early:
        return Fault("closed-early", result.closed_early, f"on the host: {journal('-u', 'exotel-ws@*', '-n', 50)}")
    if result.fault_count:
        count = plural(result.fault_count, "message")
        cause = f"{count} that Exotel could not use, the first: {result.faults[0]}"
        return Fault("bad-messages", cause, "exotelctl protocol-test URL names the broken rule")
    if result.bytes_received == 0:
        cause = "nothing came back: the server does not echo, or in ai mode had nothing to say"
        return Fault("no-echo", cause, "exotelctl health URL says which mode is served")
    if result.frames_lost:
        cause = f"{plural(result.frames_lost, 'frame')} of {result.frames_sent} did not come back"
        return Fault("lost", cause, f"exotelctl protocol-test URL; on the host: {journal('-u', 'exotel-ws@*', '-n', 50)}")
    if result.difference is not None:
        cause = f"the echo is not what was sent, from byte {result.difference} on"
        return Fault("altered", cause, "exotelctl protocol-test URL says how the audio is altered")
    return None


def summary(order: Order, result: CallResult, fault: Fault | None) -> dict[str, object]:
    """Return the call as JSON; times in ms."""
    return {
        "url": order.target.shown,
        "call_sid": result.ids.call_sid,
        "stream_sid": result.ids.stream_sid,
        "rate": result.rate,
        "connect_ms": round(result.connect_ms, 3),
        "duration_s": round(result.duration_s, 3),
        "frames": {"sent": result.frames_sent, "received": result.frames_received, "lost": result.frames_lost},
        "round_trip_ms": round_trips(result),
        "bit_exact": result.bit_exact,
        "first_difference_byte": result.difference,
        "late_max_ms": round(result.late_max_ms, 3),
        "ok": fault is None,
        "problem": None if fault is None else dataclasses.asdict(fault),
    }


def round_trips(result: CallResult) -> Mapping[str, float] | None:
    """Return p50, p95, p99 and the maximum in ms; None if no frame came back."""
    values = result.round_trips_ms
    if not values:
        return None
    named = {f"p{percent}": round(percentile(values, percent), 3) for percent in _PERCENTILES}
    return {**named, "max": round(max(values), 3)}


def _report(result: CallResult, fault: Fault | None, out: Path | None) -> None:
    say(f"   frames      sent {result.frames_sent}, received {result.frames_received}, lost {result.frames_lost}")
    trips = round_trips(result)
    if trips is not None:
        say("   round trip  " + ", ".join(f"{name} {value:.1f} ms" for name, value in trips.items()))
    if result.bit_exact:
        say(f"   echo        bit-exact, {result.bytes_received} bytes")
    elif result.difference is not None:
        say(f"   echo        not bit-exact: first difference at byte {result.difference} of {result.bytes_sent}")
    if result.late_max_ms > FRAME_MS:
        say(f"   note        this machine sent up to {result.late_max_ms:.0f} ms late: it is too busy to measure by")
    if out is not None and (fault is None or fault.kind != "not-saved"):
        say(f"   saved       {out}, {len(result.audio) / 2 / result.rate:.2f} s")
    say("✅ A perfect call." if fault is None else fault.told)


def report_unreachable(target: Target, rate: int, fault: Fault, *, json: bool) -> Exit:
    """Print why no call could be placed to ``target``."""
    if json:
        emit_json({"url": target.shown, "rate": rate, "ok": False, "problem": dataclasses.asdict(fault)})
    else:
        say(fault.told)
    return Exit.PROBLEM


@contextlib.contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """Show a bar on a terminal, nothing elsewhere; ten updates a second, so that drawing does not disturb the pace."""
    if quiet or not sys.stdout.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("  "), BarColumn(), TextColumn("{task.completed}/{task.total} frames"), TimeRemainingColumn())
    with Progress(*columns, transient=True, refresh_per_second=5) as bar:
        task = bar.add_task("call", total=total)
        yield lambda done: bar.update(task, completed=done) if done % 5 == 0 else None
