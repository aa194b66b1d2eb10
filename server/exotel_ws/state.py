"""List the live calls of a worker for its admin socket, in no more bytes than its clients read."""

import json
from collections.abc import Iterable
from typing import Final

MOST_BYTES: Final = 256 * 1024
"""Bytes of all calls listed. An Exotel call has 350, so those of a full worker fit; clients read up to a megabyte."""
_MOST_TEXT: Final = 256
"""Most characters of one text of a call."""


def listed(calls: Iterable[dict[str, object]]) -> dict[str, object]:
    """Return as many of ``calls`` as fit, and in ``calls_unlisted`` the number of others."""
    taken: list[dict[str, object]] = []
    left, unlisted = MOST_BYTES, 0
    for facts in calls:
        call = {name: value[:_MOST_TEXT] if isinstance(value, str) else value for name, value in facts.items()}
        left -= len(json.dumps(call))
        if left < 0:
            unlisted += 1
        else:
            taken.append(call)
    return {"calls": taken, "calls_unlisted": unlisted}
