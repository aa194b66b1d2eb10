"""What is kept of calls, and for how long: which files are ours, and which of them have to go. Pure."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

_OURS: Final = re.compile(r"\d{8}T\d{6}Z-\w{1,40}-\w{1,40}-[0-9a-f]{6}\.(?:json|json\.new|wav)", re.ASCII)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_]+")
_BUSY_S: Final = 60.0
"""What was written to so lately may belong to a call that is live: room is not made of it."""
_TRIMMED_TO: Final = 15 / 16
"""Of the bound, so that not every file which is written costs a look at all of them."""


class Kept(NamedTuple):
    """A file: its size in bytes, when it was last written to in Unix seconds."""

    name: str
    size: int
    modified: float


def stem(call_sid: str, stream_sid: str, began: datetime, nonce: str) -> str:
    """The name of a call's files without its ending: ``20260102T030405Z-<call>-<stream>-<nonce>``; the last is six hex digits.

    What strangers supplied is cut down to letters, digits and underscores.
    """
    return f"{began.astimezone(UTC):%Y%m%dT%H%M%SZ}-{_safe(call_sid)}-{_safe(stream_sid)}-{nonce}"


def is_ours(name: str) -> bool:
    """Whether a file of that name was made here. Others are never touched."""
    return _OURS.fullmatch(name) is not None


def surplus(kept: Iterable[Kept], now: float, *, keep_s: float, most_bytes: int) -> tuple[list[Kept], int]:
    """What has to go, the oldest first, and how many bytes stay.

    All that is older than ``keep_s`` goes. Where the rest takes more than ``most_bytes``, so does more of the oldest, until
    fifteen sixteenths of that are left or nothing but what is still being written.
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
