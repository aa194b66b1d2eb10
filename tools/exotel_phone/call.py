"""``exotelctl call``: one simulated Exotel call, and how well the echo came back; `answer` leads to bots.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from exotel_phone import audio, served
from exotel_phone.command import journal
from exotel_phone.echo_meter import percentile
from exotel_phone.exits import Exit, UsageFault
from exotel_phone.output import emit_json, say
from exotel_phone.phone import CallResult, place_call
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.target import SAMPLE_RATES, Target, parse
from exotel_phone.text import plural
from exotel_phone.wire import FRAME_MS, frame_bytes

_PERCENTILES = (50, 95, 99)


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What to say in a call: to whom, ``frames`` of 20 ms at ``rate`` Hz, and what to keep."""

    target: Target
    rate: int
    frames: list[bytes]
    out: Path | None
    as_exotel: bool


def answer(
    url: str,
    *,
    order: Sequence[str],
    say: Sequence[str],
    wav: Sequence[Path],
    dtmf: Sequence[str],
    barge_in_after_ms: int | None,
    voice: str,
    chart: Path | None,
    out: Path | None,
    rate: int | None,
    seconds: float,
    as_exotel: bool,
    credential_file: Path | None,
    json: bool,
) -> Exit:
    """A call to a bot where what is given makes sense only to one, or a file is said to a server in mode ai; else an echo's.

    ``order`` are the names of the options as they were typed. Raises UsageFault and Refusal.
    """
    only_bots = bool(say or dtmf or voice or chart or barge_in_after_ms is not None or len(wav) > 1)
    if not only_bots and not (wav and served.mode(parse(url)) == served.AI):
        one = wav[0] if wav else None
        return run(
            url, wav=one, out=out, rate=rate, seconds=seconds, as_exotel=as_exotel, credential_file=credential_file, json=json
        )
    from exotel_phone.talk import script, verb

    turns = script.turns(order, say, wav, dtmf)
    if not turns:
        raise UsageFault("nothing to say to the bot: give --say TEXT, --wav FILE or --dtmf KEYS")
    return verb.run(
        url,
        turns,
        rate=rate,
        voice_name=voice,
        barge_in_after_ms=barge_in_after_ms,
        out=out,
        chart=chart,
        as_exotel=as_exotel,
        credential_file=credential_file,
        json=json,
    )


def run(
    url: str,
    *,
    wav: Path | None,
    out: Path | None,
    rate: int | None,
    seconds: float,
    as_exotel: bool,
    credential_file: Path | None,
    json: bool,
) -> Exit:
    """Place the call and print what came of it. Raises UsageFault."""
    order = plan(parse(url, credential_file), wav, out, rate, seconds, as_exotel)
    if not json:
        length_s = len(order.frames) * FRAME_MS / 1000
        what = f"{plural(len(order.frames), 'frame')} of {frame_bytes(order.rate)} bytes, {length_s:.1f} s"
        say(f"📞 {order.target.shown} at {order.rate} Hz: {what}")
    try:
        with _progress(len(order.frames), quiet=json) as advance:
            result = asyncio.run(_place(order, advance))
    except Unreachable as error:
        _report_fault(order, error.fault, json=json)
        return Exit.PROBLEM
    unsaved = _save(order, result)
    fault = judge(result) or unsaved
    if fault is not None and served.mode(order.target) == served.AI:
        cause = f"{order.target.netloc} is in mode ai: it does not echo, its bot answers in words of its own"
        fault = Fault("not-an-echo", cause, 'exotelctl call URL --say "…"')
    if json:
        emit_json(summary(order, result, fault))
    else:
        _report(order, result, fault)
    return Exit.OK if fault is None else Exit.PROBLEM


def plan(target: Target, wav: Path | None, out: Path | None, rate: int | None, seconds: float, as_exotel: bool) -> Order:
    """The call to place. The rate is ``rate``, else the URL's, else that of the WAV file, else 8000 Hz. Raises UsageFault."""
    if rate is not None and rate not in SAMPLE_RATES:
        raise UsageFault(f"--rate {rate}: Exotel streams at 8000, 16000 or 24000 Hz")
    rate = rate or target.rate
    if wav is None:
        if not 0.02 <= seconds <= 3600:
            raise UsageFault(f"--seconds {seconds:g}: between 0.02 and 3600, the longest stream that Exotel allows")
        rate = rate or SAMPLE_RATES[0]
        pcm = audio.speech_like(seconds, rate)
    else:
        has, pcm = audio.read_wav(wav)
        rate = rate or has
        audio.require_rate(wav, has, rate)
    if out is not None and not (out.parent.is_dir() and not out.is_dir()):
        raise UsageFault(f"--out {out}: {'is a directory' if out.is_dir() else f'no directory {out.parent}'}")
    return Order(target, rate, audio.frames(pcm, rate), out, as_exotel)


async def _place(order: Order, on_frame: Callable[[int], None] | None) -> CallResult:
    return await place_call(
        order.target,
        order.frames,
        rate=order.rate,
        strip_query=order.as_exotel,
        keep_audio=order.out is not None,
        on_frame=on_frame,
    )


def _save(order: Order, result: CallResult) -> Fault | None:
    if order.out is None:
        return None
    try:
        audio.write_wav(order.out, order.rate, result.audio)
    except OSError as error:
        return Fault("not-saved", f"{order.out} cannot be written: {error.strerror}", "name another file with --out")
    return None


def judge(result: CallResult) -> Fault | None:
    """What was wrong with a call; None for a perfect one."""
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
    """The call as JSON; times in ms."""
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
        "out": None if order.out is None else str(order.out),
        "ok": fault is None,
        "problem": None if fault is None else dataclasses.asdict(fault),
    }


def round_trips(result: CallResult) -> Mapping[str, float] | None:
    """p50, p95, p99 and the maximum in ms; None where no frame came back."""
    values = result.round_trips_ms
    if not values:
        return None
    named = {f"p{percent}": round(percentile(values, percent), 3) for percent in _PERCENTILES}
    return {**named, "max": round(max(values), 3)}


def _report(order: Order, result: CallResult, fault: Fault | None) -> None:
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
    if order.out is not None and (fault is None or fault.kind != "not-saved"):
        say(f"   saved       {order.out}, {len(result.audio) / 2 / order.rate:.2f} s")
    say("✅ A perfect call." if fault is None else f"❌ {fault.cause}\n   next: {fault.next}")


def _report_fault(order: Order, fault: Fault, *, json: bool) -> None:
    if json:
        emit_json({"url": order.target.shown, "rate": order.rate, "ok": False, "problem": dataclasses.asdict(fault)})
    else:
        say(f"❌ {fault.cause}\n   next: {fault.next}")


@contextlib.contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """A bar on a terminal, nothing elsewhere; ten updates a second, so that drawing does not disturb the pace."""
    if quiet or not sys.stdout.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("  "), BarColumn(), TextColumn("{task.completed}/{task.total} frames"), TimeRemainingColumn())
    with Progress(*columns, transient=True, refresh_per_second=5) as bar:
        task = bar.add_task("call", total=total)
        yield lambda done: bar.update(task, completed=done) if done % 5 == 0 else None
