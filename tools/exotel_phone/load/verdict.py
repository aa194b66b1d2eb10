"""Judge a load: every call was perfect, some were not and why, or nothing was proven because this machine was too slow. Pure."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from exotel_phone.command import journal
from exotel_phone.load.tally import Tally
from exotel_phone.reach import Fault
from exotel_phone.text import plural
from exotel_phone.wire import FRAME_MS

LATE_MS = FRAME_MS / 2
"""If one frame in a hundred leaves this machine later than that, this machine was measured, not the server."""

_LOGS = f"on the host: {journal('-u', 'exotel-ws@*', '-n', 50)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict on a load. ``unfit``: this machine was too slow to measure by, so the rest says nothing about the server."""

    kind: Literal["perfect", "imperfect", "unfit"]
    reasons: list[Fault]


def judge(tally: Tally, *, interrupted_s: float | None = None, failed: str = "") -> Verdict:
    """Return the verdict. ``interrupted_s`` is when the load was stopped, ``failed`` how a process of it ended too soon."""
    reasons = [*_of_this_machine(tally, failed), *_of_the_calls(tally)]
    if interrupted_s is not None:
        cause = f"stopped after {interrupted_s:.1f} s: what was measured until then"
        reasons.append(Fault("interrupted", cause, "run it again, for the whole time"))
    if any(reason.kind in ("late", "generator") for reason in reasons):
        return Verdict("unfit", reasons)
    return Verdict("imperfect" if reasons else "perfect", reasons)


def _of_this_machine(tally: Tally, failed: str) -> Iterator[Fault]:
    if failed:
        yield Fault("generator", failed, "memory or a limit of this machine: dmesg | tail; fewer --calls")
    late_ms = tally.late.percentile(99) or 0.0
    if late_ms > LATE_MS:
        cause = (
            f"this machine sent 1 frame in 100 more than {late_ms:.0f} ms late (limit {LATE_MS:.0f} ms): too slow to measure by"
        )
        yield Fault("late", cause, "fewer --calls, a larger --max-processes, or a machine with nothing else to do")


def _of_the_calls(tally: Tally) -> Iterator[Fault]:
    if tally.refused:
        yield Fault("refused", _counted("refused", tally.refused), "exotelctl call URL says what one refusal means")
    if tally.dropped:
        yield Fault("dropped", _counted("dropped by the server", tally.dropped), _LOGS)
    sent = tally.messages["media"].sent if "media" in tally.messages else 0
    if tally.lost:
        yield Fault("lost", f"{plural(tally.lost, 'frame')} of {sent} did not come back", _LOGS)
    if tally.unexpected:
        cause = f"{plural(tally.unexpected, 'message')} that nobody asked for, or not what was sent"
        yield Fault("unexpected", cause, "exotelctl protocol-test URL names the broken rule")
    if not (sent or tally.refused or tally.dropped):
        yield Fault("nothing", "no frame was sent", "a longer --seconds")


def _counted(what: str, ways: Counter[str]) -> str:
    most = ", ".join(f"{way} ({number})" for way, number in ways.most_common(4))
    return f"{plural(ways.total(), 'call')} {what}: {most}"
