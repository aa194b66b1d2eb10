"""Hold the result of a load, and show it as text and JSON."""

import dataclasses
from datetime import datetime

from exotel_phone.load.histogram import ERROR, Histogram
from exotel_phone.load.plan import Plan
from exotel_phone.load.series import Row
from exotel_phone.load.tally import Tally
from exotel_phone.load.verdict import Verdict
from exotel_phone.text import plural

_EXAMPLES = 3
_PARAMETERS = ("calls", "ramp_s", "seconds", "hold_s", "rate", "as_exotel", "processes")
_MARKS = {"perfect": "✅", "imperfect": "❌", "unfit": "⚠️ "}


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """Result of a load; ``lasted_s`` is from the first call to the last hang-up."""

    plan: Plan
    began: datetime
    lasted_s: float
    tally: Tally
    rows: list[Row]
    verdict: Verdict


def headline(verdict: Verdict, tally: Tally) -> str:
    """Return the verdict in one sentence."""
    if verdict.kind == "perfect":
        return f"{plural(tally.perfect, 'perfect call')}, nothing lost."
    if verdict.kind == "unfit":
        return "No verdict about the server: this machine could not keep the pace."
    stopped = any(reason.kind == "interrupted" for reason in verdict.reasons)
    return f"{tally.perfect} of {plural(tally.placed, 'call')} perfect{', but it was stopped early' if stopped else ''}."


def parameters(plan: Plan) -> dict[str, str]:
    """Return the parameters of the load, in words."""
    hold = "until the end" if plan.hold_s is None else f"{plan.hold_s:g} s each, {plan.new_calls_per_s:.3g} new calls a second"
    return {
        "calls at once": f"{plan.calls}, ramped up over {plan.ramp_s:g} s",
        "held": hold,
        "length": f"{plan.seconds:g} s",
        "sample rate": f"{plan.rate} Hz",
        "query": "as custom parameters, as Exotel does" if plan.as_exotel else "in the URL",
        "processes": str(plan.processes),
    }


def lines(tally: Tally) -> list[tuple[str, str]]:
    """Return names and values of the summary."""
    ended = f"perfect {tally.perfect}, faulty {tally.faulty}, dropped {tally.dropped.total()}, refused {tally.refused.total()}"
    media = tally.of("media")
    return [
        ("calls", f"placed {tally.placed}, ended {ended}"),
        ("frames", f"sent {media.sent}, echoed {media.echoed}, lost {media.lost}, unexpected {media.unexpected}"),
        ("round trip", percentiles(tally.round_trip)),
        ("connect", percentiles(tally.connect)),
        ("own lateness", percentiles(tally.late)),
    ]


def percentiles(histogram: Histogram) -> str:
    """Return ``p50 0.4 ms, p95 0.6 ms, p99 0.9 ms, max 1.1 ms``."""
    found = histogram.summary()
    return "-" if found is None else ", ".join(f"{name} {value:.1f} ms" for name, value in found.items())


def text(result: Result) -> str:
    """Return the result as text."""
    rows = [f"   {name:<13} {value}" for name, value in lines(result.tally)]
    others = {kind: messages for kind, messages in result.tally.messages.items() if kind != "media" and messages.unexpected}
    rows += [f"   {kind:<13} unexpected {messages.unexpected}" for kind, messages in others.items()]
    rows.append(f"{_MARKS[result.verdict.kind]} {headline(result.verdict, result.tally)}")
    for reason in result.verdict.reasons:
        rows += [f"   {reason.cause}", f"     next: {reason.next}"]
    rows += [f"   e.g. {note}" for note in result.tally.notes[:_EXAMPLES]]
    return "\n".join(rows)


def as_json(result: Result) -> dict[str, object]:
    """Return the result as JSON; times in ms unless their name ends in ``_s``."""
    plan, tally = result.plan, result.tally
    return {
        "url": plan.target.shown,
        "began": result.began.isoformat(timespec="seconds"),
        "lasted_s": round(result.lasted_s, 3),
        "parameters": {name: getattr(plan, name) for name in _PARAMETERS},
        "ok": result.verdict.kind == "perfect",
        "verdict": result.verdict.kind,
        "problems": [dataclasses.asdict(reason) for reason in result.verdict.reasons],
        "calls": {
            "placed": tally.placed,
            "perfect": tally.perfect,
            "faulty": tally.faulty,
            "dropped": dict(tally.dropped),
            "refused": dict(tally.refused),
        },
        "messages": {kind: dataclasses.asdict(messages) for kind, messages in tally.messages.items()},
        "round_trip_ms": tally.round_trip.summary(digits=3),
        "connect_ms": tally.connect.summary(digits=3),
        "late_ms": tally.late.summary(digits=3),
        "percentile_error": ERROR,
        "examples": tally.notes,
        "seconds": [dataclasses.asdict(row) for row in result.rows],
    }
