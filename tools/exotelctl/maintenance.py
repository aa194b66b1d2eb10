"""``exotelctl maintenance on|off``: take this host out of service so that a reboot does not bring it back, and bring it back.

🔧 exo-a is in maintenance since 2026-11-28T20:00:00Z, by me@desk: disk swap
   No new call gets in, after a reboot neither. 3 calls go on to their end.
   Bring it back: exotelctl maintenance off
"""

import os
import time
from dataclasses import dataclass

from ansible_collections.exotel.voicebot.plugins.module_utils import maintenance
from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather
from ansible_collections.exotel.voicebot.plugins.module_utils.maintenance import Maintenance
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, Refused, plan_return
from exotel_phone.exits import Exit, Refusal
from exotel_phone.output import emit_json
from exotel_phone.text import plural

from exotelctl.consent import agreed
from exotelctl.host import HANG_UP_S, Host, refusing, to_change, with_journal
from exotelctl.options import MaintenanceOptions
from exotelctl.progress import Progress


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Result: the mark that stands now (None: in service), the live calls left, and a problem or ""."""

    mark: Maintenance | None
    calls: int = 0
    problem: str = ""
    changed: bool = True


def run(options: MaintenanceOptions) -> Exit:
    """Take the host out of service or bring it back, given consent. Raises Refusal."""
    host, progress = to_change("maintenance"), Progress(quiet=options.json)
    if not options.yes and (options.json or not _consent(options)):
        raise Refusal("nothing was done: say --yes to act")
    action = f"maintenance {options.state}"
    with refusing(f"{action} on this host: {{}}. Type it again"), host.locked(action):
        facts = gather(host.paths, host.systemd)
        outcome = _begin(host, facts, options, progress) if options.state == "on" else _end(host, facts, progress)
    if options.json:
        mark = outcome.mark
        emit_json(
            {
                "ok": not outcome.problem,
                "maintenance": mark and {"since": mark.since, "who": mark.who, "reason": mark.reason},
                "changed": outcome.changed,
                "calls_live": outcome.calls,
                "problem": outcome.problem or None,
                "steps": progress.steps,
            }
        )
    progress.tell(_told(outcome))
    return Exit.PROBLEM if outcome.problem else Exit.OK


def _begin(host: Host, facts: HostFacts, options: MaintenanceOptions, progress: Progress) -> _Outcome:
    """Take the host out of service. Write the mark first, so that it stands even if the rest is interrupted."""
    if facts.serving is None:
        raise Refused("nothing is deployed to this host, so there is nothing to take out of service")
    mark, changed = facts.maintenance, False
    if mark is None:
        mark, changed = maintenance.begin(host.paths, host.who, options.reason), True
        host.record("maintenance on", facts.serving, reason=options.reason)
    enabled = sorted(name for name in facts.enabled if name == SOCKET or "@" in name)
    if enabled:
        progress.begin("do not start at boot")
        host.systemd.disable(enabled)
    if facts.socket.live:
        progress.begin(f"stop {SOCKET}: new calls are refused from here on")
        host.systemd.switch_socket("stop", SOCKET)
    running = facts.running(facts.instances)
    if running:
        progress.begin("end the workers, each after its calls")
        host.stop(running)
    live = facts.live(facts.instances)
    if options.cut and live:
        progress.begin(f"end {plural(host.calls(live), 'live call')} with 1001")
        host.kill(live, "SIGQUIT")
        if hanging := host.wait(live, HANG_UP_S):
            host.kill(hanging, "SIGKILL")
    return _Outcome(mark, host.calls(live), changed=changed or bool(enabled or facts.socket.live or running))


def _end(host: Host, facts: HostFacts, progress: Progress) -> _Outcome:
    if facts.maintenance is None:
        return _Outcome(None, changed=False)
    try:
        host.act(facts, plan_return(facts, host.who, time.time()), "maintenance off", progress.begin)
    except DeployFailed as failure:
        return _Outcome(maintenance.read(host.paths), problem=with_journal(failure))
    return _Outcome(None)


def _consent(options: MaintenanceOptions) -> bool:
    on = f"Refuse new calls, across reboots{', and close the live ones now' if options.cut else ''}?"
    return agreed(on if options.state == "on" else "Take calls again?")


def _told(outcome: _Outcome) -> str:
    host = os.uname().nodename
    if outcome.problem:
        return f"❌ {host} is still {outcome.mark or 'in service'}: {outcome.problem}"
    if outcome.mark is None:
        return f"✅ {host} takes calls{'' if outcome.changed else ': it is in no maintenance'}."
    calls = f" {plural(outcome.calls, 'call')} go on to their end." if outcome.calls else ""
    return (
        f"🔧 {host} is {outcome.mark}\n   No new call gets in, after a reboot neither.{calls}\n"
        "   Bring it back: exotelctl maintenance off"
    )
