"""Check that callers get through to the server, and to the right path."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils.public_address import CURE, doubt, is_of_a_test_network
from exotel_phone.command import command
from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.check import check
from exotelctl.doctor.checks.cures import LOOK_OUTSIDE, TEST_HERE, URL, deploy, of_last_hour
from exotelctl.doctor.checks.edged import config_of, refusals_of, refused_by_edge
from exotelctl.doctor.checks.grade import graded, times
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.address import Address
from exotelctl.doctor.facts.journal import RETIRED, Refused
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, unknown, warn

_NAT: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))


@check("public-address", "reach", of="address")
def public_address(facts: Facts) -> Finding:
    """Claim: the address in public_url is a public one and leads to this host. Does not prove: that the applet has the same URL:
    compare exotelctl url.
    """
    seen = facts.address.get()
    if not seen.public_host:
        return skipped("no public_url is set: nothing to compare")
    text = "Give the address that leads here: exotel_ws_public_host in the inventory, and the applet's URL."
    remedy = deploy(text, URL, "ip -brief address", command("getent", "ahosts", seen.public_host))
    has = f"this host has {', '.join((*seen.own, *filter(None, [seen.metadata])))}"
    if seen.unresolved:
        return fail(f"{seen.public_host} does not resolve: {seen.unresolved}", has, remedy=remedy)
    why = doubt(seen.public_host)
    if why and is_of_a_test_network(seen.public_host):
        has = f"{why}; {has}"  # only a lab's host has such an address
    elif why:
        cloud = (f"the cloud maps {seen.metadata} to this host",) if seen.metadata else ()
        return warn(f"{why}: {CURE}", has, *cloud, remedy=remedy)
    if set(seen.resolved) & {*seen.own, seen.metadata}:
        return ok(f"{seen.public_host} is an address of this host", has)
    leads = f"{seen.public_host} leads to {', '.join(seen.resolved)}"
    if _may_be_mapped(seen):
        return unknown(
            f"{leads}, which no interface has: behind address translation this cannot be told from inside",
            has,
            needs=f"a look from outside: {LOOK_OUTSIDE}",
        )
    return fail(f"{leads}, and that is not this host", has, remedy=remedy)


def _may_be_mapped(seen: Address) -> bool:
    """Return True if all addresses here are private and no cloud tells which public one it maps to them."""
    return not seen.metadata and all(any(ipaddress.ip_address(own) in net for net in _NAT) for own in seen.own)


@check("port-moved", "reach", of="deployment")
def port_moved(facts: Facts) -> Finding:
    """Claim: the port has not moved away from callers lately. Does not prove: that the applet dials this port: compare exotelctl
    url.
    """
    moved = facts.deployment.get().moved
    if not moved:
        return ok("the same port for a week, or since the first deploy")
    text = "Correct the URL in the applet. This is told for a week; that the applet is right cannot be seen from here."
    return warn(moved, remedy=Remedy(text, (URL,)))


@check("tls-on-plain", "reach")
def tls_on_plain(facts: Facts) -> Finding:
    """Claim: nobody speaks TLS to this port, which has none. Does not prove: that the applet's URL is right otherwise."""
    look = (URL, of_last_hour("EVENT=refused", "REASON=tls"))
    if config_of(facts):
        text = "Only programs of this host reach this port: one of them takes it for the edge's, which speaks TLS."
        return _refused(facts, ("tls",), "came with a TLS ClientHello past the edge", Remedy(text, look))
    remedy = Remedy(
        "The applet's URL says wss:// where it has to say ws://, or TLS must be put in front of this port: exotel_ws_edge: true "
        "does, and makes the URL wss://. From an address that is not Exotel's it is a scanner.",
        look,
    )
    return _refused(facts, ("tls",), "came with a TLS ClientHello: its URL says wss://", remedy)


@check("wrong-path", "reach")
def wrong_path(facts: Facts) -> Finding:
    """Claim: streams come to a path that is served. Does not prove: that the path is secret."""
    served = ", ".join(facts.deployment.get().paths) or "any path"
    text = f"Served: {served}. Correct the path in the applet's URL, or exotel_ws_paths."
    remedy = deploy(text, URL, of_last_hour("EVENT=refused", "REASON=path"))
    return _refused(facts, ("path",), "asked for a path that is not served", remedy)


@check("proxy-in-front", "reach")
def proxy_in_front(facts: Facts) -> Finding:
    """Claim: no proxy in front takes from a WebSocket's request what makes it one. Does not prove: that a proxy lets a call last:
    lost-calls tells.
    """
    reasons = ("upgrade_lost", "http_version", "proxy_protocol")
    server, edge = _by_server(facts, reasons), refused_by_edge(facts, "upgrade_lost")
    remedy = Remedy(
        "A proxy or load balancer in front has to speak HTTP/1.1 to this port, pass on Upgrade and Connection (nginx: "
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade), "
        "and send no PROXY protocol.",
        refusals_of(edge, server, *(f"REASON={reason}" for reason in reasons)),
    )
    says = "came through a proxy that dropped Upgrade, speaks HTTP/1.0 or sends the PROXY protocol"
    return _judged(facts, [*server, *edge], says, remedy)


@check("bad-handshake", "reach")
def bad_handshake(facts: Facts) -> Finding:
    """Claim: requests for a WebSocket are well-formed. Does not prove: that what is sent afterwards is."""
    remedy = Remedy(
        "The reason is in each line. From Exotel's address, ask Exotel; from your own client or proxy, mend its request; from "
        "an address that you do not know it is a scanner.",
        ("exotelctl logs --event refused --since -1h", TEST_HERE),
    )
    reasons = ("bad_handshake", "head_too_big", "target_too_long")
    return _refused(facts, reasons, "sent a malformed request for a WebSocket", remedy)


def _refused(facts: Facts, reasons: Sequence[str], says: str, remedy: Remedy) -> Finding:
    """Judge whom the server refused for one of ``reasons``."""
    return _judged(facts, _by_server(facts, reasons), says, remedy)


def _by_server(facts: Facts, reasons: Sequence[str]) -> list[Refused]:
    return [refused for refused in facts.calls.get().refusals if refused.reason in reasons and refused.detail != RETIRED]


def _judged(facts: Facts, found: Sequence[Refused], says: str, remedy: Remedy) -> Finding:
    if not found:
        return ok("none did in the window")
    bad = sorted(found, key=lambda refused: refused.at)
    ago = duration(max(0.0, facts.collected_at - bad[-1].at))
    evidence = [f"the last from {bad[-1].remote or 'an address that was not told'}, {ago} ago"]
    return graded(times(bad), times(facts.calls.get().started), f"{plural(len(bad), 'connection')} {says}", evidence, remedy)


@check("arrivals", "reach")
def arrivals(facts: Facts) -> Finding:
    """Claim: connections from outside arrive. Does not prove: that none is lost on the way."""
    calls = facts.calls.get()
    last = calls.last_arrival
    ago = "none since the journal begins" if last is None else f"the last one came {duration(facts.collected_at - last)} ago"
    if not calls.outside:
        return skipped("no call in the window: nothing to judge", ago)
    return ok(f"{plural(len(calls.outside), 'connection')}, {plural(len(calls.started), 'call')}; {ago}")
