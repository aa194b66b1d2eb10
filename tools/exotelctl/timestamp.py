"""Turn a typed absolute time into a timestamp (``@SECONDS``), which means the same on every host.

A relative one (``-2h``, ``today``, ``yesterday``) is left to the host's clock.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from exotel_phone.exits import UsageFault

_LONGEST: Final = 80
_TIME: Final = re.compile(
    r"""(?:(?:(?P<year>\d{4})-)?(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:[ T]+|$))?
    (?:(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d{1,9})?)?)?
    \s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)?""",
    re.VERBOSE | re.ASCII,
)
_AGO: Final = re.compile(r"-?(\d+)\s*(s|sec|min|m|h|d)(?:\s+ago)?")
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def since(text: str, now: float) -> float:
    """Return when a window begins that is typed as ``-1h``, ``-30min``, ``2026-11-25 10:00`` or ``@1764060000``.

    In Unix seconds, as ``now``; a date without a zone is of this machine's. Raises UsageFault.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    moment = timestamp(text)
    if re.fullmatch(r"@\d+(\.\d+)?", moment):
        return float(moment[1:])
    raise UsageFault(f"--since {text}: -1h, -30min, -2d, '2026-11-25 10:00 +0530' or @1764060000")


def timestamp(text: str, now: datetime | None = None) -> str:
    """Return an absolute time as ``@SECONDS``, any other text unchanged.

    ``2026-11-25 10:00:00 +0530``, with ``UTC`` or ``Asia/Kolkata`` for the offset, or in the zone of ``now`` (this machine's)
    without one. Without a date it is that of today; without a year, as log lines have it, the last such day until tomorrow.
    """
    found = _TIME.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None or not (found["month"] or found["hour"]):
        return text
    try:
        moment = _moment(found, now)
        return f"@{moment.timestamp():.6f}".rstrip("0").rstrip(".")
    except (ValueError, OverflowError, OSError):
        return text


def _moment(found: re.Match[str], now: datetime | None) -> datetime:
    zone = _zone(found["zone"])
    here = (now or datetime.now().astimezone()) if zone is None else (now or datetime.now(UTC)).astimezone(zone)
    zone = zone or (here.tzinfo if now else None)
    second = float(f"{found['second'] or 0}{found['fraction'] or ''}")
    year, month, day = (int(found[name]) if found[name] else getattr(here, name) for name in ("year", "month", "day"))
    moment = datetime(year, month, day, int(found["hour"] or 0), int(found["minute"] or 0), tzinfo=zone)
    moment += timedelta(seconds=second)
    if second >= 60:
        raise ValueError("a minute has 60 seconds")
    tomorrow = (here if moment.tzinfo else here.replace(tzinfo=None)) + timedelta(days=1)
    return moment.replace(year=year - 1) if not found["year"] and moment > tomorrow else moment


def _zone(text: str | None) -> tzinfo | None:
    """Return the zone of that name or offset; None where none was given. Raises ValueError for an unknown one."""
    if not text:
        return None
    if text in ("Z", "UTC", "GMT"):
        return UTC
    if text[0] in "+-":
        ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
        return timezone(-ahead if text[0] == "-" else ahead)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"unknown zone {text}") from None
