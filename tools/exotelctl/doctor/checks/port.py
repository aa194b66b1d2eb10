"""Check who holds the call port, and that the server answers there."""

import json
from typing import Final

from exotel_phone.command import command
from exotel_phone.health import fault_of
from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import STATUS, lines_of
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.port import Holder, Port
from exotelctl.doctor.result import Finding, Remedy, fail, ok, unknown, warn
from exotelctl.privileges import cure_of_root

_SERVICES: Final = {"echo": "exotel-passthrough", "ai": "exotel-voicebot"}


@check("port-stranger", "port", of="port")
def stranger(facts: Facts) -> Finding:
    """Claim: no foreign process holds the call port in our place. Does not prove: that our own listener answers: local-answer
    does.
    """
    port = facts.port.get()
    if port.held or not port.strangers:
        return _unseen(port) or ok(f"port {port.port}: {_ours(port)}")
    first = port.strangers[0]
    if first.holds:
        return fail(
            f"port {port.port} can't be bound: pid {first.pid}, {first.command}, {first.holds}",
            *map(shown, port.strangers),
            remedy=Remedy(
                "Nobody listens, but the socket unit can't either. End that process or its connection, then start the socket. "
                "net.ipv4.ip_local_reserved_ports keeps the kernel from giving the port to a client again.",
                (
                    command("exotelctl", "port-clean", "--port", port.port, "--dry-run"),
                    command("ss", "-tanp", f"sport = :{port.port}"),
                    "sysctl net.ipv4.ip_local_reserved_ports net.ipv4.ip_local_port_range",
                ),
                ("exotelctl restart",),
            ),
        )
    return fail(
        f"port {port.port} is held by pid {first.pid}, {first.command}",
        *map(shown, port.strangers),
        remedy=_clean(port, "End the stranger, then start the socket. Find out what starts it, or it comes back."),
    )


@check("port-two-listeners", "port", of="port")
def two_listeners(facts: Facts) -> Finding:
    """Claim: nobody else listens beside us on the call port. Does not prove: that no other host answers for the same address."""
    port = facts.port.get()
    if not port.held or not port.strangers:
        return _unseen(port) or ok(f"port {port.port}: {plural(len(port.listeners), 'listener')}, {_ours(port)}")
    first = port.strangers[0]
    same = set(first.inodes) <= port.held
    how = "holds our own listening socket too" if same else "listens beside us"
    waiting = [f"{listener.address}: {listener.backlog} waiting (Recv-Q)" for listener in port.listeners]
    return fail(
        f"pid {first.pid}, {first.command}, {how} and may take calls away",
        *map(shown, port.strangers),
        *waiting,
        remedy=_clean(port, "End the second listener: of all calls it takes its share, and nobody answers them."),
    )


@check("local-answer", "reach", of="loopback")
def local_answer(facts: Facts) -> Finding:
    """Claim: on this host itself the server says that it is healthy and takes calls. Does not prove: that anybody outside gets
    through: outside-reach does.
    """
    answers = facts.loopback.get()
    remedy = Remedy(
        "Something answers that is not our server, or the server is not well.",
        ("exotelctl health", STATUS, "exotelctl port-clean --dry-run", lines_of("exotel-ws@*")),
    )
    if answers.health.trouble:
        return fail(answers.health.trouble.cause, remedy=remedy)
    wrong = fault_of(answers.health.status, answers.health.body)
    said = f"/health says {answers.health.status} {answers.health.body} in {answers.health.ms:.1f} ms"
    if wrong:
        return fail(wrong, said, remedy=remedy)
    mode = facts.deployment.get().mode
    expected = {"status": "ok", "service": _SERVICES.get(mode, ""), "mode": mode}
    if json.loads(answers.health.body) != expected:
        return fail(f"what answers is not this server in mode {mode}: {answers.health.body}", said, remedy=remedy)
    if answers.ready and answers.ready.status == 503:
        return warn(f"/ready says 503 {answers.ready.body}: no new calls", said, remedy=remedy)
    return ok(said)


def shown(holder: Holder) -> str:
    """Describe a holder as evidence."""
    unit = holder.unit or "no unit"
    return f"pid {holder.pid}, {holder.command} (user {holder.user}, {unit}, {holder.state}, for {duration(holder.age_s)})"


def _ours(port: Port) -> str:
    if not port.listeners:
        return "nobody listens"
    ours = [holder for holder in port.holders if holder.ours]
    return f"held by {plural(len(ours), 'process', 'processes')} of our own units" if ours else "no holder was seen"


def _unseen(port: Port) -> Finding | None:
    """Report sockets without a visible holder, which may be anybody's; None if each has one."""
    if not port.ownerless:
        return None
    where = ", ".join(listener.address for listener in port.ownerless)
    if port.as_root and port.lacks:
        return unknown(f"who holds {where} can't be seen: {cure_of_root(port.lacks)}", needs=", ".join(port.lacks))
    if port.as_root:
        return unknown(f"no process was found that holds {where}", needs="the network namespace that it is in")
    return unknown(f"who holds {where} can be seen by root only", needs="root")


def _clean(port: Port, text: str) -> Remedy:
    return Remedy(
        text,
        (command("exotelctl", "port-clean", "--port", port.port, "--dry-run"), command("ss", "-ltnp", f"sport = :{port.port}")),
        (command("exotelctl", "port-clean", "--port", port.port), "exotelctl restart"),
    )
