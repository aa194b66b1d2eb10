"""Plan, from facts, what to do about each holder of the port, and why. Pure."""

import dataclasses
from collections.abc import Iterable
from typing import Literal

from exotel_phone.command import argument, command, of_units
from exotel_phone.text import plural

from exotelctl.port import units
from exotelctl.port.facts import PortFacts, PortHolder
from exotelctl.privileges import cure_of_root

Kind = Literal[
    "our-socket",  # PID 1 for exotel-ws.socket
    "our-service",  # a live worker of ours
    "draining",  # a worker of ours that was told to stop and finishes its calls
    "socket-unit",  # PID 1 for a socket unit of somebody else
    "service",
    "supervised",
    "container-proxy",
    "protected",
    "intruder",  # has our own listening socket without being one of our workers
    "leftover",
    "headless",
    "stopped",
    "inherited",
    "orphan",
    "hung",
    "process",
    "bound",  # holds the port without listening
    "connected",  # uses the port for a connection of its own
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

_PROXIES = ("docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta")
"""Programs that forward a port of the host into a container."""

_DEAD = ("inactive", "failed")
_OURS: frozenset[Kind] = frozenset({"our-socket", "our-service", "draining"})
_DEPLOY = "ansible-playbook deploy.yml -i INVENTORY (never needs the port free); to take it down: systemctl stop"


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """Decision about one holder. ``why`` is a sentence; ``instead`` the command to use if it is refused or kept."""

    holder: PortHolder
    kind: Kind
    action: Action
    why: str
    instead: str = ""

    @property
    def ours(self) -> bool:
        """Return True for PID 1 with our socket, and for a worker that serves or drains."""
        return self.kind in _OURS


@dataclasses.dataclass(frozen=True, slots=True)
class PortPlan:
    """``act``: end what the decisions say. ``ours``: the port is where it should be. ``unseen``: the owner cannot be seen."""

    verdict: Verdict
    decisions: tuple[Decision, ...]
    reason: str

    @property
    def to_end(self) -> tuple[Decision, ...]:
        """Return the decisions that end a process, a parent before its children: it must not start them again."""
        ending = [decision for decision in self.decisions if decision.action == "end"]
        return tuple(sorted(ending, key=lambda decision: len(_above(decision.holder, [each.holder for each in ending]))))

    @property
    def strangers(self) -> tuple[Decision, ...]:
        """Return the decisions about processes that are not ours."""
        return tuple(decision for decision in self.decisions if not decision.ours)

    @property
    def only_ours(self) -> bool:
        """Return True if the port is held, and by our own units alone."""
        return self.verdict in ("ours", "refused") and not self.strangers

    def is_settled_by(self, after: "PortPlan") -> bool:
        """Return True if the later plan ``after`` leaves only our own units, none of which this one was to end."""
        return after.only_ours and not any(decision.ours for decision in self.to_end)


def is_of_us(holder: PortHolder, facts: PortFacts) -> bool:
    """Return True if ``holder`` ends with our units: PID 1 for our socket, a worker or its child; not what outlived its unit."""
    if holder.pid == 1:
        return facts.socket_unit == units.OUR_SOCKET
    return units.is_ours(holder.unit) and not holder.user_unit and holder.unit_state not in _DEAD


def plan(facts: PortFacts, *, force: bool) -> PortPlan:
    """Decide. ``force`` also ends what a service manager looks after; PID 1, this process and its ancestors never."""
    decisions = tuple(_decide(holder, facts, force) for holder in facts.holders)
    if any(decision.action == "end" for decision in decisions):
        decisions = tuple(_spare(decision) for decision in decisions)
    refused = [decision for decision in decisions if decision.action == "refuse"]
    if not facts.listeners:
        blocking = [decision for decision in decisions if decision.kind in ("bound", "connected")]
        reason = _blocked_reason(facts, blocking) if facts.blocked else _free_reason(facts, decisions)
        return PortPlan("refused" if blocking else "free", decisions, reason)
    if refused:
        return PortPlan("refused", decisions, _refused_reason(decisions, refused[0]))
    if facts.ownerless:
        return PortPlan("unseen", decisions, _unseen_reason(facts))
    if any(decision.action == "end" for decision in decisions):
        return PortPlan("act", decisions, "")
    return PortPlan("ours", decisions, _ours_reason(decisions))


def _decide(holder: PortHolder, facts: PortFacts, force: bool) -> Decision:
    if holder.pid == 1:
        return _pid_one(holder, facts)
    if holder.pid in facts.protected:
        return Decision(holder, "protected", "refuse", "this command itself, or what it was started by")
    if holder.bound or holder.connected:
        return _blocking(holder, facts)
    if not holder.inodes:
        return _draining(holder)
    managed = _managed(holder, facts)
    if managed is not None:
        return _forced(managed, facts) if force else managed
    kind, why = _stray(holder, facts)
    return Decision(holder, kind, "end", why + _waiting(holder, facts))


def _blocking(holder: PortHolder, facts: PortFacts) -> Decision:
    """Refuse to end what holds the port without listening: it may be anybody's client, or a server about to listen."""
    end = of_units("stop" if holder.bound else "restart", holder.unit, user=holder.user_unit) if holder.unit else ""
    end = end or command("kill", holder.pid)
    if holder.bound:
        why = f"has bound {holder.bound} and does not listen: while it does, nobody else can"
        return Decision(holder, "bound", "refuse", why, end)
    ports = facts.reserved.split(",") if facts.reserved else []
    listed = ",".join(dict.fromkeys([*ports, str(facts.port)]))
    reserve = command("sysctl", "-w", f"net.ipv4.ip_local_reserved_ports={listed}")
    why = f"uses {facts.port} as the local port of a connection: {holder.connected}; the port is free when that is closed"
    return Decision(holder, "connected", "refuse", why, f"{reserve}; {end}")


def _forced(managed: Decision, facts: PortFacts) -> Decision:
    """Force the end of what a service manager looks after, but of our units none while any of them reports calls."""
    if managed.action == "keep" or managed.kind == "inherited" or (managed.kind == "our-service" and _has_calls(facts)):
        return managed
    cut = ", calls that last longer than the wait are cut" if managed.kind == "our-service" else ""
    return dataclasses.replace(managed, action="end", why=f"{managed.why}; forced{cut}")


def _has_calls(facts: PortFacts) -> bool:
    """Return True if a worker that holds the port reports calls."""
    return any(holder.inodes and holder.worker and holder.worker.calls > 0 for holder in facts.holders)


def _pid_one(holder: PortHolder, facts: PortFacts) -> Decision:
    unit = facts.socket_unit
    if unit == units.OUR_SOCKET:
        return Decision(
            holder, "our-socket", "keep", f"PID 1 holds the port for {unit}, as it should be", f"{_DEPLOY} {argument(unit)}"
        )
    if unit:
        return Decision(holder, "socket-unit", "refuse", f"PID 1 holds the port for {unit}", of_units("stop", unit))
    why = f"PID 1 ({holder.name}) holds the port itself; PID 1 is never signalled"
    return Decision(holder, "protected", "refuse", why, "systemctl list-sockets --all; or stop the container it is the PID 1 of")


def _managed(holder: PortHolder, facts: PortFacts) -> Decision | None:
    """Decide about a process that would be started again, or serves calls now."""
    if holder.name.startswith(_PROXIES):
        # Before its unit: that is the container engine, whose stop would take every container down.
        why = "a container's door: it forwards the port into the container"
        instead = f"{command('docker', 'ps', '--filter', f'publish={facts.port}')}; docker stop CONTAINER (podman alike)"
        return Decision(holder, "container-proxy", "refuse", why, instead)
    if holder.unit and holder.unit_state not in _DEAD:
        return _our_unit(holder, facts) if units.is_ours(holder.unit) and not holder.user_unit else _service(holder, facts)
    for parent in holder.parents:
        instead = next((stop for name, stop in _SUPERVISORS.items() if parent.name.startswith(name)), "")
        if instead:
            why = f"looked after by {parent.name} (pid {parent.pid}), which would start it again"
            return Decision(holder, "supervised", "refuse", why, instead)
    return None


def _service(holder: PortHolder, facts: PortFacts) -> Decision:
    why = f"a service: systemd runs it as {holder.unit} and may start it again"
    if _has_our_socket(holder, facts):
        why += "; it has our own listening socket, so it takes calls of ours"
    return Decision(holder, "service", "refuse", why, of_units("stop", holder.unit, user=holder.user_unit))


def _our_unit(holder: PortHolder, facts: PortFacts) -> Decision | None:
    """Return a worker, or what it has started; None for a child that may be ended."""
    stop = f"{_DEPLOY} {units.OUR_SOCKET} {argument(holder.unit)}"
    worker = holder.worker
    if worker is not None and worker.pid in {parent.pid for parent in holder.parents}:
        if not holder.accepted:
            return None
        calls = f"{plural(holder.accepted, 'connection')} of the port, which may be calls"
        why = f"inherited the socket from our worker pid {worker.pid} and has {calls}"
        return Decision(holder, "inherited", "refuse", why, "exotelctl restart (the old unit ends it once its calls are over)")
    if holder.unit_state == "deactivating":
        return _draining(holder)
    if worker is not None:
        serves = f"serves {plural(worker.calls, 'call')} now"
    elif facts.as_root:
        serves = f"gives no answer ({holder.state}), its watchdog ends it if that lasts{_waiting(holder, facts)}"
    else:
        serves = "serves calls on this port"
    return Decision(holder, "our-service", "refuse", f"our unit {holder.unit} {serves}", stop)


def _draining(holder: PortHolder) -> Decision:
    """Keep a draining worker, whatever the state of its unit: it does not hold the port."""
    left = plural(holder.worker.calls, "call") if holder.worker else plural(holder.accepted, "connection")
    why = f"a draining generation: {holder.unit} has {left} left and ends after that by itself; it is never ended here"
    return Decision(holder, "draining", "keep", why, "exotelctl status")


def _stray(holder: PortHolder, facts: PortFacts) -> tuple[Kind, str]:
    """Return the kind of a process that nobody manages, by its most telling fact."""
    above = next(iter(_above(holder, facts.holders)), None)
    if holder.unit and holder.unit_state in _DEAD:
        return "leftover", f"a leftover: {holder.unit} is {holder.unit_state}, this process outlived it"
    if holder.headless:
        return "headless", "a headless process: its leading thread has ended, its other threads hold the port"
    if holder.state in ("stopped", "tracing-stop"):
        return "stopped", "a stopped process: it takes connections and never answers"
    if above is not None:
        return "inherited", f"inherited the socket from pid {above.pid}"
    if _has_our_socket(holder, facts):
        return "intruder", "holds our own listening socket and is none of our workers: it takes calls away from them"
    if holder.parents and holder.parents[0].pid == 1:
        return "orphan", "an orphan: its parent is gone and no unit manages it"
    if facts.waiting(holder.inodes):
        return "hung", "a process that no unit manages, and that does not accept"
    return "process", "a process that no unit manages"


def _has_our_socket(holder: PortHolder, facts: PortFacts) -> bool:
    """Return the socket that PID 1 holds for our socket unit."""
    manager = next((each for each in facts.holders if each.pid == 1), None)
    return manager is not None and facts.socket_unit == units.OUR_SOCKET and bool(manager.inodes & holder.inodes)


def _waiting(holder: PortHolder, facts: PortFacts) -> str:
    waiting = facts.waiting(holder.inodes)
    return f"; {plural(waiting, 'connection')} wait{'s' if waiting == 1 else ''} to be accepted" if waiting else ""


def _spare(decision: Decision) -> Decision:
    """Keep our serving unit beside a stray: only the stray is ended."""
    if decision.kind == "our-service" and decision.action == "refuse":
        return dataclasses.replace(decision, action="keep")
    return decision


def _above(holder: PortHolder, holders: Iterable[PortHolder]) -> list[PortHolder]:
    """Return the ``holders`` that are ancestors of ``holder`` and share a socket with it."""
    ancestors = {parent.pid for parent in holder.parents} - {1}
    return [other for other in holders if other.pid in ancestors and other.inodes & holder.inodes]


def _free_reason(facts: PortFacts, draining: tuple[Decision, ...]) -> str:
    if draining:
        return "nothing listens; calls of before are left to end by themselves: nothing to kill"
    if facts.closing:
        return (
            f"nothing listens; {facts.closing} closed connections wait out TIME_WAIT, which does not hinder a server "
            "that binds with SO_REUSEADDR: nothing to kill"
        )
    return "nothing listens: nothing to kill"


def _blocked_reason(facts: PortFacts, blocking: list[Decision]) -> str:
    if not blocking:
        who = "no process was found that holds it: "
        cure = (
            cure_of_root(facts.lacks) if facts.as_root else "seeing other users' sockets needs root (sudo exotelctl port-clean …)"
        )
        return (
            f"nothing listens, but {facts.blocked}; {who}{cure or 'it is in another pid namespace (a container), or the kernel'}"
        )
    first = blocking[0]
    reason = f"nothing listens, but {facts.blocked}: pid {first.holder.pid} ({first.holder.name}) {first.why}"
    if any(decision.kind == "connected" for decision in blocking):
        reason += (
            f". So that the kernel gives {facts.port} to no client again, reserve it "
            "(net.ipv4.ip_local_reserved_ports, and a file in /etc/sysctl.d for the next boot)"
        )
    return reason


def _refused_reason(decisions: tuple[Decision, ...], first: Decision) -> str:
    if all(decision.ours for decision in decisions):
        return "the port is held by our own units, as it should be, and they are not ended here: nothing is signalled"
    return f"refused because of pid {first.holder.pid}: nothing is signalled"


def _ours_reason(decisions: tuple[Decision, ...]) -> str:
    if any(decision.kind == "our-socket" for decision in decisions):
        return "the port is held by our own socket unit, as it should be: nothing to end"
    return "the port is held by a draining generation alone, which lets go of it by itself: nothing to end"


def _unseen_reason(facts: PortFacts) -> str:
    where = ", ".join(listener.shown for listener in facts.ownerless)
    if not facts.as_root:
        return f"the owner of {where} cannot be seen: seeing other users' sockets needs root (sudo exotelctl port-clean …)"
    if facts.lacks:
        return f"the owner of {where} cannot be seen: {cure_of_root(facts.lacks)}"
    return f"{where} is held by no process that can be seen: the kernel, or a process of another pid namespace (a container)"
