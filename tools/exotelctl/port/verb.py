"""``exotelctl port-clean``: facts, plan, consent, execution, proof.

Port 8765: 1 listener
  tcp4 0.0.0.0:8765, 0 waiting

pid 4242  node /srv/old/server.js
  user deploy, age 3 d 4 h, sleeping, unit none
  parents: 1 systemd
  An orphan: its parent is gone and no unit manages it.
  → SIGTERM, wait 10 s, SIGKILL

pid 4242: ended (SIGTERM, 0.2 s)
✅ Port 8765 is free: bound 0.0.0.0:8765 and [::]:8765.
"""

import dataclasses
import sys

from exotelctl.exits import Exit, UsageFault
from exotelctl.output import emit_json, say
from exotelctl.port import apply, receipt, report
from exotelctl.port.facts import Facts
from exotelctl.port.gather import gather
from exotelctl.port.plan import Plan, plan
from exotelctl.port.proof import Proof, bind
from exotelctl.text import plural

_ROUNDS = 3
"""A parent may start one more child between the look and the signal; more rounds than this mean that something else does."""


@dataclasses.dataclass(slots=True)
class _Run:
    """What the command has found and done so far."""

    facts: Facts
    plan: Plan
    endings: list[apply.Ending] = dataclasses.field(default_factory=list)
    after: Plan | None = None
    proof: Proof | None = None


def run(port: int, *, yes: bool, dry_run: bool, force: bool, timeout_s: float, json: bool) -> Exit:
    """Free ``port`` from whatever should not hold it. Raises UsageFault."""
    if not 0 <= timeout_s <= 3600:
        raise UsageFault(f"--timeout {timeout_s:g}: between 0 and 3600 seconds")
    facts = gather(port)
    this = _Run(facts, plan(facts, force=force))
    tell = _mute if json else say
    tell(report.plan_text(facts, this.plan, timeout_s) + "\n")
    verdict, code = _proceed(this, yes, dry_run, timeout_s, json)
    if json:
        emit_json(report.as_json(facts, this.plan, verdict, this.endings, this.after, this.proof))
    else:
        _conclude(this, verdict)
    return code


def _proceed(this: _Run, yes: bool, dry_run: bool, timeout_s: float, json: bool) -> tuple[str, Exit]:
    """The verdict on the whole command, and its exit code."""
    if dry_run:
        return "dry-run", Exit.OK
    if this.plan.verdict == "refused":
        return "refused", Exit.REFUSED
    if this.plan.verdict == "unseen":
        return "unseen", Exit.PROBLEM if this.facts.as_root else Exit.REFUSED
    if this.plan.verdict == "act":
        if not yes and not _consent(this.plan, may_ask=not json):
            return "no-consent", Exit.REFUSED
        _execute(this, timeout_s)
        return _prove(this, this.after or this.plan, "cleaned")
    return _prove(this, this.plan, "free")


def _prove(this: _Run, last: Plan, good: str) -> tuple[str, Exit]:
    if this.after is not None and this.plan.is_settled_by(this.after):
        return good, Exit.OK
    if last.verdict == "ours":
        return "ours", Exit.OK
    if last.verdict != "free":
        return "still-held", Exit.PROBLEM
    this.proof = bind(this.facts.port)
    return (good, Exit.OK) if this.proof.free else ("not-proven", Exit.PROBLEM)


def _consent(the_plan: Plan, *, may_ask: bool) -> bool:
    if not (may_ask and sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        answer = input(f"End {plural(len(the_plan.to_end), 'process', 'processes')}? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        return False
    return answer.strip().lower() in ("y", "yes")


def _execute(this: _Run, timeout_s: float) -> None:
    """Carry the plan out; again where a process of it has passed the same socket on meanwhile."""
    port, sockets, doing = this.facts.port, this.facts.inodes, this.plan
    person = receipt.who()
    for _ in range(_ROUNDS):
        receipt.write(report.receipt("plan", port, person, [report.receipt_plan(item) for item in doing.to_end]))
        endings = apply.end([item.holder for item in doing.to_end], this.facts.protected, timeout_s)
        this.endings += endings
        now = gather(port)
        this.after = doing = plan(now, force=False)
        words = [*(report.receipt_ending(ending) for ending in endings), f"port then {doing.verdict}"]
        receipt.write(report.receipt("done", port, person, words))
        if doing.verdict != "act" or not all(item.holder.inodes <= sockets for item in doing.to_end):
            return
        if any(ending.outcome in ("alive", "not-permitted") for ending in endings):
            return


def _conclude(this: _Run, verdict: str) -> None:
    port = this.facts.port
    if this.endings:
        say(report.endings_text(this.endings))
    if verdict == "dry-run":
        say("Dry run: nothing was done.")
    elif verdict == "no-consent":
        say("Nothing was done: say --yes to act.")
    elif verdict == "still-held" and this.after is not None:
        say(f"❌ {report.still_held_text(this.after)}")
    elif this.proof is not None:
        mark, is_free = ("✅", "is free") if this.proof.free else ("❌", "cannot be proven free")
        say(f"{mark} Port {port} {is_free}: {this.proof.text}.")
    elif this.endings:
        say(f"✅ Port {port} is held by nothing but our own units.")


def _mute(_text: str) -> None:
    return
