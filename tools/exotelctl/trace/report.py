"""A capture as a plain text ladder, fit for a ticket, and as JSON. Pure."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

from exotel_phone.text import duration, plural, printable
from exotel_ws.encodings import Encoding

from exotelctl.trace import ladder, message
from exotelctl.trace.call import Call
from exotelctl.trace.calls import Trace

WIDTH = 110
"""Columns of the plain text ladder."""


def text(trace: Trace, calls: Sequence[Call], *, unmasked: bool = False, at_s: float | None = None) -> str:
    """Return each call as a heading, what is doubtful about it, and its ladder; with ``at_s`` from the row of that moment on."""
    lines = [capture_words(trace), *(f"! {remark}" for remark in trace.remarks())]
    for call in calls:
        lines += ["", *heading(call, unmasked=unmasked), *(f"! {doubt}" for doubt in call.doubts()), ladder.header(WIDTH)]
        found = ladder.rows(call, unmasked=unmasked)
        first = 0 if at_s is None else ladder.at_or_before(found, at_s)
        lines += (ladder.line(row, WIDTH).rstrip() for row in found[first:])
    return "\n".join(lines)


def as_json(trace: Trace, calls: Sequence[Call], *, unmasked: bool = False) -> dict[str, object]:
    """Return the same under stable keys; times in seconds since the call's beginning, ``opened`` in Unix seconds."""
    return {
        "complete": not trace.remarks(),
        "remarks": trace.remarks(),
        "sources": [
            {"instance": name, "host": source.header.host, "release": source.header.release, "complete": source.complete}
            for name, source in trace.sources.items()
        ],
        "calls": [_call_json(call, unmasked) for call in calls],
    }


def capture_words(trace: Trace) -> str:
    """Return where and when the capture was made."""
    source = next(iter(trace.sources.values()), None)
    if source is None:
        return "no worker has answered yet"
    first = source.header
    when = datetime.fromtimestamp(first.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    audio = {"keep": "", "omit": ", audio left out", "noise": ", audio replaced by noise"}[first.audio]
    workers = plural(len(trace.sources), "worker")
    return f"{printable(first.host) or 'unknown host'}, {workers}, release {printable(first.release, 40) or '?'}, {when}{audio}"


def heading(call: Call, *, unmasked: bool = False) -> list[str]:
    """Return three lines: which call and how it ended, how it went, and where it is found in logs."""
    sid = printable(call.call_sid, 60) or f"without sid, {printable(call.conn, 60)}"
    facts = [
        message.numbers(call.number_from, call.number_to, unmasked=unmasked),
        (f"{call.rate} Hz" if call.rate else "rate unknown")
        + (f" {call.encoding.value}" if call.encoding is not Encoding.PCM16 else ""),
        f"{duration(call.last_at - call.opened)}",
    ]
    facts += [f"in {call.frames['exotel']} out {call.frames['server']}", plural(call.faults, "fault")]
    names = [f"stream {printable(call.stream_sid, 60) or '?'}", printable(call.conn, 60)]
    names += [f"worker {printable(call.worker, 60)}"] * bool(call.worker) + [printable(call.opening.remote, 60)] * bool(
        call.opening.remote
    )
    return [f"call {sid}, {call.how_it_ended or 'live'}", ", ".join(facts), ", ".join(names)]


def _call_json(call: Call, unmasked: bool) -> dict[str, object]:
    return {
        "call_sid": call.call_sid,
        "stream_sid": call.stream_sid,
        "conn": call.conn,
        "worker": call.worker,
        "from": message.shown_number(call.number_from, unmasked),
        "to": message.shown_number(call.number_to, unmasked),
        "rate": call.rate,
        "encoding": call.encoding.value,
        "opened": call.opened,
        "seconds": round(call.last_at - call.opened, 3),
        "state": call.state,
        "ended": call.ended,
        "code": call.code,
        "reason": call.stop_reason,
        "frames_in": call.frames["exotel"],
        "frames_out": call.frames["server"],
        "faults": call.faults,
        "doubts": call.doubts(),
        "rows": [
            {**dataclasses.asdict(row), "since_s": round(row.since_s, 6), "gap_s": row.gap_s and round(row.gap_s, 6)}
            for row in ladder.rows(call, unmasked=unmasked)
        ],
    }
