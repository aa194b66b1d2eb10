"""Show a call to a bot as text and as JSON. Pure."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from exotel_phone.echo_meter import percentile
from exotel_phone.reach import Fault
from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.measure import Figures, figures, latency
from exotel_phone.talk.playback import Utterance
from exotel_phone.text import plural, printable
from exotel_phone.wire import FRAME_MS

_WORDS = 400
"""Characters of one utterance that are shown."""


def transcript(call: Call) -> list[str]:
    """Return who said what, when, and what of it was cut, a line each in the order of their beginnings."""
    lines = [(said.begins, "caller", _caller(said)) for said in call.said]
    lines += [(utterance.begins, "bot", _bot(utterance)) for utterance in call.spoken]
    by_bot = f"the bot ended the call ({call.end.code})" if call.end.by_bot and call.end.code == 1000 else call.end.how
    lines.append((call.end.at, "", by_bot))
    return [f"   {call.at(time):6.1f} s  {who:6}  {text}" for time, who, text in sorted(lines, key=lambda line: line[0])]


def text(call: Call, fault: Fault | None) -> str:
    """Return the whole report for people."""
    verdict = "✅ The bot answered every turn." if fault is None else fault.told
    return "\n".join([*transcript(call), "", *(f"   {name:16} {value}" for name, value in _rows(call)), verdict])


def _rows(call: Call) -> Iterator[tuple[str, str]]:
    measured = figures(call)
    yield from figures_ms(measured)
    ignored = len(measured.barge_ins) - len(measured.to_clear)
    if ignored:
        yield "barge-in", f"{ignored} of {len(measured.barge_ins)} did not make the bot stop"
    if measured.idle_clears:
        yield "clear", f"{measured.idle_clears} with nothing to clear"
    yield "gaps", f"{len(measured.gaps)}, the longest {_ms(max(measured.gaps))} ms" if measured.gaps else "none"
    if call.sizes:
        count, sizes = plural(len(call.sizes), "message"), "–".join(map(str, sorted({min(call.sizes), max(call.sizes)})))
        broken = f"{len(call.violations)} break a rule" if call.violations else "all by the rules"
        yield "chunks", f"{count} of {sizes} bytes, {broken}, at most {call.ahead_s:.1f} s ahead"
    yield "call sid", call.ids.call_sid
    if call.late_max_ms > FRAME_MS:
        yield "note", f"this machine sent up to {call.late_max_ms:.0f} ms late: it is too busy to measure by"
    if any(utterance.text is None for utterance in call.spoken):
        yield "note", "the bot's words need the ai extra: pip install 'exotel-voicebot[ai]'"


def spoken_text(utterance: Utterance) -> str:
    """Return the words of ``utterance``, or its length without a recogniser."""
    if utterance.text is None:
        return f"(spoken, {utterance.ends - utterance.begins:.1f} s)"
    return printable(utterance.text, _WORDS) or "(no words)"


def figures_ms(measured: Figures) -> list[tuple[str, str]]:
    """Return the latencies by name, in ms, as they are shown; those that were not measured are left out."""
    named = {
        "greeting": [] if measured.greeting is None else [measured.greeting],
        "voice to voice": measured.voice_to_voice,
        "key to voice": measured.key_to_voice,
        "barge-in → clear": measured.to_clear,
    }
    return [(name, _spread(values)) for name, values in named.items() if values]


def as_json(call: Call, fault: Fault | None, files: dict[str, Path | None]) -> dict[str, object]:
    """Return the call as JSON; times in ms unless the name says seconds, counted from ``start``."""
    measured = figures(call)
    return {
        "call_sid": call.ids.call_sid,
        "stream_sid": call.ids.stream_sid,
        "rate": call.rate,
        "connect_ms": round(call.connect_ms, 3),
        "duration_s": round(call.at(call.end.at), 3),
        "caller": [_said_json(call, said) for said in call.said],
        "bot": [_spoken_json(call, utterance) for utterance in call.spoken],
        "unsaid": [turn.shown for turn in call.unsaid],
        "clears": [{"at_s": round(call.at(one.at), 3), "dropped_s": round(one.dropped_s, 3)} for one in call.clears],
        "greeting_ms": None if measured.greeting is None else _ms(measured.greeting),
        "voice_to_voice_ms": _spread_json(measured.voice_to_voice),
        "key_to_voice_ms": _spread_json(measured.key_to_voice),
        "barge_in_to_clear_ms": _spread_json(measured.to_clear),
        "barge_ins": {"made": len(measured.barge_ins), "obeyed": len(measured.to_clear)},
        "gaps_ms": [_ms(gap) for gap in measured.gaps],
        "idle_clears": measured.idle_clears,
        "messages": {
            "count": len(call.sizes),
            "shortest": min(call.sizes, default=0),
            "longest": max(call.sizes, default=0),
            "ahead_max_s": round(call.ahead_s, 3),
            "violations": [{"at_s": round(call.at(one.at), 3), "size": one.size, "rule": one.rule} for one in call.violations],
        },
        "marks_returned": call.marks,
        "end": {"by": "bot" if call.end.by_bot else "caller", "code": call.end.code, "unheard_s": round(call.end.unheard_s, 3)},
        "late_max_ms": round(call.late_max_ms, 3),
        **{name: None if file is None else str(file) for name, file in files.items()},
        "ok": fault is None,
        "problem": None if fault is None else dataclasses.asdict(fault),
    }


def _caller(said: Said) -> str:
    return printable(said.turn.shown, _WORDS) + ("  (over the bot)" if said.over_bot else "")


def _bot(utterance: Utterance) -> str:
    notes = ""
    if utterance.cut:
        heard_s = utterance.ends - utterance.begins
        notes = f"  (cut after {heard_s:.1f} s, {len(utterance.cut) / 2 / utterance.rate:.1f} s dropped)"
    return spoken_text(utterance) + notes


def _said_json(call: Call, said: Said) -> dict[str, object]:
    answered = latency(call, said)
    return {
        "text": said.turn.shown,
        "keys": said.turn.dtmf,
        "begins_s": round(call.at(said.begins), 3),
        "ends_s": round(call.at(said.ends), 3),
        "over_bot": said.over_bot,
        "answered_after_ms": None if answered is None else _ms(answered),
    }


def _spoken_json(call: Call, utterance: Utterance) -> dict[str, object]:
    return {
        "text": utterance.text,
        "begins_s": round(call.at(utterance.begins), 3),
        "ends_s": round(call.at(utterance.ends), 3),
        "cut_s": round(len(utterance.cut) / 2 / utterance.rate, 3),
        "gaps_ms": [_ms(length) for _at, length in utterance.gaps],
    }


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{_ms(values[0])} ms"
    each = ", ".join(str(_ms(value)) for value in values)
    return f"p50 {_ms(percentile(values, 50))} ms, max {_ms(max(values))} ms  ({each})"


def _spread_json(values: Sequence[float]) -> dict[str, object] | None:
    if not values:
        return None
    return {"p50": _ms(percentile(values, 50)), "max": _ms(max(values)), "each": [_ms(value) for value in values]}


def _ms(value: float) -> int:
    return round(value * 1000)
