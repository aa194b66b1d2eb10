"""The window of the call checks, as it is typed: ``-1h``, ``-30min``, ``2026-11-25 10:00``, ``@1764060000``."""

import re
from typing import Final

from exotel_phone.exits import UsageFault

from exotelctl.instant import instant

_AGO: Final = re.compile(r"-?(\d+)\s*(s|sec|min|m|h|d)(?:\s+ago)?")
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def parse(text: str, now: float) -> float:
    """Return the moment in Unix seconds; a date without a zone is of this machine's. Raises UsageFault."""
    if ago := _AGO.fullmatch(text.strip()):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    moment = instant(text)
    if re.fullmatch(r"@\d+(\.\d+)?", moment):
        return float(moment[1:])
    raise UsageFault(f"--since {text}: -1h, -30min, -2d, '2026-11-25 10:00 +0530' or @1764060000")
