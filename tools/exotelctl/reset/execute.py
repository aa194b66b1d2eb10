"""Carry a reset out. Every wait is bounded and says what it waits for; what was done so far is kept for the report."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils.act import Interrupted
from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather as gather_host
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import plan_repair
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed
from exotel_phone.text import plural, printable

from exotelctl.host import HANG_UP_S, Host
from exotelctl.port.apply import Ending
from exotelctl.port.facts import Identity
from exotelctl.progress import Progress
from exotelctl.reset import ports
from exotelctl.reset.gather import workers
from exotelctl.reset.plan import Plan, Step

REASON: Final = "reset asked for"
_KILLED_S: Final = 5.0


class ResetFailed(Exception):
    """A step did not succeed, or what was started does not do. ``journal`` is what the started workers last wrote."""

    def __init__(self, message: str, journal: str = "") -> None:
        super().__init__(message)
        self.journal = journal


class Executor:
    """Carries one plan out. ``agreed`` are the processes that may be ended, ``call_port`` is where the workers take calls."""

    def __init__(self, host: Host, call_port: int, agreed: AbstractSet[Identity], progress: Progress) -> None:
        self._host = host
        self._call_port = call_port
        self._agreed = agreed
        self._progress = progress
        self.calls_cut = 0
        self.endings: list[Ending] = []
        self.verified: list[dict[str, object]] = []

    def run(self, plan: Plan) -> None:
        """Take every step. Raises ResetFailed, or Interrupted where a signal asked to stop."""
        for step in plan.steps:
            self._progress.begin(step)
            try:
                getattr(self, f"_{step.verb}")(step)
            except DeployFailed as failure:
                if isinstance(failure.__cause__, Interrupted):
                    raise failure.__cause__ from None
                raise ResetFailed(str(failure), failure.journal) from None
            except (Interrupted, ResetFailed):
                raise
            except Exception as error:
                # Whatever it is: the host is half way, and that must be told.
                raise ResetFailed(f"{step}: {error or type(error).__name__}") from error

    def _close(self, step: Step) -> None:
        self._host.systemd.switch_socket("stop", SOCKET)

    def _drain(self, step: Step) -> None:
        self._host.stop(step.names)
        self._wait(step.names, step.seconds)

    def _cut(self, step: Step) -> None:
        """End instances as a shutdown of the host does: stop them, so that nothing starts them again, hurry them, kill them."""
        live = self._host.live(step.names)
        if not live:
            return
        self._host.stop(live)
        self.calls_cut = self._calls(live)
        self._progress.note(f"  {plural(self.calls_cut, 'call')} cut")
        self._host.kill(live, "SIGQUIT")
        if hanging := self._wait(live, HANG_UP_S):
            self._progress.note(f"  SIGKILL to {' '.join(hanging)}: not ended after {HANG_UP_S:g} s")
            self._host.kill(hanging, "SIGKILL")
            if immortal := self._wait(hanging, _KILLED_S):
                raise CommandFailed(f"{' '.join(map(unit, immortal))} does not end, {_KILLED_S:g} s after SIGKILL")

    def _clear(self, step: Step) -> None:
        endings = ports.clear(step.port, self._agreed, self._host.who)
        self.endings += endings
        for ending in endings:
            holder = ending.holder
            self._progress.note(
                f"  pid {holder.pid} ({printable(holder.name, 40)}): {ending.outcome} ({', '.join(ending.signals)})"
            )

    def _prove(self, step: Step) -> None:
        self._progress.note(f"  {ports.prove(step.port)}")

    def _forget(self, step: Step) -> None:
        failed = [name for name, state in self._host.systemd.states(*step.names).items() if state.active == "failed"]
        if failed:
            self._host.systemd.forget_failure(failed)

    def _start(self, step: Step) -> None:
        facts = gather_host(self._host.paths, self._host.systemd)
        self._host.executor(facts).run(plan_repair(facts, REASON), lambda inner: self._progress.note(f"  {inner}"))

    def _verify(self, step: Step) -> None:
        from exotelctl.reset.verify import verify

        for found in verify(self._host.paths.current / "settings.toml"):
            text = found.wrong.says if found.wrong else found.proof
            self.verified.append({"claim": found.claim, "ok": not found.wrong, "text": text})
            self._progress.note(f"  ❌ {found.claim}: {text}" if found.wrong else f"  ✅ {text}")
            if found.wrong:
                raise ResetFailed(f"it runs again, but does not hold that {found.claim}: {text}")

    def _calls(self, names: Sequence[str]) -> int:
        host = self._host
        found = workers(host.paths, host.systemd, gather_host(host.paths, host.systemd), self._call_port)
        return sum(worker.calls for worker in found if worker.name in names)

    def _wait(self, names: Sequence[str], seconds: float) -> list[str]:
        """Wait until ``names`` have ended, at most ``seconds``, and return which have not. Tell how many calls are left."""
        told = ""

        def tell(live: list[str], left_s: float) -> None:
            nonlocal told
            text = f"  {plural(self._calls(live), 'call')} left in {plural(len(live), 'worker')}"
            if text != told:
                told = text
                self._progress.note(f"{text}; {left_s:.0f} s more at most")

        return self._host.wait(names, seconds, tell)
