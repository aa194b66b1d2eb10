"""``exotelctl reset``: every generation ends, the ports are proven free, the current generation starts again.

Reset to 20261122T101500-ab12cd34 (release 0.1.0-3fa9c1d2e4), listening on 0.0.0.0:8765

  20261121T090000-99aabbcc: 2 workers deactivating, 1 live call
  20261122T101500-ab12cd34: 2 workers active, 3 live calls

  1. stop exotel-ws.socket: new calls are refused from here on
  …
⚠️  It cuts 4 live calls. New calls are refused until it serves again.
"""

import signal

from ansible_collections.exotel.voicebot.plugins.module_utils.act import Interrupted, interruptible
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather as gather_host
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, warn
from exotel_phone.text import plural, printable

from exotelctl import consent
from exotelctl.host import refusing, to_change
from exotelctl.options import ResetOptions
from exotelctl.port import receipt
from exotelctl.port.facts import Identity
from exotelctl.progress import Progress
from exotelctl.reset import report
from exotelctl.reset.execute import REASON, Executor, ResetFailed
from exotelctl.reset.facts import Facts
from exotelctl.reset.gather import gather
from exotelctl.reset.plan import Plan, plan


def run(options: ResetOptions) -> Exit:
    """Reset this host's server. Raises UsageFault and Refusal."""
    if not 0 <= options.drain <= 3600:
        raise UsageFault(f"--drain {options.drain:g}: between 0 and 3600 seconds")
    this = _Reset(options)
    outcome, code = this.carry_out()
    if options.json:
        emit_json(this.as_json(outcome))
    return code


class _Reset:
    """One reset, from its facts to its report."""

    def __init__(self, options: ResetOptions) -> None:
        self._options = options
        self._host = to_change("reset", options.requested_by)
        self._progress = Progress(quiet=options.json)
        self._facts, self._plan = self._look()
        self._done: dict[str, object] = {}
        self._progress.tell(report.plan_text(self._facts, self._plan, options.drain))

    def carry_out(self) -> tuple[str, Exit]:
        """Do it, given consent. Raises Refusal where somebody else is at work on this host."""
        if self._plan.refusal:
            return "refused", Exit.REFUSED
        if self._options.dry_run:
            self._progress.tell("Dry run: nothing was done.")
            return "dry-run", Exit.OK
        if not self._options.yes and not self._consent():
            self._progress.tell("Nothing was done: say --yes to act.")
            return "no-consent", Exit.REFUSED
        agreed = {stranger.holder.identity for stranger in self._facts.strangers}
        with self._host.locked("reset"):
            # Calls come and go while somebody reads the question.
            self._facts, self._plan = self._look()
            self._still_agreed(agreed)
            return self._execute(agreed)

    def as_json(self, outcome: str) -> dict[str, object]:
        """Return the report."""
        return report.as_json(self._facts, self._plan, outcome) | self._done

    def _look(self) -> tuple[Facts, Plan]:
        with refusing("the state of this host cannot be read: {}"):
            facts = gather(self._host.paths, self._host.systemd, self._options.port or ())
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
        executor = Executor(self._host, self._facts.ports[0].number, agreed, self._progress)
        self._receipt("begins", f"{plural(self._plan.calls, 'live call')}: {', '.join(map(str, self._plan.steps))}")
        outcome, problem = "done", ""
        # A lost login must not leave the host half way: only somebody's wish does.
        with interruptible(ignored=[signal.SIGHUP]):
            try:
                executor.run(self._plan)
                self._progress.tell(report.success_text(self._facts, executor.calls_cut, self._progress.seconds))
            except Interrupted as interrupted:
                outcome, problem = "interrupted", f"{self._progress.doing}: {interrupted}"
                self._fail(problem)
            except ResetFailed as failed:
                outcome, problem = "failed", str(failed)
                self._fail(problem, failed.journal)
            self._done |= {"calls_cut": executor.calls_cut, "steps": self._progress.steps, "verified": executor.verified}
            self._record(outcome, problem, plural(executor.calls_cut, "call"))
        return outcome, Exit.PROBLEM if problem else Exit.OK

    def _fail(self, problem: str, journal: str = "") -> None:
        try:
            state = report.state_text(gather_host(self._host.paths, self._host.systemd))
        except (CommandFailed, OSError, ValueError) as error:
            state = f"State now: it cannot be read: {error}. Begin again: exotelctl reset --yes."
        self._done |= {"problem": problem, "journal": journal, "state": state}
        wrote = f"\nThe journal of the workers:\n{journal}" if journal else ""
        self._progress.tell(f"❌ {problem}{wrote}\n{state}")

    def _record(self, outcome: str, problem: str, calls_cut: str) -> None:
        try:
            ended = f"{outcome}: {problem}" if problem else outcome
            self._host.record("reset", self._facts.serving, reason=f"{REASON}, {calls_cut} cut", outcome=ended)
        except OSError as error:
            warn(f"the audit file cannot be written: {error}")
        self._receipt("ends", f"{outcome}, {calls_cut} cut {problem}".rstrip())

    def _receipt(self, stage: str, text: str) -> None:
        line = " ".join(f"reset by={self._host.who} {stage}: {text}".split())
        receipt.write({"MESSAGE": line, "EVENT": "reset", "STAGE": stage, "REQUESTED_BY": self._host.who})
