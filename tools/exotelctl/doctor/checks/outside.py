"""Whether a caller from outside gets through, judged together with what the host says of itself."""

from exotel_phone.command import command
from exotel_phone.protocol_test.judges import health as judge_health
from exotel_phone.protocol_test.judges import mode as mode_of

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cloud import cloud_firewall
from exotelctl.doctor.checks.firewall import host_firewall
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.call import Trouble
from exotelctl.doctor.facts.outside import Outside
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped

_LOOK = "ansible-playbook playbooks/doctor.yml -i INVENTORY"


@check(
    "outside-reach",
    "reach",
    of="outside",
    claim="a simulated call from another machine through the public address is answered as Exotel needs it",
    does_not_prove="that Exotel's own network gets through, or that the applet has this URL",
)
def outside_reach(facts: Facts) -> Finding:
    if facts.outside is None:
        return skipped(f"nobody looked from outside; {_LOOK} does")
    seen = facts.outside.get()
    if seen.unresolved:
        text = "Correct the name, or its DNS record."
        remedy = Remedy(text, (command("getent", "ahosts", _host(seen)), "exotelctl url"))
        return fail(f"{seen.url}: the name does not resolve: {seen.unresolved}", remedy=remedy)
    if seen.connect:
        return _not_connected(facts, seen, seen.connect)
    return _not_served(seen) or _served(seen)


def _not_connected(facts: Facts, seen: Outside, trouble: Trouble) -> Finding:
    """TCP did not connect; with the host's own answers the way between is what is left."""
    here = facts.loopback.value
    host_answers = here is not None and here.health.status == 200
    evidence = [
        f"{seen.url} stands for {', '.join(seen.addresses)}",
        "the host answers itself" if host_answers else "whether the host answers itself is not known",
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
            remedy=Remedy(
                f"Open tcp:{seen.port} in the cloud's firewall.",
                ("ansible-playbook firewall.yml -i INVENTORY --check --diff",),
                ("ansible-playbook firewall.yml -i INVENTORY",),
            ),
        )
    return fail(
        trouble.cause,
        *evidence,
        remedy=Remedy(
            "Refused: the address is another machine's, or a firewall rejects. No route: the address is wrong.",
            ("exotelctl url", trouble.next),
            ("ansible-playbook firewall.yml -i INVENTORY",),
        ),
    )


def _not_served(seen: Outside) -> Finding | None:
    """TCP connected, but what is behind it is not what it should be; None where it is."""
    answers = seen.answers
    assert answers is not None
    remedy = Remedy(
        "Between here and the host is a proxy, another server, or another host.",
        (command("exotelctl", "health", seen.url), command("exotelctl", "protocol-test", seen.url), "exotelctl url"),
    )
    if answers.health.trouble:
        return fail(answers.health.trouble.cause, remedy=remedy)
    if wrong := judge_health(answers.health.status, answers.health.body):
        return fail(f"from outside: {wrong.cause}", remedy=remedy)
    echo = answers.echo
    if echo is None or echo.trouble:
        return fail(f"no call could be placed from outside: {echo.trouble.cause if echo and echo.trouble else ''}", remedy=remedy)
    answered = echo.bytes_received > 0 if _is_bot(seen) else echo.bit_exact
    if echo.closed_early or echo.fault_count or not answered:
        mute = "the bot said nothing" if _is_bot(seen) else "the echo is not what was sent"
        says = echo.closed_early or next(iter(echo.faults), mute)
        return fail(f"a call from outside is not what it should be: {says}", remedy=remedy)
    if seen.broken:
        says = ", ".join(broken.name for broken in seen.broken)
        return fail(f"the protocol test fails from outside: {says}", *(broken.cause for broken in seen.broken[:3]), remedy=remedy)
    return None


def _served(seen: Outside) -> Finding:
    assert seen.answers is not None
    assert seen.answers.echo is not None
    echo = seen.answers.echo
    came = "was spoken to" if _is_bot(seen) else f"came back bit-exact, {echo.round_trip_ms:.1f} ms,"
    return ok(
        f"a call through {seen.url} {came} and {seen.protocol_checks} protocol checks passed",
        f"{', '.join(seen.addresses)}; /health in {seen.answers.health.ms:.1f} ms",
    )


def _is_bot(seen: Outside) -> bool:
    return seen.answers is not None and mode_of(seen.answers.health.body) == "ai"


def _host(seen: Outside) -> str:
    return seen.url.partition("://")[2].partition("/")[0].rpartition(":")[0]
