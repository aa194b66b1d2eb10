"""``exotelctl verify``: prove that a host takes calls, from what it saw of itself and by a call from here.

✅ generation 20261125T102706-1a67a886 of release 0.1.0-3fa9c1d2e4 is deployed
✅ 3 units are active: the socket and 2 workers
✅ port 8765 is held by PID 1 for exotel-ws.socket, and by no stranger
✅ the host itself gets {"status":"ok","service":"exotel-passthrough","mode":"echo"}
✅ so does this machine, by http://198.51.100.7:8765, in 1.4 ms
✅ the protocol test passes, 18 of 18 checks
✅ a call of 2 s at 8000 Hz came back bit-exact, round trip p50 0.5 ms, p95 0.7 ms
✅ voicebot-1 takes calls

Behind an edge it calls by wss, with its certificate checked, and also proves what the edge refuses:

✅ so does this machine, by https://voice.example.com, in 3.9 ms; a public CA vouches for its certificate
✅ a call without a key is refused: 401
✅ a call with a wrong key is refused: 401
✅ /metrics is not shown to this machine: 404
✅ tcp:8765 is closed to this machine: nobody gets past the edge
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from exotel_phone import tls
from exotel_phone.exits import UsageFault
from exotel_phone.output import emit_json, say
from exotel_phone.text import printable

from exotelctl.doctor.facts import outside
from exotelctl.doctor.facts.outside import Outside
from exotelctl.doctor.result import Remedy
from exotelctl.options import VerifyOptions
from exotelctl.verify import look, refusals, steps
from exotelctl.verify.steps import Step

NOTHING_DEPLOYED: Final = 4
_MOST: Final = 400


def run(options: VerifyOptions) -> int:
    """Prove, print, and return 0 if the host takes calls, 4 if nothing is deployed to it, else 1. Raises UsageFault."""
    if not options.seen.is_dir():
        raise UsageFault(
            f"{options.seen}: no directory with what a host told of itself; ansible-playbook playbooks/verify.yml makes one"
        )
    found, warnings = prove(options)
    if options.json:
        wrong = found[-1].wrong
        failed = {"claim": found[-1].claim, **dataclasses.asdict(wrong)} if wrong else None
        emit_json({"proofs": [step.proof for step in found if not step.wrong], "warnings": warnings, "failed": failed})
    else:
        say("\n".join(report(found, warnings, options.name or options.host)))
    if steps.is_empty(found):
        return NOTHING_DEPLOYED
    return 1 if found[-1].wrong else 0


def prove(options: VerifyOptions) -> tuple[list[Step], list[str]]:
    """Return the steps up to the first that fails, and warnings."""
    seen = look.read(options.seen)
    found, warnings = steps.of_host(seen.facts), []
    if seen.unseen and found[0].wrong is None:
        found = [found[0], steps.cannot_look(seen.unseen)] if seen.broken else found[:1]
        warnings = [f"the host's units and port were not looked at: {seen.unseen}"]
    if found[-1].wrong:
        return found, []
    target = look.target(options.seen, seen, options.host, options.rate)
    from_here = outside.look(target, call_s=options.seconds)
    chain = look.chain(options.seen) if options.host_ca and _is_untrusted(from_here) else None
    if chain:
        target = dataclasses.replace(target, ca_file=chain)
        from_here = outside.look(target, call_s=options.seconds)
    found = steps.up_to_fault([*found, *steps.from_here(seen.facts, from_here, target)])
    if (edge := look.edge(options.seen)) and not found[-1].wrong:
        port = seen.facts.deployment.get().port
        refused = refusals.look(target, edge, port, from_here.addresses)
        sources = look.lists_metrics_sources(options.seen)
        found = steps.up_to_fault([*found, *refusals.steps(refused, edge, port, metrics_sources=sources)])
    return found, warnings or steps.also(seen.facts)


def _is_untrusted(seen: Outside) -> bool:
    """Return True if nothing is wrong with the certificate but that no CA vouches for it that is trusted here."""
    trouble = seen.answers.health.trouble if seen.answers else None
    return trouble is not None and trouble.kind == tls.UNTRUSTED


def report(found: Sequence[Step], warnings: Sequence[str], name: str) -> list[str]:
    """Return the proofs and the verdict, a line each."""
    lines = [f"✅ {printable(step.proof, _MOST)}" for step in found if not step.wrong]
    wrong = found[-1].wrong
    if wrong is None:
        return [*lines, *(f"⚠️ {printable(text, _MOST)}" for text in warnings), f"✅ {name} takes calls"]
    lines += [f"❌ {name} failed: {found[-1].claim}", f"Likely cause: {printable(wrong.says, _MOST)}"]
    lines += [f"  {printable(text, _MOST)}" for text in wrong.evidence]
    remedy = wrong.remedy or Remedy("Ask the doctor:", ("ansible-playbook playbooks/doctor.yml -i INVENTORY",))
    commands = filter(None, ("; ".join(remedy.safe_commands), " or ".join(remedy.risky_commands)))
    lines.append(f"Next: {remedy.text} {'; then '.join(commands)}".rstrip())
    return lines
