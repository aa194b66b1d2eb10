"""This host, for a verb that changes it: who does it, one at a time, by the deploy engine, whose refusals end the verb."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils import act, audit
from ansible_collections.exotel.voicebot.plugins.module_utils.execute import DeployFailed, Executor, Limits
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Generation
from ansible_collections.exotel.voicebot.plugins.module_utils.instance import calls_live
from ansible_collections.exotel.voicebot.plugins.module_utils.lock import Locked, deploy_lock
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, Plan, Refused, Step
from ansible_collections.exotel.voicebot.plugins.module_utils.requester import requester
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, Systemd
from exotel_phone.exits import Refusal

from exotelctl.systemctl import require_root, require_systemd

HANG_UP_S: Final = 8.0
"""Seconds for a worker told to hurry: it closes each call with 1001 and gives the caller 5 s to answer."""
_USER: Final = "exotel-ws"
_POLL_S: Final = 0.2


def to_change(verb: str, who: str = "") -> "Host":
    """Return this host for ``verb``, asked for by ``who`` or whoever typed it. Raises Refusal without systemd or root."""
    require_systemd(verb)
    require_root(verb)
    os.umask(0o022)
    return Host(who or requester(), Paths(), Systemd())


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Raise Refusal for what the engine refuses, and for a host that cannot be asked; ``{}`` in ``what`` is the error."""
    try:
        yield
    except (Locked, Refused) as refused:
        raise Refusal(str(refused)) from None
    except (CommandFailed, OSError, ValueError) as error:
        raise Refusal(what.format(error)) from None


def with_journal(failure: DeployFailed) -> str:
    """Return why a deploy failed, and what the new instances wrote to the journal."""
    return f"{failure}\nThe journal of the new instances:\n{failure.journal}" if failure.journal else str(failure)


@dataclass(frozen=True, slots=True)
class Host:
    """A host in the hands of ``who``."""

    who: str
    paths: Paths
    systemd: Systemd

    @contextlib.contextmanager
    def locked(self, action: str) -> Iterator[None]:
        """Hold the deploy lock. Raises Refusal where somebody else holds it."""
        try:
            with deploy_lock(self.paths.lock, f"{action} by {self.who}"):
                yield
        except Locked as locked:
            raise Refusal(str(locked)) from None

    def executor(self, facts: HostFacts) -> Executor:
        """Return the engine's executor."""
        return Executor(self.paths, self.systemd, facts, _USER, Limits())

    def act(self, facts: HostFacts, plan: Plan, action: str, tell: Callable[[Step], None]) -> None:
        """Carry the engine's ``plan`` out, recorded as ``action``. Raises DeployFailed, and OSError without a record."""
        act.act(self.executor(facts), plan, self.paths, action=action, who=self.who, tell=tell)

    def record(self, action: str, serving: Generation, *, reason: str, outcome: str = "done") -> None:
        """Append what was done to the audit file. Raises OSError."""
        about = {"generation": serving.id, "release": serving.content.release}
        audit.record(self.paths.audit, who=self.who, action=action, **about, reason=reason, outcome=outcome)

    def calls(self, instances: Sequence[str]) -> int:
        """Return the live calls of ``instances``; one that has ended, or does not say, has none."""
        return sum(calls_live(self.paths.admin_socket(name)) or 0 for name in instances)

    def live(self, instances: Sequence[str]) -> list[str]:
        """Return which of ``instances`` have not ended."""
        states = self.systemd.instances()
        return [name for name in instances if name in states and states[name].live]

    def stop(self, instances: Sequence[str]) -> None:
        """Ask ``instances`` to end after their calls."""
        self.systemd.begin_stop([unit(name) for name in instances])

    def kill(self, instances: Sequence[str], signal: str) -> None:
        """Signal ``instances``. One that ended a moment ago cannot be signalled: whoever waits then finds out."""
        try:
            self.systemd.kill([unit(name) for name in instances], signal)
        except act.Interrupted:
            raise
        except CommandFailed:
            pass

    def wait(
        self, instances: Sequence[str], seconds: float, tell: Callable[[list[str], float], None] = lambda live, left_s: None
    ) -> list[str]:
        """Wait until ``instances`` have ended, at most ``seconds``, and return which have not.

        ``tell`` hears which have not, and the seconds left, again and again.
        """
        deadline = time.monotonic() + seconds
        while (live := self.live(instances)) and (left_s := deadline - time.monotonic()) > 0:
            tell(live, left_s)
            time.sleep(min(_POLL_S, left_s))
        return live
