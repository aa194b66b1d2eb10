"""A reset as text for people and as JSON. Pure."""

from collections.abc import Sequence
from itertools import groupby

from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts
from exotel_phone.text import duration, plural, printable

from exotelctl.port import report as port_report
from exotelctl.port.plan import Decision
from exotelctl.reset.facts import Facts, Worker
from exotelctl.reset.plan import Plan


def plan_text(facts: Facts, plan: Plan, drain_s: float) -> str:
    """Describe what is on the host, what a reset does, and how many calls it cuts."""
    serving = facts.serving
    lines = [f"Reset to {serving.id} (release {serving.content.release}), listening on {serving.content.listen}", ""]
    lines += [f"  {line}" for line in _generations(facts)] or ["  no worker runs"]
    lines += [f"  port {port.number}: {_stranger(stranger)}" for port in facts.ports for stranger in port.strangers]
    if plan.refusal:
        return "\n".join([*lines, "", f"❌ Refused, nothing was changed: {plan.refusal}"])
    lines += ["", *(f"  {number}. {step}" for number, step in enumerate(plan.steps, 1)), ""]
    return "\n".join([*lines, cost(plan, drain_s)])


def cost(plan: Plan, drain_s: float) -> str:
    """Say what callers notice."""
    new = "New calls are refused until it serves again."
    if not plan.calls:
        return f"It cuts no call: there is none. {new}"
    calls = plural(plan.calls, "live call")
    if drain_s:
        return f"⚠️  {calls} may end by themselves for {drain_s:g} s, then what is left of them is cut. {new}"
    return f"⚠️  It cuts {calls}. {new} (exotelctl restart cuts none; --drain SECONDS waits first.)"


def state_text(host: HostFacts) -> str:
    """Say what an unfinished reset has left, and what brings the host back."""
    up = host.running(host.serving.instances) if host.serving else ()
    left = [name for name in host.live(host.instances) if name not in up]
    parts = [f"exotel-ws.socket is {host.socket.active}"]
    parts.append("calls are taken" if host.socket.live and up else "new calls are refused")
    parts.append(f"{plural(len(up), 'worker')} of {host.current} up")
    if left:
        parts.append(f"{plural(len(left), 'worker')} still ending: {' '.join(left)}")
    back = "Back into service: exotelctl restart (cuts no call), or exotelctl reset --yes (begins again)"
    return f"State now: {', '.join(parts)}. {back}."


def success_text(facts: Facts, calls_cut: int, seconds: float) -> str:
    """Report success."""
    cut = f"{plural(calls_cut, 'call')} cut" if calls_cut else "no call was cut"
    return f"✅ {facts.serving.id} serves again, verified after {seconds:.1f} s; {cut}."


def as_json(facts: Facts, plan: Plan, outcome: str) -> dict[str, object]:
    """Return everything under stable keys, before anything is done.

    ``outcome`` is done, dry-run, no-consent, refused, failed or interrupted; ``calls_live`` were there when it was planned.
    """
    return {
        "outcome": outcome,
        "generation": facts.serving.id,
        "release": facts.serving.content.release,
        "calls_live": plan.calls,
        "calls_cut": 0,
        "workers": [
            {"instance": worker.name, "state": worker.state, "calls": worker.calls, "answers": worker.answers}
            for worker in facts.workers
        ],
        "ports": [
            {"port": port.number, "strangers": [_stranger_json(stranger) for stranger in port.strangers]} for port in facts.ports
        ],
        "plan": [str(step) for step in plan.steps],
        "steps": [],
        "verified": [],
        "problem": plan.refusal,
        "journal": "",
        "state": "",
    }


def _generations(facts: Facts) -> list[str]:
    """Return a line per generation that runs, the serving one last."""
    found = sorted(facts.workers, key=lambda worker: worker.name)
    return [_generation(name, list(workers)) for name, workers in groupby(found, key=lambda worker: worker.generation)]


def _generation(name: str, workers: Sequence[Worker]) -> str:
    states = " ".join(sorted({worker.state for worker in workers}))
    silent = [worker.name for worker in workers if not worker.answers]
    remark = f" ({' '.join(silent)} gives no answer: its connections are counted)" if silent else ""
    calls = plural(sum(worker.calls for worker in workers), "live call")
    return f"{name}: {plural(len(workers), 'worker')} {states}, {calls}{remark}"


def _stranger(decision: Decision) -> str:
    holder = decision.holder
    who = f"pid {holder.pid} {printable(holder.command, 100)} (user {holder.user}, age {duration(holder.age_s)})"
    return f"{who} is not ours and is ended: {printable(decision.why)}"


def _stranger_json(decision: Decision) -> dict[str, object]:
    said = port_report.decision_json(decision)
    return {key: said[key] for key in ("pid", "name", "user", "age_s", "kind", "why")}
