"""``exotelctl restart``: start what serves again beside itself, by the engine that deploys. No call is cut.

♻️  Restart of 20261122T101500-ab12cd34 (release 0.1.0-3fa9c1d2e4): a new generation of the same content takes over.
   0.0 s  stage 20261123T020000-ab12cd34
   0.0 s  check config 20261123T020000-ab12cd34
   …
✅ 20261123T020000-ab12cd34 serves after 2.4 s. 20261122T101500-ab12cd34 takes no new calls and ends after its 47 calls.
"""

import time

from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Generation
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, Plan, plan_restart
from exotel_phone.exits import Exit, Refusal
from exotel_phone.output import emit_json
from exotel_phone.text import plural

from exotelctl.consent import agreed
from exotelctl.host import Host, refusing, to_change, with_journal
from exotelctl.options import RestartOptions
from exotelctl.progress import Progress


def run(options: RestartOptions) -> Exit:
    """Restart the serving workers of this host, given consent, and report the result. Raises Refusal."""
    host, progress = to_change("restart"), Progress(quiet=options.json)
    if not options.yes:
        serving, _, _ = _plan(host)
        progress.tell(_announcement(serving))
        if options.json or not agreed("Restart? No call is cut."):
            raise Refusal("nothing was done: say --yes to restart (it cuts no call)")
    with host.locked("restart"):
        serving, facts, plan = _plan(host)
        if options.yes:
            progress.tell(_announcement(serving))
        failure = _act(host, facts, plan, progress)
    left = host.calls(serving.instances)
    if options.json:
        emit_json(_as_json(facts, plan, progress, left, failure))
    progress.tell(f"❌ {with_journal(failure)}" if failure else _success(serving, plan, progress, left))
    return Exit.PROBLEM if failure else Exit.OK


def _plan(host: Host) -> tuple[Generation, HostFacts, Plan]:
    """Return the generation that serves, the facts and the plan."""
    with refusing("the state of this host cannot be read: {}"):
        facts = gather(host.paths, host.systemd)
        plan = plan_restart(facts, host.who, time.time())
    assert facts.serving
    return facts.serving, facts, plan


def _act(host: Host, facts: HostFacts, plan: Plan, progress: Progress) -> DeployFailed | None:
    try:
        host.act(facts, plan, "restart", progress.begin)
    except DeployFailed as failure:
        return failure
    except OSError as error:
        return DeployFailed(f"{plan.generation.id} serves, but the audit file cannot be written: {error}")
    return None


def _announcement(serving: Generation) -> str:
    return f"♻️  Restart of {serving.id} (release {serving.content.release}): a new generation of the same content takes over."


def _success(before: Generation, plan: Plan, progress: Progress, left: int) -> str:
    ends = f"takes no new calls and ends after its {plural(left, 'call')}" if left else "has no calls left and ends now"
    return f"✅ {plan.generation.id} serves after {progress.seconds:.1f} s. {before.id} {ends}."


def _as_json(facts: HostFacts, plan: Plan, progress: Progress, left: int, failure: DeployFailed | None) -> dict[str, object]:
    return {
        "ok": failure is None,
        "generation": plan.generation.id,
        "previous": facts.current,
        "release": plan.generation.content.release,
        "reason": plan.reason,
        "steps": progress.steps,
        "seconds": round(progress.seconds, 3),
        "previous_calls_live": left,
        "problem": str(failure) if failure else None,
        "journal": failure.journal if failure else "",
    }
