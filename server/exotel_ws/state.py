"""The live calls of a worker, as its admin socket tells them: never more than who asks reads."""

import json
from collections.abc import Iterable
from typing import Final

MOST_BYTES: Final = 256 * 1024
"""Of all calls listed. Exotel's have 350 bytes each, so a full worker's fit; a reader takes a megabyte."""
_MOST_TEXT: Final = 256
"""Characters of one text of a call."""


def listed(calls: Iterable[dict[str, object]]) -> dict[str, object]:
    """Return ``calls``, as many as fit, and in ``calls_unlisted`` how many did not."""
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
