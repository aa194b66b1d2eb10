"""From facts to a plan: for each holder of the port what it is, what to do about it, and why. Pure."""

import dataclasses
from collections.abc import Iterable
from typing import Literal

from exotelctl.port import units
from exotelctl.port.facts import Facts, Holder

Kind = Literal[
    "our-socket",
    "our-service",
    "service",
    "supervised",
    "protected",
    "leftover",
    "headless",
    "stopped",
    "orphan",
    "inherited",
    "process",
]
Action = Literal["end", "keep", "refuse"]
Verdict = Literal["free", "ours", "act", "refused", "unseen"]

_SUPERVISORS = {
    "PM2 v": "pm2 list; pm2 delete NAME",
    "supervisord": "supervisorctl status; supervisorctl stop NAME",
    "runsv": "sv down NAME",
    "s6-supervise": "s6-svc -d SERVICE",
    "containerd-shim": "docker ps; docker stop CONTAINER",
    "conmon": "podman ps; podman stop CONTAINER",
}
"""Programs that start their child again, by how their name begins, with the command that really stops it."""

_DEAD = ("inactive", "failed")
_OURS: frozenset[Kind] = frozenset({"our-socket", "our-service"})


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What is done about one holder. ``why`` is a sentence; ``instead`` the command to use where it is refused or kept."""

    holder: Holder
    kind: Kind
    action: Action
    why: str
    instead: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """``act``: end what the decisions say. ``ours``: the port is where it should be. ``unseen``: the owner cannot be seen."""

    verdict: Verdict
    decisions: tuple[Decision, ...]
    reason: str

    @property
    def to_end(self) -> tuple[Decision, ...]:
        """The decisions that end a process, a parent before its children: it must not start them again."""
        ending = [decision for decision in self.decisions if decision.action == "end"]
        return tuple(sorted(ending, key=lambda decision: len(_above(decision.holder, ending))))

    @property
    def only_ours(self) -> bool:
        """The port is held, and by our own units alone."""
        kinds = {decision.kind for decision in self.decisions}
        return self.verdict in ("ours", "refused") and kinds <= _OURS

    def is_settled_by(self, after: "Plan") -> bool:
        """``after``, made once this plan was carried out, leaves nothing but our own units, none of which was to end."""
        return after.only_ours and not any(decision.kind in _OURS for decision in self.to_end)


def plan(facts: Facts, *, force: bool) -> Plan:
    """Decide. ``force`` also ends what a service manager looks after; PID 1, this process and its ancestors never."""
    decisions = tuple(_decide(holder, facts, force) for holder in facts.holders)
    if any(decision.action == "end" for decision in decisions):
        decisions = tuple(_spare(decision) for decision in decisions)
    refused = [decision for decision in decisions if decision.action == "refuse"]
    if not facts.listeners:
        return Plan("free", (), _free_reason(facts))
    if refused:
        return Plan("refused", decisions, f"refused because of pid {refused[0].holder.pid}: nothing is signalled")
    if facts.ownerless:
        return Plan("unseen", decisions, _unseen_reason(facts))
    if any(decision.action == "end" for decision in decisions):
        return Plan("act", decisions, "")
    return Plan("ours", decisions, "the port is held by our own socket unit, as it should be: nothing to end")


def _decide(holder: Holder, facts: Facts, force: bool) -> Decision:
    if holder.pid == 1:
        return _pid_one(holder, facts)
    if holder.pid in facts.protected:
        return Decision(holder, "protected", "refuse", "this command itself, or what it was started by")
    managed = _managed(holder)
    if managed is not None:
        return _forced(managed) if force else managed
    kind, why = _stray(holder, facts)
    return Decision(holder, kind, "end", why)


def _forced(managed: Decision) -> Decision:
    cut = ", calls that last longer than the wait are cut" if managed.kind == "our-service" else ""
    return dataclasses.replace(managed, action="end", why=f"{managed.why}; forced{cut}")


def _pid_one(holder: Holder, facts: Facts) -> Decision:
    unit = facts.socket_unit
    if unit == units.OUR_SOCKET:
        instead = f"ansible-playbook deploy.yml -i INVENTORY (never needs the port free); to take it down: systemctl stop {unit}"
        return Decision(holder, "our-socket", "keep", f"PID 1 holds the port for {unit}, as it should be", instead)
    if unit:
        return Decision(holder, "service", "refuse", f"PID 1 holds the port for {unit}", f"systemctl stop {unit}")
    why = f"PID 1 ({holder.name}) holds the port itself; PID 1 is never signalled"
    return Decision(holder, "protected", "refuse", why, "systemctl list-sockets --all; or stop the container it is the PID 1 of")


def _managed(holder: Holder) -> Decision | None:
    """Whoever would be started again, or serves calls now."""
    if holder.unit and holder.unit_state not in _DEAD:
        if units.is_ours(holder.unit):
            instead = "ansible-playbook deploy.yml -i INVENTORY (never needs the port free); "
            instead += f"to take it down: systemctl stop {units.OUR_SOCKET} {holder.unit}"
            return Decision(holder, "our-service", "refuse", f"our unit {holder.unit} serves calls on this port", instead)
        systemctl = "systemctl --user" if holder.user_unit else "systemctl"
        why = f"a service: systemd runs it as {holder.unit} and may start it again"
        return Decision(holder, "service", "refuse", why, f"{systemctl} stop {holder.unit}")
    if holder.name == "docker-proxy":
        why = "a container's door: it forwards the port into the container"
        return Decision(holder, "supervised", "refuse", why, "docker ps; docker stop CONTAINER")
    for parent in holder.parents:
        command = next((stop for name, stop in _SUPERVISORS.items() if parent.name.startswith(name)), "")
        if command:
            why = f"looked after by {parent.name} (pid {parent.pid}), which would start it again"
            return Decision(holder, "supervised", "refuse", why, command)
    return None


def _stray(holder: Holder, facts: Facts) -> tuple[Kind, str]:
    """What a process that nobody manages is, by what is most telling about it."""
    if holder.unit:
        return "leftover", f"a leftover: {holder.unit} is {holder.unit_state}, this process outlived it"
    if holder.headless:
        return "headless", "a headless process: its leading thread has ended, its other threads hold the port"
    if holder.state in ("stopped", "tracing-stop"):
        return "stopped", "a stopped process: it takes connections and never answers"
    above = next(iter(_above_holders(holder, facts.holders)), None)
    if above is not None:
        return "inherited", f"inherited the socket from pid {above.pid}"
    if holder.parents and holder.parents[0].pid == 1:
        return "orphan", "an orphan: its parent is gone and no unit manages it"
    return "process", "a process that no unit manages"


def _spare(decision: Decision) -> Decision:
    """Our serving unit beside a stray: the stray is ended, the unit is left alone."""
    if decision.kind == "our-service" and decision.action == "refuse":
        return dataclasses.replace(decision, action="keep")
    return decision


def _above(holder: Holder, decisions: Iterable[Decision]) -> list[Holder]:
    return _above_holders(holder, [decision.holder for decision in decisions])


def _above_holders(holder: Holder, holders: Iterable[Holder]) -> list[Holder]:
    """Those of ``holders`` that are ancestors of ``holder`` and share a socket with it."""
    ancestors = {parent.pid for parent in holder.parents} - {1}
    return [other for other in holders if other.pid in ancestors and other.inodes & holder.inodes]


def _free_reason(facts: Facts) -> str:
    if facts.closing:
        return (
            f"nothing listens; {facts.closing} closed connections wait out TIME_WAIT, which does not hinder a server "
            "that binds with SO_REUSEADDR: nothing to kill"
        )
    return "nothing listens: nothing to kill"


def _unseen_reason(facts: Facts) -> str:
    where = ", ".join(listener.shown for listener in facts.ownerless)
    if not facts.as_root:
        return f"the owner of {where} cannot be seen: seeing other users' sockets needs root (sudo exotelctl port-clean …)"
    return f"{where} is held by no process that can be seen: the kernel, or a process of another pid namespace (a container)"
