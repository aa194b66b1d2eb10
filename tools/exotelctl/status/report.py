"""The status as text for people and as JSON. Pure. Callers' numbers are masked; what callers supplied is made harmless."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils.status import columns
from exotel_phone.text import duration, plural, printable
from exotel_ws.mask import masked

from exotelctl.admin import Call
from exotelctl.audit import Action
from exotelctl.edge.config import UNIT
from exotelctl.privileges import cure_of_root
from exotelctl.status.facts import Facts, Worker
from exotelctl.status.judge import Row, Verdict

_MOST_CALLS: Final = 20
_SPOKEN: Final = ("BOT", "TURNS", "ANSWERED IN")
_MIB: Final = 1 << 20
_OF_UNIT: Final = ("name", "active", "sub", "result", "pid", "restarts")
_OF_ANSWER: Final = ("state", "release", "calls_live", "calls_total", "connections")


def as_text(facts: Facts, verdict: Verdict, *, numbers: bool) -> str:
    """Return everything for a screen: the verdict first, then its facts."""
    parts = [_headline(facts, verdict)]
    if verdict.rows:
        parts += [_generations(verdict.rows), _workers(verdict.rows)]
    parts.append("\n".join([_port(facts), *_edge(facts), *([f"⚠️ {facts.moved}"] if facts.moved else [])]))
    if calls := _calls(verdict.rows):
        parts.append(_call_table(calls, numbers))
    if facts.deploy:
        parts.append(_deploy(facts.deploy))
    if facts.unseen:
        parts.append(_unseen(facts))
    return "\n\n".join(parts)


def _unseen(facts: Facts) -> str:
    what = ", ".join(facts.unseen)
    if not facts.as_root:
        return f"Not seen without root: {what}. Put sudo in front of the command."
    cure = cure_of_root(facts.lacks)
    return f"Not seen: {what}{f'; {cure}' if cure else ''}."


def as_json(facts: Facts, verdict: Verdict, *, numbers: bool) -> dict[str, object]:
    """Return the same under stable keys; memory in bytes, ages in seconds, times in Unix seconds."""
    return {
        "host": facts.host,
        "time": facts.at,
        "ok": not verdict.problems,
        "problems": list(verdict.problems),
        "edge": facts.edge.state and facts.edge.state.active,
        "maintenance": facts.maintenance or None,
        "moved": facts.moved or None,
        "current": facts.current or None,
        "generations": [_generation_json(row) for row in verdict.rows],
        "workers": [_worker_json(worker) for worker in facts.workers],
        "calls": [{"worker": worker.instance, **_call_json(call, numbers)} for worker, call in _calls(verdict.rows)],
        "socket": facts.socket and facts.socket.active,
        "port": {
            "port": facts.port,
            "only_ours": facts.holders.only_ours,
            "holders": [
                {"pid": found.holder.pid, "name": found.holder.name, "unit": found.holder.unit, "kind": found.kind}
                for found in facts.holders.decisions
            ],
        },
        "last_deploy": facts.deploy and dataclasses.asdict(facts.deploy),
        "unseen": list(facts.unseen),
    }


def _headline(facts: Facts, verdict: Verdict) -> str:
    when = f"{datetime.fromtimestamp(facts.at).astimezone():%Y-%m-%d %H:%M:%S %z}"
    if facts.maintenance and not verdict.problems:
        return f"🔧 {facts.host}, {when}: {facts.maintenance}\n   Bring it back: exotelctl maintenance off"
    if verdict.problems:
        return "\n".join([f"❌ {facts.host}, {when}", *(f"   {problem}" for problem in verdict.problems)])
    return f"✅ {facts.host}, {when}: serving, as far as was seen" if facts.unseen else f"✅ {facts.host}, {when}: serving"


def _generations(rows: Sequence[Row]) -> str:
    cells = [("GENERATION", "STATE", "CALLS", "RELEASE", "WORKERS", "SINCE")]
    for row in rows:
        calls = "?" if row.calls is None else f"{row.calls} left" if row.state == "draining" else str(row.calls)
        active = sorted(worker.unit.active for worker in row.workers)
        workers = ", ".join(f"{active.count(state)} {state}" for state in sorted(set(active))) or "none"
        cells.append((row.name, row.state, calls, row.release, workers, _age(row.age_s)))
    return columns(cells)


def _workers(rows: Sequence[Row]) -> str:
    """Return one line a worker; a fault in place of an unknown answer."""
    workers = [worker for row in rows for worker in row.workers]
    over = {f"{worker.usage.over_s:.1f}" for worker in workers if worker.usage}
    cpu = f"CPU OVER {max(over)} s" if over else "CPU"
    cells = [("WORKER", "PID", "RSS", "PSS", cpu, "STARTED AGAIN", "ANSWER")]
    for worker in workers:
        usage = worker.usage
        memory = (_mib(usage.rss), _mib(usage.pss), f"{usage.cpu:.0f} %") if usage else ("-", "-", "-")
        cells.append((worker.short, str(worker.unit.pid or "-"), *memory, str(worker.unit.restarts), _said(worker)))
    return columns(cells)


def _said(worker: Worker) -> str:
    if worker.fault:
        return printable(worker.fault, 100)
    if worker.answer is None:
        return "not asked"
    calls = f"{plural(worker.answer.calls_live, 'call')}, {worker.answer.calls_total} since it started"
    return f"{printable(worker.answer.state, 20)}, {calls}"


def _port(facts: Facts) -> str:
    who = [
        f"pid {found.holder.pid} {printable(found.holder.unit or found.holder.name, 60)}: {found.why}"
        for found in facts.holders.strangers
    ]
    if any(found.kind == "our-socket" for found in facts.holders.decisions):
        who.insert(0, "PID 1 for exotel-ws.socket, as it should be")
    ours = [found.holder for found in facts.holders.decisions if found.kind in ("our-service", "draining")]
    if not who and ours:
        who = [f"{plural(len(ours), 'worker')} of ours, without exotel-ws.socket"]
    if not who:
        who = ["nothing listens"] if facts.holders.verdict == "free" else ["somebody listens whom this user cannot see"]
    return f"Port {facts.port}: {'; '.join(who)}"


def _edge(facts: Facts) -> list[str]:
    if facts.edge.config is None:
        return []
    known = facts.edge.config
    state = facts.edge.state.active if facts.edge.state else "of an unknown state"
    return [f"Edge: wss://{printable(known.name, 100)}, port {known.port}: {UNIT} is {state}"]


def _calls(rows: Sequence[Row]) -> list[tuple[Worker, Call]]:
    """Return every known live call, the oldest first."""
    found = [(worker, call) for row in rows for worker in row.workers if worker.answer for call in worker.answer.calls]
    return sorted(found, key=lambda item: -item[1].age_s)


def _call_table(calls: Sequence[tuple[Worker, Call]], numbers: bool) -> str:
    spoken = any(call.state for _, call in calls)
    cells = [("CALL", "FROM", "TO", "AGE", "IN", "OUT", "LAST EVENT", *(_SPOKEN if spoken else ()), "WORKER")]
    for worker, call in calls[:_MOST_CALLS]:
        ago = "" if call.last_event_age_s is None else f" {duration(call.last_event_age_s)} ago"
        cells.append(
            (
                printable(call.call_sid or call.stream_sid or call.conn_id, 40),
                printable(_number(call.caller, numbers), 24) or "-",
                printable(_number(call.called, numbers), 24) or "-",
                duration(call.age_s),
                str(call.frames_in),
                str(call.frames_out),
                f"{printable(call.last_event, 20)}{ago}",
                *(_spoken(call) if spoken else ()),
                worker.short,
            )
        )
    more = len(calls) - _MOST_CALLS
    return columns(cells) + (f"\n… and {plural(more, 'call')} more: see --json" if more > 0 else "")


def _spoken(call: Call) -> tuple[str, str, str]:
    answered = "-" if call.voice_to_voice_ms is None else f"{call.voice_to_voice_ms:.0f} ms"
    return printable(call.state, 20) or "-", str(call.turns), answered


def _deploy(action: Action) -> str:
    outcome = printable(action.outcome.partition("\n")[0])
    words = [action.when, action.action, printable(action.generation, 60), f"by {printable(action.who, 60)}:"]
    return f"Last deploy: {' '.join(word for word in words if word)} {outcome}"


def _number(number: str, numbers: bool) -> str:
    return number if numbers else masked(number)


def _generation_json(row: Row) -> dict[str, object]:
    return {
        "generation": row.name,
        "state": row.state,
        "release": row.release,
        "calls_live": row.calls,
        "age_s": row.age_s,
        "instances": {worker.instance: worker.unit.active for worker in row.workers},
    }


def _worker_json(worker: Worker) -> dict[str, object]:
    answer = worker.answer
    return {
        "instance": worker.instance,
        "unit": {name: getattr(worker.unit, name) for name in _OF_UNIT} | {"age_s": worker.unit.changed_s},
        "fault": worker.fault,
        **{name: answer and getattr(answer, name) for name in _OF_ANSWER},
        "usage": worker.usage and dataclasses.asdict(worker.usage),
    }


def _call_json(call: Call, numbers: bool) -> dict[str, object]:
    said = dataclasses.asdict(call)
    del said["own"]
    return {**said, "caller": _number(call.caller, numbers), "called": _number(call.called, numbers)}


def _mib(size: int | None) -> str:
    return "?" if size is None else f"{size / _MIB:.1f} MiB"


def _age(seconds: float | None) -> str:
    return "?" if seconds is None else f"{duration(seconds)} ago"
