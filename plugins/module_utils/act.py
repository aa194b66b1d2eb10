"""One action on a host: a plan carried out, with its line in the audit file, and undone when a signal interrupts it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from . import audit
from .execute import DeployFailed, Executor
from .paths import Paths
from .plan import Plan, Step
from .systemd import CommandFailed

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(CommandFailed):
    """A signal asked to stop."""


def act(
    executor: Executor, plan: Plan, paths: Paths, *, action: str, who: str, tell: Callable[[Step], None] = lambda step: None
) -> None:
    """Carry out `plan` and record it as `action` asked for by `who`. `tell` hears of each step before it is done.

    Raises DeployFailed, after a line in the audit file that says why.
    """
    line = {
        "who": who,
        "action": action,
        "generation": plan.generation.id,
        "release": plan.generation.content.release,
        "reason": plan.reason,
    }
    try:
        with interruptible():
            executor.run(plan, tell)
    except DeployFailed as failure:
        # A full disk may be what failed. It must not hide behind the line that cannot be written.
        with suppress(OSError):
            audit.record(paths.audit, **line, outcome=f"failed: {failure}")
        raise
    audit.record(paths.audit, **line, outcome="done")


@contextmanager
def interruptible(ignored: Sequence[signal.Signals] = ()) -> Iterator[None]:
    """Turn the first signal that would end the process into Interrupted, and ignore `ignored` and those that follow."""
    handlers = {number: signal.SIG_IGN if number in ignored else _interrupted for number in _SIGNALS}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, frame: object) -> None:
    # Undoing takes some seconds; nobody shall interrupt that too.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")
