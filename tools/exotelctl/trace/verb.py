"""``exotelctl trace``: show what the user asks for. A saved capture needs no terminal; live calls do.

vm-1, 1 worker, release 0.1.0, 2025-11-25 10:00:00 UTC
call a950c8dabf743862c3dd740e082a1a4r, stream e33fa96945d009517c3ae54680751a4r, conn_1
098•••••210 → 020•••••678, 8000 Hz, 3.2 s, in 149 out 149, 0 faults, stop by Exotel: canceled or call ended (1006)
   time s   gap ms Exotel                          server
    0.000          │┄┄┄┄┄┄┄┄ WebSocket opened ┄┄┄┄┄┄┄┄┄│
    0.000          │ connected ───────────────────────►│
    0.013        9 │ media × 149, 2.98 s … ───────────►│
    0.013          │◄─────────── media × 149, 2.98 s … │
"""

import asyncio
import contextlib
import functools
import sys
from pathlib import Path
from typing import Final

from exotel_phone.captures.records import read
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say, warn

from exotelctl import admin
from exotelctl.capture.live import Filter, follow
from exotelctl.options import TraceOptions
from exotelctl.trace import report
from exotelctl.trace.call import AMPLE, Limits
from exotelctl.trace.calls import Trace

_BREATH: Final = 200
"""Records. A burst gives way to the keyboard after so many."""


def run(options: TraceOptions) -> Exit:
    """Show the calls of a file, or live ones. Raises UsageFault and Refusal."""
    if options.call and options.number:
        raise UsageFault("--call and --number: say one of them")
    if options.at is not None and options.at < 0:
        raise UsageFault(f"--at {options.at:g}: seconds since the call began")
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not options.json
    trace, source, name = Trace(AMPLE if options.audio else Limits()), None, ""
    if options.file is not None:
        trace, name = load(options.file), str(options.file)
    elif not on_terminal:
        raise Refusal("live calls are shown on a terminal only: exotelctl capture writes them to a file, trace FILE prints it")
    elif not admin.sockets():
        raise Refusal(f"no worker of the server runs here (nothing in {admin.RUNTIME}): type it on a host of the server")
    else:
        asked = Filter(call=options.call, number=options.number, audio="keep" if options.audio else "omit")
        source = functools.partial(feed, trace, asked)
    if not on_terminal:
        return _print(trace, options)
    from exotelctl.trace.app import TraceApp
    from exotelctl.trace.page import View

    view = View(trace, name, options.numbers)
    TraceApp(view, feed=source, wanted=options.call or options.number, at_s=options.at).run()
    return Exit.OK


def load(file: Path) -> Trace:
    """Return the trace of a saved capture. Raises CaptureFault."""
    trace = Trace(AMPLE)
    for record in read(file):
        trace.take(record)
    return trace


async def feed(trace: Trace, asked: Filter, runtime: Path = admin.RUNTIME) -> None:
    """Follow the workers until cancelled; the taps are closed then. What stops it sooner becomes a notice of the trace."""
    try:
        async with contextlib.aclosing(follow(asked, runtime=runtime, notice=trace.notices.append)) as records:
            count = 0
            async for record in records:
                trace.take(record)
                count += 1
                if count % _BREATH == 0:
                    await asyncio.sleep(0)
    except (Refusal, UsageFault) as fault:
        trace.notices.append(str(fault))


def _print(trace: Trace, options: TraceOptions) -> Exit:
    wanted = options.call or options.number
    calls = trace.find(wanted)
    if options.json:
        emit_json(report.as_json(trace, calls, unmasked=options.numbers))
    else:
        say(report.text(trace, calls, unmasked=options.numbers, at_s=options.at))
    if not calls:
        warn(f"no call{f' with {wanted!r}' if wanted else ''} in this capture, which has {len(trace.calls)}")
    return Exit.OK if calls else Exit.PROBLEM
