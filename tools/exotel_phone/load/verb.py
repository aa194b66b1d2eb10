"""``exotelctl load``: many simulated calls at once, and whether every one was perfect.

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
from pathlib import Path
from time import monotonic
from types import FrameType

from exotel_phone.exits import Exit
from exotel_phone.load import fleet, page, plan, screen
from exotel_phone.load.fleet import Fleet, WorkerFailed
from exotel_phone.load.limits import raise_file_limit
from exotel_phone.load.plan import Plan
from exotel_phone.load.result import Result, as_json, text
from exotel_phone.load.series import Series
from exotel_phone.load.tally import Tally
from exotel_phone.load.verdict import judge
from exotel_phone.output import emit_json, say, warn
from exotel_phone.own import require_own
from exotel_phone.served import require_echo
from exotel_phone.target import parse
from exotel_phone.text import plural


def run(
    url: str,
    *,
    calls: int,
    ramp_s: float,
    seconds: float,
    hold_s: float | None,
    rate: int | None,
    wav: Path | None,
    report: Path | None,
    force: bool,
    as_exotel: bool,
    credential_file: Path | None,
    inventory: Path | None,
    i_own_this_server: bool,
    max_processes: int | None,
    json: bool,
) -> Exit:
    """Place the load and print what came of it. Raises UsageFault and Refusal."""
    target = parse(url, credential_file)
    the_plan = plan.plan(
        target,
        calls=calls,
        ramp_s=ramp_s,
        seconds=seconds,
        hold_s=hold_s,
        rate=rate,
        wav=wav,
        as_exotel=as_exotel,
        processes=plan.processes_for(calls, max_processes, len(os.sched_getaffinity(0))),
    )
    if report is not None:
        page.require_writable(report, force)
    the_plan = dataclasses.replace(the_plan, target=require_own(target, i_own_this_server, inventory))
    require_echo(the_plan.target, "load")
    raise_file_limit(math.ceil(the_plan.calls / the_plan.processes))
    if not json:
        what = f"{plural(calls, 'call')} at {the_plan.rate} Hz, ramped up over {ramp_s:g} s, {seconds:g} s"
        say(f"📞 {target.shown}: {what}")
    result = carry_out(the_plan, quiet=json)
    saved = report is None or _save(result, report, force)
    if json:
        emit_json({**as_json(result), "report": None if report is None or not saved else str(report)})
    else:
        say(text(result))
        if report is not None and saved:
            say(f"   report: {report}")
    return Exit.OK if result.verdict.kind == "perfect" and saved else Exit.PROBLEM


def carry_out(the_plan: Plan, *, quiet: bool) -> Result:
    """The load itself, from the first call to the last hang-up. Ctrl-C and SIGTERM end the calls properly, a second at once."""
    tally, series, live = Tally(), Series(), dict.fromkeys(range(the_plan.processes), 0)
    failed = ""
    with (
        fleet.running(the_plan) as processes,
        _stopping(processes) as stopped,
        screen.shown(the_plan.seconds, the_plan.calls, quiet=quiet) as show,
    ):
        began, start = datetime.now(UTC), monotonic()
        drawn = 0.0
        try:
            processes.begin()
            began, start = datetime.now(UTC), monotonic()
            for heard in processes.news(screen.EVERY_S):
                for number, news in heard:
                    tally.merge(news.tally)
                    series.add(news.second, number, news.live, news.tally)
                    live[number] = news.live
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
    """While the block lasts a signal stops the load, a second one kills it; gives the times of the signals."""
    times: list[float] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        times.append(monotonic())
        if len(times) == 1:
            processes.stop()
        else:
            processes.kill()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield times
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _save(result: Result, report: Path, force: bool) -> bool:
    try:
        page.write(result, report, force)
    except OSError as error:
        warn(f"{report} cannot be written: {error.strerror}")
        return False
    return True
