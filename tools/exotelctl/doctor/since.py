"""The window of the call checks, as it is typed: ``-1h``, ``-30min``, ``2026-11-25 10:00``, ``@1764060000``."""

import re
import time
from typing import Final

from exotelctl.exits import UsageFault

_AGO: Final = re.compile(r"-?(\d+)\s*(s|sec|min|m|h|d)(?:\s+ago)?")
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def parse(text: str, now: float) -> float:
    """The moment in Unix seconds; a date is local time. Raises UsageFault."""
    if ago := _AGO.fullmatch(text.strip()):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    if re.fullmatch(r"@\d+(\.\d+)?", text):
        return float(text[1:])
    for form in _FORMATS:
        try:
            return time.mktime(time.strptime(text, form))
        except ValueError:
            continue
    raise UsageFault(f"--since {text}: -1h, -30min, -2d, '2026-11-25 10:00' or @1764060000")
