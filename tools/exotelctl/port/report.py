"""The plan and its outcome as text for people and as JSON. Pure. What other programs wrote is made harmless first."""

from collections.abc import Sequence

from exotel_phone.text import duration, plural, printable

from exotelctl.port.apply import Ending
from exotelctl.port.facts import PortFacts, PortHolder
from exotelctl.port.plan import Decision, PortPlan
from exotelctl.port.proof import Proof
from exotelctl.port.receipt import Receipt

FAMILIES = ("tcp4", "tcp6")

_SAID = {
    "ended": "ended",
    "killed": "killed: it did not end on SIGTERM",
    "released": "let go of the port and lives on",
    "gone": "had already ended",
    "changed": "is no longer what was planned, got no signal",
    "not-permitted": "may not be signalled",
    "alive": "still holds the port",
}


def plan_text(facts: PortFacts, plan: PortPlan, timeout_s: float) -> str:
    """Describe who holds the port, and what is to be done about it."""
    lines = [f"Port {facts.port}: {plural(len(facts.listeners), 'listener')}"]
    for family in FAMILIES:
        listeners = [listener for listener in facts.listeners if listener.family == family]
        lines += [f"  {family} {listener.shown}, {listener.waiting} waiting" for listener in listeners] or [f"  {family} none"]
    if facts.closing or facts.connections:
        lines.append(f"  {plural(facts.connections, 'connection')}, {facts.closing} in TIME_WAIT (never signalled)")
    for decision in plan.decisions:
        lines += ["", *_decision(decision, timeout_s)]
    if plan.reason:
        lines += ["", _sentence(plan.reason)]
    if plan.decisions and not facts.everywhere:
        lines.append("Only PID 1 and our own units were looked at: they explain it all. --thorough looks at every process.")
    return "\n".join(lines)


def endings_text(endings: Sequence[Ending]) -> str:
    """Describe what became of each process."""
    return "\n".join(f"pid {ending.holder.pid}: {_said(ending)}" for ending in endings)


def as_json(
    facts: PortFacts, plan: PortPlan, verdict: str, endings: Sequence[Ending], after: PortPlan | None, proof: Proof | None
) -> dict[str, object]:
    """Return everything under stable keys; ``verdict`` is the outcome of the whole command."""
    return {
        "port": facts.port,
        "verdict": verdict,
        "plan": plan.verdict,
        "reason": plan.reason,
        "only_ours": plan.only_ours,
        "listeners": [
            {"family": item.family, "address": item.address, "inode": item.inode, "backlog": item.waiting}
            for item in facts.listeners
        ],
        "families": {family: sum(item.family == family for item in facts.listeners) for family in FAMILIES},
        "everywhere": facts.everywhere,
        "time_wait": facts.closing,
        "connections": facts.connections,
        "holders": [decision_json(decision) for decision in plan.decisions],
        "endings": [
            {"pid": item.holder.pid, "outcome": item.outcome, "signals": item.signals, "seconds": item.seconds}
            for item in endings
        ],
        "still_held_by": [decision_json(decision) for decision in after.decisions] if after else [],
        "free": proof.free if proof else None,
        "proof": proof.text if proof else "",
    }


def still_held_text(port: int, after: PortPlan) -> str:
    """Describe who holds the port after all was done."""
    lines = [f"Port {port} is still held:"]
    for decision in after.decisions:
        lines.append(f"  pid {decision.holder.pid} {printable(decision.holder.command)}: {printable(decision.why, 400)}")
        if decision.instead:
            lines.append(f"    use: {decision.instead}")
    if not after.decisions:
        lines.append(f"  {after.reason}")
    return "\n".join(lines)


def planned(port: int, who: str, decision: Decision) -> Receipt:
    """Return a planned ending for the journal. Programs are named, their arguments are not: these may hold secrets."""
    holder = decision.holder
    text = f"end pid {holder.pid} ({printable(holder.name, 40)}, user {printable(holder.user, 40)}, {decision.kind})"
    return _receipt("plan", port, who, text) | _of_holder(holder) | {"HOLDER_KIND": decision.kind, "WHY": printable(decision.why)}


