"""Decide which files of calls are ours, and which of them have to go. Pure."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

_OURS: Final = re.compile(r"\d{8}T\d{6}Z-\w{1,40}-\w{1,40}-[0-9a-f]{6}\.(?:json|json\.new|wav)", re.ASCII)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_]+")
_BUSY_S: Final = 60.0
"""Seconds since the last write for which a file may belong to a live call; it is not removed to make room."""
_TRIMMED_TO: Final = 15 / 16
"""Share of the bound that is left, so that not every new file costs a look at all of them."""


class Kept(NamedTuple):
    """A file: its size in bytes, and the Unix time of its last write."""

    name: str
    size: int
    modified: float


def stem(call_sid: str, stream_sid: str, began: datetime, nonce: str) -> str:
    """Return the name of a call's files without its ending: ``20260102T030405Z-<call>-<stream>-<nonce>``.

    ``nonce`` is six hex digits. Ids, which strangers supply, are reduced to letters, digits and underscores.
    """
    return f"{began.astimezone(UTC):%Y%m%dT%H%M%SZ}-{_safe(call_sid)}-{_safe(stream_sid)}-{nonce}"


def is_ours(name: str) -> bool:
    """Return True if a file of that name was made here. Others are never touched."""
    return _OURS.fullmatch(name) is not None


def surplus(kept: Iterable[Kept], now: float, *, keep_s: float, most_bytes: int) -> tuple[list[Kept], int]:
    """Return the files that have to go, oldest first, and the bytes that stay.

    All that is older than ``keep_s`` goes. If the rest takes more than ``most_bytes``, more of the oldest go, until fifteen
    sixteenths of that are left, or only files that are still being written.
    """
    ordered = sorted(kept, key=lambda file: (file.modified, file.name))
    gone = [file for file in ordered if file.modified < now - keep_s]
    rest = ordered[len(gone) :]
    total = sum(file.size for file in rest)
    if total > most_bytes:
        for file in rest:
            if total <= most_bytes * _TRIMMED_TO or file.modified > now - _BUSY_S:
                break
            gone.append(file)
            total -= file.size
    return gone, total


def _safe(sid: str) -> str:
    return _UNSAFE.sub("_", sid)[:40] or "none"
