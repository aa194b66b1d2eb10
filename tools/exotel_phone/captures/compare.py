"""``exotelctl diff A B``: compare two captured calls.

A recorded.jsonl: a950c8dabf743862c3dd740e082a1a4r
B candidate.jsonl: a950c8dabf743862c3dd740e082a1a4r
❌ They part at 0.020 s, message 1 from the server (media): A has 320 bytes in a message, B 640, from byte 0 of the audio on; …
   A
   >     0.021 s  server  media, 320 bytes
   B
   >     0.041 s  server  media, 640 bytes
"""

import dataclasses

from exotel_phone.captures.calls import Call, Recording, choose, load
from exotel_phone.captures.diff import Comparison, Parting, compare
from exotel_phone.exits import Exit
from exotel_phone.options import DiffOptions
from exotel_phone.output import emit_json, say, warn
from exotel_phone.text import printable


def run(options: DiffOptions) -> Exit:
    """Compare two captured calls; print nothing if they are the same in content and time. Raises UsageFault."""
    a, b = options.a, options.b
    pairs = _pairs(load(a), load(b), options)
    compared = [(one, other, compare(one, other)) for one, other in pairs]
    same = all(comparison.same for _, _, comparison in compared)
    if options.json:
        emit_json({"same": same, "calls": [{"a": x.name, "b": y.name, **as_json(it)} for x, y, it in compared]})
    else:
        for one, other, comparison in compared:
            for doubt in comparison.doubts:
                warn(doubt)
            if comparison.partings or comparison.gaps:
                say(f"A {printable(str(a))}: {one.name}\nB {printable(str(b))}: {other.name}")
            if comparison.partings:
                tell_parting(comparison.partings[0])
            tell_gaps(comparison)
    return Exit.OK if same else Exit.PROBLEM


def _pairs(left: Recording, right: Recording, options: DiffOptions) -> list[tuple[Call, Call]]:
    """Return the calls to compare: the one named, or the only one of each, or those of the same connection."""
    by_connection = {call.opening.conn: call for call in right.calls}
    if not options.call and len(left.calls) > 1 and {one.opening.conn for one in left.calls} == set(by_connection):
        return [(one, by_connection[one.opening.conn]) for one in left.calls]
    return [(choose(left, options.call, options.a), choose(right, options.call, options.b))]


def as_json(comparison: Comparison) -> dict[str, object]:
    """Return a comparison as JSON."""
    return {
        "same": comparison.same,
        "first": dataclasses.asdict(comparison.partings[0]) if comparison.partings else None,
        "partings": [dataclasses.asdict(parting) for parting in comparison.partings],
        "gaps_ms": [dataclasses.asdict(gap) for gap in comparison.gaps],
        "doubts": list(comparison.doubts),
    }


def tell_parting(parting: Parting) -> None:
    """Print the first difference, with the messages around it in both calls."""
    whose = f", message {parting.message} from {'Exotel' if parting.side == 'exotel' else 'the server'}" if parting.side else ""
    say(f"❌ They part at {parting.at_s:.3f} s{whose} ({printable(parting.kind, 40)}): {parting.text}")
    for name, context in (("A", parting.context_a), ("B", parting.context_b)):
        if context:
            say(f"   {name}")
        for text in context:
            say(f"   {text}")


def tell_gaps(comparison: Comparison) -> None:
    """Print how the pace changed, if it did."""
    if comparison.gaps:
        say("ms between messages              A: p50    p95    max      B: p50    p95    max")
    for gap in comparison.gaps:
        a, b = gap.a, gap.b
        figures = f"{a.p50:9.1f}{a.p95:7.1f}{a.max:7.1f}{b.p50:12.1f}{b.p95:7.1f}{b.max:7.1f}"
        say(f"{gap.side:8}{printable(gap.kind, 20):22}{figures}")
