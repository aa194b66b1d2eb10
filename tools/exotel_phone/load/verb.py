"""``exotelctl load``: place many simulated calls at once, and judge whether every one was perfect.

📞 ws://127.0.0.1:8765?sample-rate=8000: 10 calls at 8000 Hz, ramped up over 2 s, 10 s
   calls         placed 10, ended perfect 10, faulty 0, dropped 0, refused 0
   frames        sent 4500, echoed 4500, lost 0, unexpected 0
   round trip    p50 0.5 ms, p95 0.9 ms, p99 1.4 ms, max 3.0 ms
   connect       p50 1.9 ms, p95 2.4 ms, p99 2.4 ms, max 2.4 ms
   own lateness  p50 0.5 ms, p95 1.0 ms, p99 1.1 ms, max 2.3 ms
✅ 10 perfect calls, nothing lost.
"""

import dataclasses
import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from types import FrameType

from exotel_phone.exits import Exit
from exotel_phone.health import require_echo
from exotel_phone.load import page, screen
from exotel_phone.load.file_limit import raise_file_limit
from exotel_phone.load.fleet import Fleet, WorkerFailed
from exotel_phone.load.plan import Plan, plan
from exotel_phone.load.result import Result, as_json, text
from exotel_phone.load.series import Series
from exotel_phone.load.tally import Tally
from exotel_phone.load.verdict import judge
from exotel_phone.options import LoadOptions
from exotel_phone.output import emit_json, say, warn
from exotel_phone.ownership import require_own
from exotel_phone.signals import handled
from exotel_phone.target import parse
from exotel_phone.text import plural
from exotel_phone.writable import require_writable


def run(options: LoadOptions) -> Exit:
    """Place the load and print the result. Raises UsageFault and Refusal before a call is placed."""
    target = parse(options.url, options.credential_file, options.ca_file)
    the_plan = plan(target, options, len(os.sched_getaffinity(0)))
    require_writable("--report", options.report, replace=options.force)
    the_plan = dataclasses.replace(the_plan, target=require_own(target, options.i_own_this_server, options.inventory))
    require_echo(the_plan.target, "load")
    raise_file_limit(math.ceil(the_plan.calls / the_plan.processes))
    if not options.json:
        what = f"{plural(the_plan.calls, 'call')} at {the_plan.rate} Hz, ramped up over {the_plan.ramp_s:g} s"
        say(f"📞 {target.shown}: {what}, {the_plan.seconds:g} s")
    result = carry_out(the_plan, quiet=options.json)
    saved = _save(result, options)
    if options.json:
        emit_json({**as_json(result), "report": str(options.report) if options.report and saved else None})
    else:
        say(text(result))
        if options.report and saved:
            say(f"   report: {options.report}")
    return Exit.OK if result.verdict.kind == "perfect" and saved else Exit.PROBLEM


def carry_out(the_plan: Plan, *, quiet: bool) -> Result:
    """Carry out the load, to the last hang-up. Ctrl-C and SIGTERM end the calls properly, a second at once."""
    tally, series, live = Tally(), Series(), dict.fromkeys(range(the_plan.processes), 0)
    failed = ""
    with (
        Fleet(the_plan) as processes,
        _stopping(processes) as stopped,
        screen.shown(the_plan.seconds, the_plan.calls, quiet=quiet) as show,
    ):
        began, start = datetime.now(UTC), monotonic()
        drawn = 0.0
        try:
            processes.begin()
            began, start = datetime.now(UTC), monotonic()
            for heard in processes.news(screen.EVERY_S):
                for news in heard:
                    tally.merge(news.tally)
                    series.add(news.second, news.process, news.live, news.tally)
                    live[news.process] = news.live
                at = monotonic() - start
                if at - drawn >= screen.EVERY_S:
                    drawn = at
                    show(at, sum(live.values()), tally)
        except WorkerFailed as error:
            failed = str(error) if len(stopped) < 2 else ""
    verdict = judge(tally, interrupted_s=max(0.0, stopped[0] - start) if stopped else None, failed=failed)
    return Result(the_plan, began, monotonic() - start, tally, series.rows(), verdict)


@contextmanager
def _stopping(processes: Fleet) -> Iterator[list[float]]:
    """Stop the load on a signal, kill it on a second one, while the block lasts; yield the times of the signals."""
    times: list[float] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        times.append(monotonic())
        if len(times) == 1:
            processes.stop()
        else:
            processes.kill()

    with handled(stop, signal.SIGINT, signal.SIGTERM):
        yield times


def _save(result: Result, options: LoadOptions) -> bool:
    """Return False if a report was asked for and could not be written."""
    try:
        if options.report is not None:
            page.write(result, options.report, options.force)
    except OSError as error:
        warn(f"{options.report} cannot be written: {error.strerror}")
        return False
    return True
