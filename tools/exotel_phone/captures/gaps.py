"""Compare how far apart the messages of a kind are in two calls. Pure."""

import dataclasses
from typing import Final

from exotel_phone.captures.calls import Call, kind_of
from exotel_phone.captures.records import Side
from exotel_phone.echo_meter import percentile

_LEAST_MS: Final = 1.0
_LEAST_SHARE: Final = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Gaps:
    """Milliseconds between one message of a kind and the next one in the same direction."""

    p50: float
    p95: float
    max: float


@dataclasses.dataclass(frozen=True, slots=True)
class GapChange:
    """Gaps of one kind in A and in B that differ by more than a millisecond and a fifth."""

    side: Side
    kind: str
    a: Gaps
    b: Gaps


def changes(a: Call, b: Call) -> tuple[GapChange, ...]:
    """Return the kinds of which both calls have several, and whose gaps changed."""
    left, right = _gaps(a), _gaps(b)
    return tuple(
        GapChange(side, kind, left[side, kind], right[side, kind])
        for side, kind in left
        if (side, kind) in right and _differ(left[side, kind], right[side, kind])
    )


def _gaps(call: Call) -> dict[tuple[Side, str], Gaps]:
    last: dict[tuple[Side, str], float] = {}
    spans: dict[tuple[Side, str], list[float]] = {}
    for message in call.messages:
        key = message.from_, kind_of(message)
        if key in last:
            spans.setdefault(key, []).append((message.at - last[key]) * 1000)
        last[key] = message.at
    return {key: Gaps(*(round(percentile(values, share), 3) for share in (50, 95, 100))) for key, values in spans.items()}


def _differ(a: Gaps, b: Gaps) -> bool:
    pairs = zip(dataclasses.astuple(a), dataclasses.astuple(b), strict=True)
    return any(abs(left - right) > max(_LEAST_MS, _LEAST_SHARE * max(left, right)) for left, right in pairs)
