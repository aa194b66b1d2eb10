"""``exotelctl keys``: the keys of streams, and which of them calls have shown where. Never a key itself.

KEY              STATE                 KNOWN      LAST USED      HEADER               PATH  START  QUERY
exotel-20261129  serving               3 d 4 h    12 s ago       4031, 12 s ago       -     -      -
exotel-20260801  retired 2 h 1 min ago 120 d 2 h  3 h 1 min ago  90312, 3 h 1 min ago -     -      -
"""

import os
import time

from exotel_phone.exits import Exit
from exotel_phone.output import emit_json, say, warn

from exotelctl.host_settings import load
from exotelctl.keys import credentials, report, usage
from exotelctl.options import KeysOptions
from exotelctl.systemctl import require_root

_OPEN = f"Streams need no key here. {credentials.MAKE_ONE}"


def run(options: KeysOptions) -> Exit:
    """Show the keys; exit with 1 if their use cannot be told. Raises Refusal and UsageFault."""
    require_root("keys")
    settings = load(options.settings)
    serving = credentials.read(options.settings, settings.credential) if settings.asks_credential else []
    records, problem = {}, ""
    try:
        records = usage.read(usage.FILE)
    except usage.Unreadable as unreadable:
        problem = str(unreadable) if serving or usage.FILE.exists() else ""
    found, now = report.rows(serving, records), time.time()
    if options.json:
        emit_json(
            {
                "host": os.uname().nodename,
                "time": now,
                "ok": not problem,
                "problem": problem or None,
                "asked": settings.asks_credential,
                "keys": report.as_json(found),
            }
        )
    else:
        if found:
            say(report.as_text(found, now, recorded=not problem))
        if not settings.asks_credential:
            say(_OPEN)
        if problem:
            warn(problem)
    return Exit.PROBLEM if problem else Exit.OK
