"""Carries a reset out. Every wait is bounded and says what it waits for; what was done so far is kept for the report."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils import execute as engine
from ansible_collections.exotel.voicebot.plugins.module_utils.act import Interrupted
from ansible_collections.exotel.voicebot.plugins.module_utils.facts import gather as gather_host
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SOCKET, Paths, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import plan_repair
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, Systemd
from exotel_phone.text import plural, printable

from exotelctl.port.apply import Ending
from exotelctl.port.facts import Identity
from exotelctl.progress import Progress
from exotelctl.reset import ports
from exotelctl.reset.gather import workers
from exotelctl.reset.plan import Plan, Step

USER: Final = "exotel-ws"
REASON: Final = "reset asked for"
_HANG_UP_S: Final = 8.0
"""A worker told to hurry closes each call with 1001 and gives the caller 5 s to answer."""
_KILLED_S: Final = 5.0
_POLL_S: Final = 0.2


class ResetFailed(Exception):
    """A step did not succeed, or what was started does not do. ``journal`` is what the started workers last wrote."""

    def __init__(self, message: str, journal: str = "") -> None:
        super().__init__(message)
        self.journal = journal


class Executor:
    """Carries one plan out. ``agreed`` are the processes that may be ended, ``call_port`` is where the workers take calls."""

    def __init__(
        self, paths: Paths, systemd: Systemd, call_port: int, agreed: AbstractSet[Identity], who: str, progress: Progress
    ) -> None:
        self._paths = paths
        self._systemd = systemd
        self._call_port = call_port
        self._agreed = agreed
        self._who = who
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
            except engine.DeployFailed as failure:
                if isinstance(failure.__cause__, Interrupted):
                    raise failure.__cause__ from None
                raise ResetFailed(str(failure), failure.journal) from None
            except (Interrupted, ResetFailed):
                raise
            except Exception as error:
                # Whatever it is: the host is half way, and that must be told.
                raise ResetFailed(f"{step}: {error or type(error).__name__}") from error

    def _close(self, step: Step) -> None:
        self._systemd.switch_socket("stop", SOCKET)

    def _drain(self, step: Step) -> None:
        self._stop(step.names)
        self._wait(step.names, step.seconds)

    def _cut(self, step: Step) -> None:
        """End instances as a shutdown of the host does: stop them, so that nothing starts them again, hurry them, kill them."""
        live = self._live(step.names)
        if not live:
            return
        self._stop(live)
        self.calls_cut = self._calls(live)
        self._progress.note(f"  {plural(self.calls_cut, 'call')} cut")
        self._kill(live, "SIGQUIT")
        self._wait(live, _HANG_UP_S)
        if hanging := self._live(live):
            self._progress.note(f"  SIGKILL to {' '.join(hanging)}: not ended after {_HANG_UP_S:g} s")
            self._kill(hanging, "SIGKILL")
            self._wait(hanging, _KILLED_S)
        if immortal := self._live(live):
            raise CommandFailed(f"{' '.join(map(unit, immortal))} does not end, {_KILLED_S:g} s after SIGKILL")

    def _clear(self, step: Step) -> None:
        endings = ports.clear(step.port, self._agreed, self._who)
        self.endings += endings
        for ending in endings:
            holder = ending.holder
            self._progress.note(
                f"  pid {holder.pid} ({printable(holder.name, 40)}): {ending.outcome} ({', '.join(ending.signals)})"
            )

    def _prove(self, step: Step) -> None:
        self._progress.note(f"  {ports.prove(step.port)}")

    def _forget(self, step: Step) -> None:
        failed = [name for name, state in self._systemd.states(*step.names).items() if state.active == "failed"]
        if failed:
            self._systemd.forget_failure(failed)

    def _start(self, step: Step) -> None:
        facts = gather_host(self._paths, self._systemd)
        executor = engine.Executor(self._paths, self._systemd, facts, USER, engine.Limits())
        executor.run(plan_repair(facts, REASON), lambda inner: self._progress.note(f"  {inner}"))

    def _verify(self, step: Step) -> None:
        from exotelctl.reset.verify import verify

        for found in verify(self._paths.current / "settings.toml"):
            text = found.wrong.says if found.wrong else found.proof
            self.verified.append({"claim": found.claim, "ok": not found.wrong, "text": text})
            self._progress.note(f"  ❌ {found.claim}: {text}" if found.wrong else f"  ✅ {text}")
            if found.wrong:
                raise ResetFailed(f"it runs again, but does not hold that {found.claim}: {text}")

    def _live(self, names: Sequence[str]) -> list[str]:
        states = self._systemd.instances()
        return [name for name in names if name in states and states[name].live]

    def _calls(self, names: Sequence[str]) -> int:
        found = workers(self._paths, self._systemd, gather_host(self._paths, self._systemd), self._call_port)
        return sum(worker.calls for worker in found if worker.name in names)

    def _stop(self, names: Sequence[str]) -> None:
        self._systemd.begin_stop([unit(name) for name in names])

    def _kill(self, names: Sequence[str], signal: str) -> None:
        with _unless_gone():
            self._systemd.kill([unit(name) for name in names], signal)

    def _wait(self, names: Sequence[str], seconds: float) -> None:
        """Wait until all of ``names`` have ended, at most ``seconds``, and tell how many calls are left when that changes."""
        deadline = time.monotonic() + seconds
        told = _Once(self._progress.note)
        while (live := self._live(names)) and (left_s := deadline - time.monotonic()) > 0:
            told(f"  {plural(self._calls(live), 'call')} left in {plural(len(live), 'worker')}", f"; {left_s:.0f} s more at most")
            time.sleep(min(_POLL_S, left_s))


class _Once:
    """Tells a text when it is another than the last one."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._last = ""

    def __call__(self, text: str, remark: str) -> None:
        if text != self._last:
            self._last = text
            self._tell(text + remark)


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """Ignore that a unit that ended a moment ago cannot be signalled; the wait that follows finds out if it has ended."""
    try:
        yield
    except Interrupted:
        raise
    except CommandFailed:
        pass
