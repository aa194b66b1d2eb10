"""End processes. Only this module sends signals: through a pidfd, and after every fact of the plan was read again."""

import contextlib
import dataclasses
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Literal

from exotelctl import privileges
from exotelctl.port import process, units
from exotelctl.port.facts import PortHolder

Outcome = Literal["ended", "killed", "released", "gone", "changed", "not-permitted", "alive"]
_POLL_S = 0.05


@dataclasses.dataclass(slots=True)
class Ending:
    """Result of ending one process.

    ``ended`` by SIGTERM, ``killed`` by SIGKILL; ``released``: it closed the socket and lives on; ``gone``: it had ended
    before; ``changed``: it is no longer what was planned, so it got no signal; ``alive``: it still holds the port.
    ``seconds`` is how long that took; ``needs`` is what lacked where it was not permitted.
    """

    holder: PortHolder
    outcome: Outcome = "alive"
    signals: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    needs: str = ""


def end(holders: Sequence[PortHolder], protected: frozenset[int], timeout_s: float) -> list[Ending]:
    """Send SIGTERM to all, SIGCONT to those stopped, wait ``timeout_s`` at most; SIGKILL to the rest, and wait as long again.

    Never signals a pid of ``protected``, PID 1, nor a process that is no longer the planned holder.
    """
    with contextlib.ExitStack() as stack:
        targets = [_Target(holder, protected, stack) for holder in holders]
        for target in targets:
            if target.signal(signal.SIGTERM) and process.is_stopped(target.holder.pid):
                target.signal(signal.SIGCONT)
        _wait(targets, timeout_s, "ended")
        for target in targets:
            target.signal(signal.SIGKILL)
        _wait(targets, timeout_s, "killed")
        return [target.ending for target in targets]


class _Target:
    """One process to end, pinned by a pidfd: whatever happens to its pid number, no other process is hit."""

    def __init__(self, holder: PortHolder, protected: frozenset[int], stack: contextlib.ExitStack) -> None:
        self.holder = holder
        self.ending = Ending(holder)
        self.open = True
        self._began = time.monotonic()
        self.pidfd = -1
        if holder.pid == 1 or holder.pid in protected:
            self.settle("changed")
            return
        try:
            self.pidfd = os.pidfd_open(holder.pid)
        except ProcessLookupError:
            self.settle("gone")
            return
        stack.callback(os.close, self.pidfd)

    def signal(self, number: signal.Signals) -> bool:
        """Re-check, then send ``number``; return False where it was not sent."""
        if not self.open:
            return False
        now = recheck(self.holder)
        if now is not None:
            self.settle(now)
            return False
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            self.settle("gone")
        except PermissionError:
            self.ending.needs = privileges.cure("CAP_KILL") or "a security policy of this host forbids it"
            self.settle("not-permitted")
        else:
            self.ending.signals.append(number.name)
        return self.open

    def look(self, ended: Outcome) -> None:
        """See whether the process has ended or let go of the port."""
        if select.select([self.pidfd], [], [], 0)[0]:
            self.settle(ended)
        elif not process.sockets(self.holder.pid, self.holder.inodes):
            # It may be on its way out: the sockets of a dying process go before the process does.
            if select.select([self.pidfd], [], [], _POLL_S)[0]:
                self.settle(ended)
            else:
                self.settle("released")

    def settle(self, outcome: Outcome) -> None:
        """Record the outcome for this process."""
        self.ending.outcome = outcome
        self.ending.seconds = round(time.monotonic() - self._began, 3)
        self.open = False


def recheck(
    holder: PortHolder,
    *,
    identity: Callable[[int], object] = process.identity,
    sockets: Callable[[int, frozenset[int]], frozenset[int]] = process.sockets,
    cgroup_text: Callable[[int], str] = process.cgroup_text,
) -> Outcome | None:
    """Return how ``holder`` has changed since it was planned; None if it is the same process, in the same unit, on the socket."""
    now = identity(holder.pid)
    if now is None:
        return "gone"
    if now != holder.identity or units.of_cgroup(cgroup_text(holder.pid)).name != holder.unit:
        return "changed"
    return None if sockets(holder.pid, holder.inodes) else "released"


def _wait(targets: Sequence[_Target], timeout_s: float, ended: Outcome) -> None:
    """Wait until every open target has ended or let go, at most ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while waiting := [target for target in targets if target.open]:
        for target in waiting:
            target.look(ended)
        if time.monotonic() >= deadline:
            return
        select.select([target.pidfd for target in waiting if target.open], [], [], _POLL_S)
