"""``exotelctl restart``: start what serves again beside itself, by the engine that deploys. No call is cut.

♻️  Restart of 20261122T101500-ab12cd34 (release 0.1.0-3fa9c1d2e4): a new generation of the same content takes over.
   0.0 s  stage 20261123T020000-ab12cd34
   0.0 s  check config 20261123T020000-ab12cd34
   …
✅ 20261123T020000-ab12cd34 serves after 2.4 s. 20261122T101500-ab12cd34 takes no new calls and ends after its 47 calls.
"""

import os
import time

from ansible_collections.exotel.voicebot.plugins.module_utils.act import act
from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed, Executor, Limits
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Generation
from ansible_collections.exotel.voicebot.plugins.module_utils.instance import calls_live
from ansible_collections.exotel.voicebot.plugins.module_utils.lock import Locked, deploy_lock
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, Plan, Refused, plan_restart
from ansible_collections.exotel.voicebot.plugins.module_utils.requester import requester
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, Systemd
from exotel_phone.exits import Exit, Refusal
from exotel_phone.output import emit_json, say
from exotel_phone.text import plural

from exotelctl.consent import agreed
from exotelctl.options import RestartOptions
from exotelctl.progress import Progress
from exotelctl.systemctl import require_root, require_systemd

USER = "exotel-ws"


def run(options: RestartOptions) -> Exit:
    """Restart the serving workers of this host, given consent, and report the result. Raises Refusal."""
    require_systemd("restart")
    require_root("restart")
    os.umask(0o022)
    paths, systemd, who = Paths(), Systemd(), requester()
    progress = Progress(quiet=options.json)
    if not options.yes:
        facts, _ = _plan(paths, systemd, who)
        assert facts.serving
        if not options.json:
            say(_announcement(facts.serving))
        if options.json or not agreed("Restart? No call is cut."):
            raise Refusal("nothing was done: say --yes to restart (it cuts no call)")
    try:
        with deploy_lock(paths.lock, f"restart by {who}"):
            facts, plan = _plan(paths, systemd, who)
            assert facts.serving
            if options.yes and not options.json:
                say(_announcement(facts.serving))
            failure = _act(Executor(paths, systemd, facts, USER, Limits()), plan, paths, who, progress)
    except Locked as locked:
        raise Refusal(str(locked)) from None
    left = _calls_left(paths, facts)
    if options.json:
        emit_json(_as_json(facts, plan, progress, left, failure))
    else:
        say(_failure(failure) if failure else _success(facts.serving, plan, progress, left))
    return Exit.PROBLEM if failure else Exit.OK


def _plan(paths: Paths, systemd: Systemd, who: str) -> tuple[HostFacts, Plan]:
    try:
        facts = gather(paths, systemd)
        return facts, plan_restart(facts, who, time.time())
    except Refused as refused:
        raise Refusal(str(refused)) from None
    except (CommandFailed, OSError, ValueError) as error:
        raise Refusal(f"the state of this host cannot be read: {error}") from None


def _act(executor: Executor, plan: Plan, paths: Paths, who: str, progress: Progress) -> DeployFailed | None:
    try:
        act(executor, plan, paths, action="restart", who=who, tell=progress.begin)
    except DeployFailed as failure:
        return failure
    except OSError as error:
        return DeployFailed(f"{plan.generation.id} serves, but the audit file cannot be written: {error}")
    return None


def _calls_left(paths: Paths, facts: HostFacts) -> int:
    """Return how many calls the generation that served before still has. An instance that has ended by now has none."""
    assert facts.serving
    return sum(calls_live(paths.admin_socket(name)) or 0 for name in facts.serving.instances)


def _announcement(serving: Generation) -> str:
    return f"♻️  Restart of {serving.id} (release {serving.content.release}): a new generation of the same content takes over."


def _success(before: Generation, plan: Plan, progress: Progress, left: int) -> str:
    ends = f"takes no new calls and ends after its {plural(left, 'call')}" if left else "has no calls left and ends now"
    return f"✅ {plan.generation.id} serves after {progress.seconds:.1f} s. {before.id} {ends}."


def _failure(failure: DeployFailed) -> str:
    journal = f"\nThe journal of the new instances:\n{failure.journal}" if failure.journal else ""
    return f"❌ {failure}{journal}"


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
