"""Check the edge: that HAProxy runs, reaches the server, ends its old workers, and keeps out nobody who should get in."""

from collections.abc import Sequence
from typing import Final

from exotel_phone.command import command, of_units
from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.cures import DEPLOY, STATUS, URL, lines_of, of_edge
from exotelctl.doctor.checks.edged import edge_check, graded_by_source, inside, refused_by_edge
from exotelctl.doctor.checks.firewall import let_through
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.edge import EdgeFacts
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.result import Finding, Remedy, fail, ok, unknown, warn
from exotelctl.edge import config
from exotelctl.edge.config import UNIT, EdgeConfig
from exotelctl.edge.facts import Full, PutOut, Server
from exotelctl.edge.log import OF_PLAIN, PLAIN
from exotelctl.edge.report import connections_of, why_full
from exotelctl.edge.runtime import counted_as

EDGE: Final = "exotelctl edge"
CHECK_CONFIG: Final = f"haproxy -c -f {config.CONFIG.with_name('haproxy.cfg')}"
_RUNNING: Final = ("active", "reloading")
_AT_BOOT: Final = ("enabled", "enabled-runtime", "")
_MOST_SHOWN: Final = 5
_DRAIN: Final = "90 min"


@edge_check("edge-down")
def down(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: HAProxy runs, speaks TLS on the port for calls, and starts at the next boot. Does not prove: that it reaches the
    server: edge-backend does.
    """
    state = seen.edge.state
    if state is None:
        raise NotSeen("systemd did not tell of haproxy.service")
    look = (lines_of(UNIT), CHECK_CONFIG, command("ss", "-ltnp", f"sport = :{edge.port}"))
    since = "" if state.changed_s is None else f" for {duration(state.changed_s)}"
    if state.active == "deactivating":
        text = (
            "Somebody stopped or restarted it: it takes no new call until its last one ends, and a restart starts it then. "
            f"{_DRAIN} is its limit. Ending it earlier cuts those calls."
        )
        kill = command("systemctl", "kill", "--signal=SIGTERM", UNIT, note="cuts every call through the edge")
        return fail(f"{UNIT} drains{since}: no new call gets in", *seen.words, remedy=Remedy(text, (EDGE, *look), (kill,)))
    if state.active not in _RUNNING:
        said = f"{state.active} ({state.sub}{'' if state.result in ('', 'success') else f', {state.result}'})"
        text = "Read why: a configuration that it refuses, or a port that somebody else has. A deploy writes the configuration."
        remedy = Remedy(text, (*look, of_units("start", UNIT)), (DEPLOY,))
        if state.active == "inactive" and state.result in ("", "success"):
            text = "It did not fail: somebody stopped it, or it was not started at boot. Starting it cuts nothing."
            remedy = Remedy(text, (lines_of(UNIT), of_units("start", UNIT)))
        return fail(f"{UNIT} is {said if state.sub else state.active}{since}", *seen.words, remedy=remedy)
    if seen.edge.served is None:
        remedy = Remedy("HAProxy runs with another configuration, or another program has the port.", look, (DEPLOY,))
        return fail(f"{UNIT} is active, but {seen.edge.no_served}", *seen.words, remedy=remedy)
    if state.enabled not in _AT_BOOT:
        remedy = Remedy("Somebody disabled it. Enabling changes nothing now.", risky_commands=(of_units("enable", UNIT), DEPLOY))
        return fail(f"{UNIT} is {state.enabled}, so it does not start at the next boot", remedy=remedy)
    tunnels = f", {plural(seen.edge.inside.tunnels, 'connection')}" if seen.edge.inside else ""
    return ok(f"{UNIT} is active{since} and speaks {seen.edge.served.protocol} on port {edge.port}{tunnels}")


@edge_check("edge-backend")
def backend(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: the edge reaches the server, at the address at which it listens. Does not prove: that calls are answered as they
    should: local-answer and no-echo do.
    """
    remedy = Remedy(
        "The server is down, or listens elsewhere than the edge looks. A deploy gives both the same address.",
        (STATUS, EDGE, command("ss", "-ltnp", f"sport = :{edge.backend.rpartition(':')[2]}")),
        ("exotelctl restart", DEPLOY),
    )
    listens = facts.deployment.value.port if facts.deployment.value and facts.deployment.value.generation else None
    if listens and not edge.backend.endswith(f":{listens}"):
        return fail(f"the edge looks for the server at {edge.backend}, and it is deployed to port {listens}", remedy=remedy)
    health = seen.edge.served.health if seen.edge.served else 0
    known = inside(seen)
    evidence = [_shown(server) for server in known.for_calls]
    if known.reaches_none:
        return fail(f"the edge finds no server at {edge.backend}: {known.for_calls[0].status}", *evidence, remedy=remedy)
    if seen.edge.served and health != 200:
        said = f"/health through it says {health}" if health else "/health through it gives no answer"
        return fail(f"the edge passes nothing on: {said}", *evidence, remedy=remedy)
    if not seen.edge.served:
        return unknown(f"nothing could be asked through the edge: {seen.edge.no_served}", *evidence)
    return ok(f"the server at {edge.backend} answers through the edge", *evidence)


def _shown(server: Server) -> str:
    return f"{server.backend}/{server.name}: {server.status}, last check {server.check or 'not yet made'}"


@edge_check("edge-workers")
def workers(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: workers that a reload of the edge replaced end in time. Does not prove: that nobody reloads it all the time."""
    known = inside(seen)
    old = known.old
    if old is None:
        return unknown("the master process of HAProxy has no socket, so its old workers cannot be counted")
    held = [plural(one.connections, "connection") if one.connections is not None else "it does not say" for one in old]
    evidence = [f"pid {one.pid}, {duration(one.age_s)} old: {holds}" for one, holds in zip(old[:_MOST_SHOWN], held, strict=False)]
    if not known.pile_up:
        return ok(f"{plural(len(old), 'old worker')} that end with their last call" if old else "no old worker", *evidence)
    remedy = Remedy(
        f"Each reload leaves one until its last call ends, {_DRAIN} at most, with memory of its own. Find out who reloads so "
        "often: a renewed certificate needs no reload. They end by themselves.",
        (EDGE, f"{lines_of(UNIT)} -g Reload", "systemctl list-timers"),
        (command("kill", "-TERM", old[-1].pid, note="cuts the calls that this worker has"),),
    )
    return warn(f"{len(old)} old workers of HAProxy pile up", *evidence, remedy=remedy)


@edge_check("edge-put-out")
def put_out(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: the limits of the edge keep out nobody who makes calls. Does not prove: that every stranger is kept out."""
    known = inside(seen)
    counts = f"{plural(known.turned_away, 'connection')} turned away since HAProxy started"
    if not known.put_out and not known.full:
        return ok("nobody is put out", counts)
    callers = {counted_as(conn.remote) for conn in facts.calls.value.started if conn.remote} if facts.calls.value else set()
    felt = [one for one in known.put_out if one.proven or one.address in callers]
    if known.full and not felt:
        return _full(known.full, edge, counts)
    first, *others = felt or known.put_out
    remedy = Remedy(
        "A caller: let it in, and name it in edge_known_sources, or mend the key in its URL first if that is why. Strangers: "
        "nothing to do, they come back in when they are quiet.",
        (EDGE, command("exotelctl", "edge", "admit", first.address)),
    )
    says = f"{first.address} is put out: {_why(first, edge)}"
    evidence = [f"{one.address}: {_why(one, edge)}" for one in others[:_MOST_SHOWN]]
    evidence += [f"{one.address}: {why_full(one, edge)}" for one in known.full[:_MOST_SHOWN]]
    if felt:
        return fail(f"{says}, and it makes calls", *evidence, counts, remedy=remedy)
    return warn(f"{says}; it made no call in the window", *evidence, counts, remedy=remedy)


def _full(full: Sequence[Full], edge: EdgeConfig, counts: str) -> Finding:
    remedy = Remedy(
        "Where these are calls, raise edge_known_connections, or name the source in edge_known_sources, and deploy. Else see "
        "what holds them; with a leaked key somebody else behind that address can, so retire it.",
        (EDGE, connections_of(full[0], edge)),
        (DEPLOY,),
    )
    first, *others = (
        f"{one.address} makes calls, and wants more connections than it may have: {why_full(one, edge)}" for one in full
    )
    return fail(first, *others[: _MOST_SHOWN - 1], counts, remedy=remedy)


def _why(one: PutOut, edge: EdgeConfig) -> str:
    if one.why == "keys":
        within = plural(edge.bad_keys_minutes, "minute")
        return f"it showed {plural(one.count, 'bad key')} in {within} (the limit is {edge.bad_keys})"
    return f"it opened {plural(one.count, 'connection')} in 10 s (a stranger may open {edge.stranger_connections})"


@edge_check("plain-on-tls")
def plain_on_tls(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: nobody speaks plain ws:// where only wss:// is served. Does not prove: that the applet's URL is right otherwise."""
    bad = refused_by_edge(facts, PLAIN)
    if not bad:
        return ok("none did in the window")
    remedy = Remedy(
        "The applet's URL says ws:// where it has to say wss://. From an address that is not Exotel's it is a scanner.",
        (URL, of_edge(*OF_PLAIN)),
    )
    ago = duration(max(0.0, facts.collected_at - bad[-1].at))
    says = f"{plural(len(bad), 'connection')} spoke plain HTTP to the edge: the URL says ws://"
    return graded_by_source(facts, bad, says, [f"the last from {bad[-1].remote}, {ago} ago"], remedy)


@edge_check("acme-port", acme=True)
def acme_port(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: the port through which the certificate is renewed answers, and no firewall of this host closes it. Does not prove:
    that the ACME authority gets through: a look from outside, or a rehearsal of the renewal, does.
    """
    port = edge.http_port
    remedy = Remedy(
        f"The authority comes to port {port} of every name: open it in the firewalls, of the cloud too, to everybody.",
        (EDGE, "nft --handle list ruleset", command("ss", "-ltnp", f"sport = :{port}")),
        ("ansible-playbook firewall.yml -i INVENTORY", command("ufw", "allow", f"{port}/tcp", note="where ufw wrote the rules")),
    )
    if not seen.edge.http_status:
        return fail(f"port {port} gives no answer on this host: {seen.edge.no_http}", remedy=remedy)
    outcome = let_through(facts, port)
    if outcome and outcome.verdict == "drop":
        return fail(f"tcp:{port} does not get through this host's firewall: {outcome.rule}", outcome.where, remedy=remedy)
    outside = facts.outside.value if facts.outside else None
    if outside and outside.http_fault:
        return fail(f"from outside: {outside.http_fault.cause}", "on the host itself it answers", remedy=remedy)
    answered = f"it answers {seen.edge.http_status} on this host"
    return ok(f"{answered} and takes connections from outside" if outside and outside.http_port else answered)