def done(port: int, who: str, ending: Ending) -> Receipt:
    """Return an ending for the journal."""
    holder = ending.holder
    text = f"pid {holder.pid} ({printable(holder.name, 40)}) {_said(ending)}"
    result = {"OUTCOME": ending.outcome, "SIGNALS": " ".join(ending.signals), "SECONDS": f"{ending.seconds:.3f}"}
    return _receipt("done", port, who, text) | _of_holder(holder) | result


def proven(port: int, who: str, verdict: str, proof: Proof | None, after: PortPlan) -> Receipt:
    """Return the port after all was done, for the journal."""
    text = f"port then {after.verdict}, {proof.text}" if proof else f"port then {after.verdict}"
    held_by = " ".join(str(decision.holder.pid) for decision in after.decisions)
    return _receipt("proof", port, who, text) | {"VERDICT": verdict, "PORT_STATE": after.verdict, "HELD_BY": held_by}


def _receipt(stage: str, port: int, who: str, text: str) -> Receipt:
    message = f"port-clean port={port} by={who} {stage}: {text}"
    return {"MESSAGE": message, "EVENT": "port_clean", "PORT": str(port), "STAGE": stage, "REQUESTED_BY": who}


def _of_holder(holder: PortHolder) -> Receipt:
    return {
        "HOLDER_PID": str(holder.pid),
        "HOLDER_NAME": printable(holder.name, 40),
        "HOLDER_USER": holder.user,
        "HOLDER_UNIT": holder.unit,
        "HOLDER_START_TICKS": str(holder.identity.start_ticks),
        "HOLDER_INODES": " ".join(str(inode) for inode in sorted(holder.inodes)),
    }


def _said(ending: Ending) -> str:
    signals = f" ({', '.join(ending.signals)}, {ending.seconds:.1f} s)" if ending.signals else ""
    return _SAID[ending.outcome] + signals + (f": {ending.needs}" if ending.needs else "")


def _decision(decision: Decision, timeout_s: float) -> list[str]:
    holder = decision.holder
    parents = " ← ".join(f"{parent.pid} {printable(parent.name, 40)}" for parent in holder.parents) or "none"
    unit = printable(holder.unit) or "none"
    state = f"{unit} ({holder.unit_state})" if holder.unit_state else unit
    signals = ["SIGTERM", *(["SIGCONT"] if decision.kind == "stopped" else []), f"wait {timeout_s:g} s", "SIGKILL"]
    does = {"end": ", ".join(signals), "keep": "nothing", "refuse": "refused"}[decision.action]
    lines = [
        f"pid {holder.pid}  {printable(holder.command)}",
        f"  user {printable(holder.user, 40)}, age {duration(holder.age_s)}, {holder.state}, unit {state}",
        f"  parents: {parents}",
        f"  {_sentence(decision.why)}",
        f"  → {does}",
    ]
    if decision.instead:
        lines.append(f"  use: {decision.instead}")
    return lines


def decision_json(decision: Decision) -> dict[str, object]:
    """Return a holder of the port, and what is to be done about it, under stable keys."""
    holder = decision.holder
    return {
        "pid": holder.pid,
        "start_ticks": holder.identity.start_ticks,
        "user": printable(holder.user),
        "name": printable(holder.name),
        "command": printable(holder.command, 1000),
        "age_s": round(holder.age_s, 1),
        "state": holder.state,
        "unit": printable(holder.unit, 300),
        "unit_state": holder.unit_state,
        "parents": [{"pid": parent.pid, "name": printable(parent.name)} for parent in holder.parents],
        "inodes": sorted(holder.inodes),
        "connections": holder.accepted,
        "calls": holder.worker.calls if holder.worker else None,
        "kind": decision.kind,
        "action": decision.action,
        "why": printable(decision.why, 400),
        "instead": decision.instead,
    }


def _sentence(text: str) -> str:
    return printable(text[:1].upper() + text[1:], 400) + "."
