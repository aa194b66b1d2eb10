"""``exotelctl status``: once, or again and again in place.

✅ exo-a, 2026-11-25 10:41:02 UTC: serving

GENERATION                STATE     CALLS   RELEASE           WORKERS         SINCE
20261125T102807-1c8a7fcd  serving   1       0.1.0-41559159e7  2 active        12 min 55 s ago
20261124T101500-ab12cd34  draining  1 left  0.1.0-0b1e6a52c8  1 deactivating  12 min 54 s ago
"""

import sys
import time

from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say

from exotelctl.options import StatusOptions
from exotelctl.status import report
from exotelctl.status.gather import gather
from exotelctl.status.judge import judge
from exotelctl.status.usage import Meter
from exotelctl.systemctl import require_systemd


def run(options: StatusOptions) -> Exit:
    """Look, show, and say by the exit code whether all is well. Raises Refusal and UsageFault."""
    require_systemd("status")
    if options.watch:
        return _watch(options)
    facts = gather(options.settings, Meter())
    verdict = judge(facts)
    if options.json:
        emit_json(report.as_json(facts, verdict, numbers=options.numbers))
    else:
        say(report.as_text(facts, verdict, numbers=options.numbers))
    return Exit.PROBLEM if verdict.problems else Exit.OK


def _watch(options: StatusOptions) -> Exit:
    """Show it until Ctrl-C; the exit code is that of the last look."""
    if not 0.5 <= options.interval <= 3600:
        raise UsageFault(f"--interval {options.interval:g}: between 0.5 and 3600 seconds")
    if options.json:
        raise UsageFault("--watch draws on a terminal: leave --json out")
    if not sys.stdout.isatty():
        raise Refusal("--watch draws on a terminal, and standard output is none: leave it out")
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    meter, verdict = Meter(), None
    try:
        with Live(console=Console(highlight=False), auto_refresh=False) as live:
            while True:
                facts = gather(options.settings, meter)
                verdict = judge(facts)
                shown = report.as_text(facts, verdict, numbers=options.numbers)
                live.update(Text(shown, no_wrap=True, overflow="ellipsis"), refresh=True)
                time.sleep(options.interval)
    except KeyboardInterrupt:
        return Exit.PROBLEM if verdict and verdict.problems else Exit.OK
