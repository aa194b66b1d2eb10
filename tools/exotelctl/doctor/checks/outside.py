"""Check that a caller from outside gets through, by a look from another machine and by the host's own facts."""

import dataclasses

from exotel_phone.command import command
from exotel_phone.health import fault_of, mode_of
from exotel_phone.reach import Fault
from exotel_phone.target import parse

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import LOOK_OUTSIDE, OPEN_CLOUD, URL
from exotelctl.doctor.checks.edge import down as edge_down
from exotelctl.doctor.checks.edged import config_of
from exotelctl.doctor.checks.firewall import cloud_firewall, host_firewall
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.outside import Outside
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped


@check("outside-reach", "reach", of="outside")
def outside_reach(facts: Facts) -> Finding:
    """Claim: a simulated call from another machine through the public address is answered as Exotel needs it. Does not prove:
    that Exotel's own network gets through, or that the applet has this URL.
    """
    if facts.outside is None:
        return skipped(f"nobody looked from outside; {LOOK_OUTSIDE} does")
    seen = facts.outside.get()
    if seen.unresolved:
        text = "Correct the name, or its DNS record."
        remedy = Remedy(text, (command("getent", "ahosts", _host(seen)), URL))
        return fail(f"{seen.url}: the name does not resolve: {seen.unresolved}", remedy=remedy)
    if seen.connect:
        return not_connected(facts, seen, seen.connect)
    return not_healthy(facts, seen) or not_called(seen) or not_compliant(seen) or _served(seen)


def not_connected(facts: Facts, seen: Outside, trouble: Fault) -> Finding:
    """Judge why TCP did not connect: if the host answers itself, the fault lies between, or is its edge."""
    if trouble.kind == "refused" and (edge := _closed_edge(facts)):
        return dataclasses.replace(edge, says=f"{trouble.cause}: {edge.says}")
    host_answers = _answers_itself(facts)
    evidence = [
        f"{seen.url} stands for {', '.join(seen.addresses)}",
        _lies_between(facts, seen, trouble) if host_answers else "whether the host answers itself is not known",
    ]
    let_in = host_firewall.run(facts)
    evidence.append(f"the host's own firewall: {let_in.says}")
    cloud = cloud_firewall.run(facts)
    if cloud.verdict != "skipped":
        evidence.append(f"Google Cloud's firewall: {cloud.says}")
    if trouble.kind == "timeout" and host_answers and let_in.verdict != "fail":
        surely = "" if let_in.verdict == "ok" else " (if the host's own does not)"
        drops = f"a cloud firewall drops it{surely}"
        if cloud.verdict == "ok":
            drops = f"Google Cloud's firewall lets it in, so the address is another one's, or something else drops it{surely}"
        return fail(
            f"tcp:{seen.port} gets no answer from outside, though the host answers itself: {drops}",
            *evidence,
            remedy=Remedy(f"Open tcp:{seen.port} in the cloud's firewall.", (f"{OPEN_CLOUD} --check --diff",), (OPEN_CLOUD,)),
        )
    return fail(
        trouble.cause,
        *evidence,
        remedy=Remedy(
            "Refused: the address is another machine's, or a firewall rejects. No route: the address is wrong.",
            (URL, trouble.next),
            (OPEN_CLOUD,),
        ),
    )


def not_healthy(facts: Facts, seen: Outside) -> Finding | None:
    """Judge what answers HTTP where TCP connected; None if it is a healthy server."""
    assert seen.answers is not None
    health = seen.answers.health
    if health.trouble:
        evidence = [_lies_between(facts, seen, health.trouble)] if _answers_itself(facts) else []
        return fail(health.trouble.cause, *evidence, remedy=_between(seen))
    wrong = fault_of(health.status, health.body)
    return fail(f"from outside: {wrong}", remedy=_between(seen)) if wrong else None


def not_called(seen: Outside) -> Finding | None:
    """Judge the call from outside; None if it was answered as the mode promises."""
    echo = seen.answers.echo if seen.answers else None
    if echo is None or echo.trouble:
        why = echo.trouble.cause if echo and echo.trouble else ""
        return fail(f"no call could be placed from outside: {why}", remedy=_between(seen))
    answered = echo.bytes_received > 0 if is_bot(seen) else echo.bit_exact
    if not (echo.closed_early or echo.fault_count) and answered:
        return None
    mute = "the bot said nothing" if is_bot(seen) else "the echo is not what was sent"
    says = echo.closed_early or next(iter(echo.faults), mute)
    return fail(f"a call from outside is not what it should be: {says}", remedy=_between(seen))


def not_compliant(seen: Outside) -> Finding | None:
    """Judge the protocol test from outside; None if every check passed that was made."""
    if not seen.broken:
        return None
    says = f"the protocol test fails from outside: {', '.join(broken.name for broken in seen.broken)}"
    return fail(says, *(broken.cause for broken in seen.broken[:3]), remedy=_between(seen))


def _closed_edge(facts: Facts) -> Finding | None:
    """Return what is wrong with an edge that takes no connection on the host itself; None where it does, or there is none."""
    down, seen = edge_down.run(facts), facts.edge.value if facts.edge else None
    if seen is None or seen.edge.served or down.verdict != "fail":
        return None
    return Finding(down.verdict, down.says, down.evidence, down.remedy)


def _answers_itself(facts: Facts) -> bool:
    return facts.loopback.value is not None and facts.loopback.value.health.status == 200


def _lies_between(facts: Facts, seen: Outside, trouble: Fault) -> str:
    """Say what keeps a caller from a host that answers itself, by how the connection failed."""
    host, listen = _host(seen), facts.deployment.value.listen if facts.deployment.value else ""
    elsewhere = f"the server listens on {listen} only, or Exotel reaches it by another name (exotel_ws_public_host)"
    if config_of(facts):
        elsewhere = "or Exotel reaches it by another name (edge_domain)"
    why = {
        "timeout": ", so a firewall of the cloud or of the host drops what comes from here",
        "refused": f", so a firewall refuses what comes from here, {host} is another machine, {elsewhere}",
        "unreachable": f", but from here there is no way to {host}: a wrong address or route",
        "reset": ", so a firewall or a proxy cuts what comes from here",
    }
    return f"the host answers itself{why.get(trouble.kind, '')}"


def _between(seen: Outside) -> Remedy:
    return Remedy(
        "Between here and the host is a proxy, another server, or another host.",
        (command("exotelctl", "health", seen.url), command("exotelctl", "protocol-test", seen.url), URL),
    )


def _served(seen: Outside) -> Finding:
    assert seen.answers is not None
    assert seen.answers.echo is not None
    echo = seen.answers.echo
    came = "was spoken to" if is_bot(seen) else f"came back bit-exact, {echo.round_trip_ms:.1f} ms,"
    return ok(
        f"a call through {seen.url} {came} and {seen.protocol_checks} protocol checks passed",
        f"{', '.join(seen.addresses)}; /health in {seen.answers.health.ms:.1f} ms",
    )


def is_bot(seen: Outside) -> bool:
    """Return True if ``/health`` says that a bot answers calls."""
    return seen.answers is not None and mode_of(seen.answers.health.body) == "ai"


def _host(seen: Outside) -> str:
    return parse(seen.url).host
