"""``exotelctl reset``: every generation ends, the ports are proven free, the current generation starts again.

Reset to 20261122T101500-ab12cd34 (release 0.1.0-3fa9c1d2e4), listening on 0.0.0.0:8765

  20261121T090000-99aabbcc: 2 workers deactivating, 1 live call
  20261122T101500-ab12cd34: 2 workers active, 3 live calls

  1. stop exotel-ws.socket: new calls are refused from here on
  …
⚠️  It cuts 4 live calls. New calls are refused until it serves again.
"""

import contextlib
import os
import signal

from ansible_collections.exotel.voicebot.plugins.module_utils import audit
from ansible_collections.exotel.voicebot.plugins.module_utils.act import Interrupted, interruptible
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather as gather_host
from ansible_collections.exotel.voicebot.plugins.module_utils.lock import Locked, deploy_lock
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from ansible_collections.exotel.voicebot.plugins.module_utils.requester import requester
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, Systemd
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say, warn
from exotel_phone.text import plural, printable

from exotelctl import consent
from exotelctl.options import ResetOptions
from exotelctl.port import receipt
from exotelctl.port.facts import Identity
from exotelctl.progress import Progress
from exotelctl.reset import report
from exotelctl.reset.execute import REASON, Executor, ResetFailed
from exotelctl.reset.facts import Facts
from exotelctl.reset.gather import gather
from exotelctl.reset.plan import Plan, plan
from exotelctl.systemctl import require_root, require_systemd


def run(options: ResetOptions) -> Exit:
    """Reset this host's server. Raises UsageFault and Refusal."""
    if not 0 <= options.drain <= 3600:
        raise UsageFault(f"--drain {options.drain:g}: between 0 and 3600 seconds")
    require_systemd("reset")
    require_root("reset")
    os.umask(0o022)
    this = _Reset(options)
    outcome, code = this.plan_only() if options.dry_run else this.carry_out()
    if options.json:
        emit_json(this.as_json(outcome))
    return code


class _Reset:
    """One reset, from its facts to its report."""

    def __init__(self, options: ResetOptions) -> None:
        self._options = options
        self._who = options.requested_by or requester()
        self._paths, self._systemd = Paths(), Systemd()
        self._progress = Progress(quiet=options.json)
        self._facts, self._plan = self._look()
        self._executor: Executor | None = None
        self._problem = self._journal = self._state = ""
        self._tell(report.plan_text(self._facts, self._plan, options.drain))

    def plan_only(self) -> tuple[str, Exit]:
        """Only say what would be done."""
        if self._plan.refusal:
            return "refused", Exit.REFUSED
        self._tell("Dry run: nothing was done.")
        return "dry-run", Exit.OK

    def carry_out(self) -> tuple[str, Exit]:
        """Do it, given consent. Raises Refusal where somebody else is at work on this host."""
        if self._plan.refusal:
            return "refused", Exit.REFUSED
        if not self._options.yes and not self._consent():
            self._tell("Nothing was done: say --yes to act.")
            return "no-consent", Exit.REFUSED
        agreed = {stranger.holder.identity for stranger in self._facts.strangers}
        try:
            with deploy_lock(self._paths.lock, f"reset by {self._who}"):
                # Calls come and go while somebody reads the question.
                self._facts, self._plan = self._look()
                self._still_agreed(agreed)
                return self._execute(agreed)
        except Locked as locked:
            raise Refusal(str(locked)) from None

    def as_json(self, outcome: str) -> dict[str, object]:
        """Return the report."""
        executor = self._executor
        return report.as_json(
            self._facts,
            self._plan,
            outcome=outcome,
            problem=self._problem,
            journal=self._journal,
            state=self._state,
            calls_cut=executor.calls_cut if executor else 0,
            steps=self._progress.steps,
            verified=executor.verified if executor else (),
        )

    def _look(self) -> tuple[Facts, Plan]:
        try:
            facts = gather(self._paths, self._systemd, self._options.port or ())
        except (CommandFailed, OSError, ValueError) as error:
            raise Refusal(f"the state of this host cannot be read: {error}") from None
        return facts, plan(facts, drain_s=self._options.drain)

    def _consent(self) -> bool:
        strangers = len(self._facts.strangers)
        ends = f" and end {plural(strangers, 'process', 'processes')} that {'is' if strangers == 1 else 'are'} not ours"
        question = f"Cut {plural(self._plan.calls, 'live call')}{ends if strangers else ''}?"
        return not self._options.json and consent.agreed(question)

    def _still_agreed(self, agreed: set[Identity]) -> None:
        """Raise Refusal if the host is no longer what somebody agreed to, while nothing is changed yet."""
        newcomers = [stranger.holder for stranger in self._facts.strangers if stranger.holder.identity not in agreed]
        if self._plan.refusal:
            raise Refusal(self._plan.refusal)
        if newcomers:
            names = ", ".join(f"pid {holder.pid} ({printable(holder.name, 40)})" for holder in newcomers)
            raise Refusal(f"{names} came to a port since it was looked at: run it again")

    def _execute(self, agreed: set[Identity]) -> tuple[str, Exit]:
        call_port = self._facts.ports[0].number
        executor = self._executor = Executor(self._paths, self._systemd, call_port, agreed, self._who, self._progress)
        self._receipt("begins", f"{plural(self._plan.calls, 'live call')}: {', '.join(map(str, self._plan.steps))}")
        outcome, code = "done", Exit.OK
        # A lost login must not leave the host half way: only somebody's wish does.
        with interruptible(ignored=[signal.SIGHUP]):
            try:
                executor.run(self._plan)
                self._tell(report.success_text(self._facts, executor.calls_cut, self._progress.seconds))
            except (Interrupted, ResetFailed) as fault:
                outcome, code = "interrupted" if isinstance(fault, Interrupted) else "failed", Exit.PROBLEM
                self._fail(fault)
            self._record(outcome, executor.calls_cut)
        return outcome, code

    def _fail(self, fault: Interrupted | ResetFailed) -> None:
        self._problem = f"{self._progress.doing}: {fault}" if isinstance(fault, Interrupted) else str(fault)
        self._journal = fault.journal if isinstance(fault, ResetFailed) else ""
        try:
            self._state = report.state_text(gather_host(self._paths, self._systemd))
        except (CommandFailed, OSError, ValueError) as error:
            self._state = f"State now: it cannot be read: {error}. Begin again: exotelctl reset --yes."
        journal = f"\nThe journal of the workers:\n{self._journal}" if self._journal else ""
        self._tell(f"❌ {self._problem}{journal}\n{self._state}")

    def _record(self, outcome: str, calls_cut: int) -> None:
        serving = self._facts.serving
        try:
            audit.record(
                self._paths.audit,
                who=self._who,
                action="reset",
                generation=serving.id,
                release=serving.content.release,
                reason=f"{REASON}, {plural(calls_cut, 'call')} cut",
                outcome=outcome if outcome == "done" else f"{outcome}: {self._problem}",
            )
        except OSError as error:
            warn(f"the audit file cannot be written: {error}")
        self._receipt("ends", f"{outcome}, {plural(calls_cut, 'call')} cut {self._problem}".rstrip())

    def _receipt(self, stage: str, text: str) -> None:
        line = " ".join(f"reset by={self._who} {stage}: {text}".split())
        receipt.write({"MESSAGE": line, "EVENT": "reset", "STAGE": stage, "REQUESTED_BY": self._who})

    def _tell(self, text: str) -> None:
        """Print for people; a terminal that is gone stops nothing."""
        if not self._options.json:
            with contextlib.suppress(OSError):
                say(text)
