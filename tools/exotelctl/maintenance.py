"""``exotelctl maintenance on|off``: take this host out of service so that a reboot does not bring it back, and bring it back.

🔧 exo-a is in maintenance since 2026-11-28T20:00:00Z, by me@desk: disk swap
   No new call gets in, after a reboot neither. 3 calls go on to their end.
   Bring it back: exotelctl maintenance off
"""

import os
import time
from dataclasses import dataclass
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils import audit, maintenance
from ansible_collections.exotel.voicebot.plugins.module_utils.act import act
from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed, Executor, Limits
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather
from ansible_collections.exotel.voicebot.plugins.module_utils.instance import calls_live
from ansible_collections.exotel.voicebot.plugins.module_utils.lock import Locked, deploy_lock
from ansible_collections.exotel.voicebot.plugins.module_utils.maintenance import Maintenance
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, Paths, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, Refused, plan_return
from ansible_collections.exotel.voicebot.plugins.module_utils.requester import requester
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, Systemd
from exotel_phone.exits import Exit, Refusal
from exotel_phone.output import emit_json, say
from exotel_phone.text import plural

from exotelctl.consent import agreed
from exotelctl.options import MaintenanceOptions
from exotelctl.progress import Progress
from exotelctl.systemctl import require_root, require_systemd

USER: Final = "exotel-ws"
_HANG_UP_S: Final = 8.0
"""Seconds for a worker told to hurry: it closes each call with 1001 and gives the caller 5 s to answer."""
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Result: the mark that stands now (None: in service), the live calls left, and a problem or ""."""

    mark: Maintenance | None
    calls: int = 0
    problem: str = ""
    changed: bool = True


def run(options: MaintenanceOptions) -> Exit:
    """Take the host out of service or bring it back, given consent. Raises Refusal."""
    require_systemd("maintenance")
    require_root("maintenance")
    os.umask(0o022)
    paths, systemd, who = Paths(), Systemd(), requester()
    progress = Progress(quiet=options.json)
    if not options.yes and (options.json or not _consent(options)):
        raise Refusal("nothing was done: say --yes to act")
    try:
        with deploy_lock(paths.lock, f"maintenance {options.state} by {who}"):
            facts = gather(paths, systemd)
            if options.state == "on":
                outcome = _begin(paths, systemd, facts, who, options, progress)
            else:
                outcome = _end(paths, systemd, facts, who, progress)
    except Locked as locked:
        raise Refusal(str(locked)) from None
    except Refused as refused:
        raise Refusal(str(refused)) from None
    except (CommandFailed, OSError, ValueError) as error:
        raise Refusal(f"maintenance {options.state} on this host: {error}. Type it again") from None
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
    else:
        say(_told(outcome))
    return Exit.PROBLEM if outcome.problem else Exit.OK


def _begin(
    paths: Paths, systemd: Systemd, facts: HostFacts, who: str, options: MaintenanceOptions, progress: Progress
) -> _Outcome:
    """Take the host out of service. Write the mark first, so that it stands even if the rest is interrupted."""
    if facts.serving is None:
        raise Refused("nothing is deployed to this host, so there is nothing to take out of service")
    mark, changed = facts.maintenance, False
    if mark is None:
        mark, changed = maintenance.begin(paths, who, options.reason), True
        audit.record(
            paths.audit,
            who=who,
            action="maintenance on",
            generation=facts.serving.id,
            release=facts.serving.content.release,
            reason=options.reason,
            outcome="done",
        )
    enabled = sorted(name for name in facts.enabled if name == SOCKET or "@" in name)
    if enabled:
        progress.begin("do not start at boot")
        systemd.disable(enabled)
    if facts.socket.live:
        progress.begin(f"stop {SOCKET}: new calls are refused from here on")
        systemd.switch_socket("stop", SOCKET)
    running = [unit(name) for name in facts.running(facts.instances)]
    if running:
        progress.begin("end the workers, each after its calls")
        systemd.begin_stop(running)
    live = facts.live(facts.instances)
    if options.cut and live:
        progress.begin(f"end {plural(_calls(paths, live), 'live call')} with 1001")
        systemd.kill([unit(name) for name in live], "SIGQUIT")
        deadline = time.monotonic() + _HANG_UP_S
        while _live(systemd, live) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if hanging := _live(systemd, live):
            systemd.kill(hanging, "SIGKILL")
    return _Outcome(mark, _calls(paths, live), changed=changed or bool(enabled or facts.socket.live or running))


def _end(paths: Paths, systemd: Systemd, facts: HostFacts, who: str, progress: Progress) -> _Outcome:
    if facts.maintenance is None:
        return _Outcome(None, changed=False)
    plan = plan_return(facts, who, time.time())
    try:
        act(
            Executor(paths, systemd, facts, USER, Limits()),
            plan,
            paths,
            action="maintenance off",
            who=who,
            tell=progress.begin,
        )
    except DeployFailed as failure:
        journal = f"\nThe journal of the new instances:\n{failure.journal}" if failure.journal else ""
        return _Outcome(maintenance.read(paths), problem=f"{failure}{journal}")
    return _Outcome(None)


def _consent(options: MaintenanceOptions) -> bool:
    on = f"Refuse new calls, across reboots{', and close the live ones now' if options.cut else ''}?"
    return agreed(on if options.state == "on" else "Take calls again?")


def _live(systemd: Systemd, names: tuple[str, ...]) -> list[str]:
    states = systemd.instances()
    return [unit(name) for name in names if name in states and states[name].live]


def _calls(paths: Paths, names: tuple[str, ...]) -> int:
    """Return the live calls of these workers; a worker that has ended counts as none."""
    return sum(calls_live(paths.admin_socket(name)) or 0 for name in names)


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
