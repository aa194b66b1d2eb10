"""``exotelctl port-clean``: facts, plan, consent, execution, proof; each port on its own, one question for all.

Port 8765: 1 listener
  tcp4 0.0.0.0:8765, 0 waiting
  tcp6 none

pid 4242  node /srv/old/server.js
  user deploy, age 3 d 4 h, sleeping, unit none
  parents: 1 systemd
  An orphan: its parent is gone and no unit manages it.
  → SIGTERM, wait 10 s, SIGKILL

pid 4242: ended (SIGTERM, 0.2 s)
✅ Port 8765 is free: bound 0.0.0.0:8765 and [::]:8765.
"""

import dataclasses
from collections.abc import Sequence

from ansible_collections.exotel.voicebot.plugins.module_utils import requester
from exotel_phone.exits import Exit, UsageFault
from exotel_phone.output import emit_json
from exotel_phone.text import plural

from exotelctl import consent
from exotelctl.host_settings import DEFAULT_PORT
from exotelctl.options import PortCleanOptions
from exotelctl.port import apply, receipt, report
from exotelctl.port.facts import PortFacts
from exotelctl.port.gather import gather
from exotelctl.port.plan import PortPlan, plan
from exotelctl.port.proof import Proof, bind
from exotelctl.progress import Progress

_ROUNDS = 3
"""A parent may start one more child between the look and the signal; more rounds than this mean that something else does."""


@dataclasses.dataclass(slots=True)
class _Run:
    """Hold what the command has found and done about one port."""

    facts: PortFacts
    plan: PortPlan
    endings: list[apply.Ending] = dataclasses.field(default_factory=list)
    after: PortPlan | None = None
    proof: Proof | None = None
    verdict: str = ""


def run(options: PortCleanOptions) -> Exit:
    """Free each port from whatever should not hold it; the exit code is the worst of all. Raises UsageFault."""
    if not 0 <= options.timeout <= 3600:
        raise UsageFault(f"--timeout {options.timeout:g}: between 0 and 3600 seconds")
    runs: list[_Run] = []
    for port in dict.fromkeys(options.port or [DEFAULT_PORT]):
        facts = gather(port, thorough=options.thorough)
        runs.append(_Run(facts, plan(facts, force=options.force)))
    progress, codes = Progress(quiet=options.json), []
    for this in runs:
        progress.tell(report.plan_text(this.facts, this.plan, options.timeout) + "\n")
    agreed = options.yes or (not options.dry_run and not options.json and _consent(runs))
    for this in runs:
        this.verdict, code = _proceed(this, options, agreed)
        codes.append(code)
        for line in _conclusion(this):
            progress.tell(line)
    if options.json:
        made = [report.as_json(this.facts, this.plan, this.verdict, this.endings, this.after, this.proof) for this in runs]
        emit_json(made[0] if len(made) == 1 else {"ports": made})
    return max(codes)


def _proceed(this: _Run, options: PortCleanOptions, agreed: bool) -> tuple[str, Exit]:
    """Do what is to be done about one port; return the verdict on it, and its exit code."""
    if options.dry_run:
        return "dry-run", Exit.OK
    if this.plan.verdict == "refused":
        return "refused", Exit.REFUSED
    if this.plan.verdict == "unseen":
        return "unseen", Exit.PROBLEM if this.facts.as_root else Exit.REFUSED
    if this.plan.verdict == "act":
        if not agreed:
            return "no-consent", Exit.REFUSED
        return _carry_out(this, options)
    return _prove(this, this.plan, "free")


def _carry_out(this: _Run, options: PortCleanOptions) -> tuple[str, Exit]:
    """Act on the plan, with receipts of before and after."""
    port, person = this.facts.port, requester.person()
    last = _execute(this, person, options.timeout)
    verdict, code = _prove(this, last, "cleaned")
    receipt.write(report.proven(port, person, verdict, this.proof, last))
    return verdict, code


def _prove(this: _Run, last: PortPlan, good: str) -> tuple[str, Exit]:
    if this.after is not None and this.plan.is_settled_by(this.after):
        return good, Exit.OK
    if last.verdict == "ours":
        return "ours", Exit.OK
    if last.verdict != "free":
        return "still-held", Exit.PROBLEM
    this.proof = bind(this.facts.port)
    return (good, Exit.OK) if this.proof.free else ("not-proven", Exit.PROBLEM)


def _consent(runs: Sequence[_Run]) -> bool:
    """Ask once for all ports. False without a question where there is nothing to end, or nobody to ask."""
    count = len({item.holder.identity for this in runs if this.plan.verdict == "act" for item in this.plan.to_end})
    return count > 0 and consent.agreed(f"End {plural(count, 'process', 'processes')}?")


def _execute(this: _Run, person: str, timeout_s: float) -> PortPlan:
    """Carry the plan out, again where a process of it has passed the same socket on meanwhile; return what is left to do."""
    port, sockets, doing = this.facts.port, this.facts.inodes, this.plan
    for _ in range(_ROUNDS):
        for decision in doing.to_end:
            receipt.write(report.planned(port, person, decision))
        endings = apply.end([item.holder for item in doing.to_end], this.facts.protected, timeout_s)
        for ending in endings:
            receipt.write(report.done(port, person, ending))
        this.endings += endings
        this.after = doing = plan(gather(port, thorough=True), force=False)
        if doing.verdict != "act" or not all(item.holder.inodes <= sockets for item in doing.to_end):
            break
        if any(ending.outcome in ("alive", "not-permitted") for ending in endings):
            break
    return doing


def _conclusion(this: _Run) -> list[str]:
    port = this.facts.port
    lines = [report.endings_text(this.endings)] if this.endings else []
    if this.verdict == "dry-run":
        lines.append(f"Dry run: nothing was done about port {port}.")
    elif this.verdict == "no-consent":
        lines.append(f"Nothing was done about port {port}: say --yes to act.")
    elif this.verdict == "still-held" and this.after is not None:
        lines.append(f"❌ {report.still_held_text(port, this.after)}")
    elif this.proof is not None:
        mark, is_free = ("✅", "is free") if this.proof.free else ("❌", "cannot be proven free")
        lines.append(f"{mark} Port {port} {is_free}: {this.proof.text}.")
    elif this.endings:
        lines.append(f"✅ Port {port} is held by nothing but our own units.")
    return lines
