"""Check the edge's certificate: its time, its names, its chain, that HAProxy has loaded it, and that it is renewed."""

import time
from typing import Final

from exotel_phone.command import command
from exotel_phone.text import duration, plural

from exotelctl.doctor.checks.cures import DEPLOY, lines_of
from exotelctl.doctor.checks.edge import EDGE
from exotelctl.doctor.checks.edged import edge_check
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.edge import EdgeFacts
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.doctor.result import Finding, Remedy, fail, ok, skipped, unknown, warn
from exotelctl.edge.certificate import EXPIRED, NOT_YET_VALID, SELF_SIGNED, VALID, Certificate, Served, breaks
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.renewal import Job

_RENEW: Final = "/etc/exotel-edge/acme renew"
_HOW: Final = {
    "acme": "by hand it is the first command below, which tells HAProxy too",
    "self_signed": "a deploy makes a new one",
    "files": "put the new files beside the inventory (edge_certificate_chain, edge_certificate_key) and deploy",
}


def _served(seen: EdgeFacts) -> Served:
    if seen.edge.served is None:
        raise NotSeen(f"no certificate was served: {seen.edge.no_served}")
    return seen.edge.served


def _renew(edge: EdgeConfig, text: str) -> Remedy:
    by_hand = (_RENEW,) if edge.acme else ()
    look = (EDGE, command("openssl", "x509", "-noout", "-text", "-in", edge.certificate_file))
    return Remedy(f"{text}: {_HOW[edge.certificate]}.", look, (*by_hand, DEPLOY))


def _now(facts: Facts) -> float:
    """Return the time, by the clock of the machine that looked from outside if one did: the host's own may be wrong."""
    return facts.outside.value.at if facts.outside and facts.outside.value else facts.collected_at


@edge_check("certificate-expiry")
def expiry(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: the certificate is good for 14 days, or a third of a shorter life. Does not prove: that it is renewed by then:
    certificate-renewal tells.
    """
    leaf = _served(seen).leaf
    soonest = min((leaf, *seen.edge.chain[1:]), key=lambda one: one.not_after)
    left_s = soonest.not_after - _now(facts)
    which = "the certificate" if soonest is leaf else f"the certificate of its issuer {soonest.subject}"
    until = f"{which} is good until {_day(soonest.not_after)}"
    if left_s <= 0:
        says = f"{which} expired {duration(-left_s)} ago: no caller connects"
        return fail(says, until, _issued(leaf), remedy=_renew(edge, "Renew it"))
    if left_s < soonest.alarm_s:
        says = f"{which} ends in {duration(left_s)}, and should have been renewed"
        return warn(says, until, _issued(leaf), remedy=_renew(edge, "Renew it before"))
    return ok(f"{until}, {duration(left_s)} from now", _issued(leaf))


@edge_check("certificate-name")
def name(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: the certificate is for every name of the edge. Does not prove: that the applet's URL has one of them."""
    leaf = _served(seen).leaf
    lacks = [domain for domain in edge.domains if not leaf.covers(domain)]
    has = f"it is for {', '.join(leaf.names) or 'no name at all'}"
    if not lacks:
        return ok(f"the certificate is for {', '.join(edge.domains)}", has)
    text = "A client refuses a certificate for another name. Issue one for every name of edge_domain"
    return fail(f"the certificate is not for {', '.join(lacks)}", has, _issued(leaf), remedy=_renew(edge, text))


@edge_check("certificate-chain")
def chain(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: the certificate leads by the chain that is served to an authority that this host trusts. Does not prove: that
    Exotel trusts the same ones.
    """
    served = _served(seen)
    leaf, own = served.leaf, seen.edge.chain
    verdict = f"OpenSSL's verdict: {served.said} ({served.code})"
    if served.code == SELF_SIGNED:
        if edge.certificate == "self_signed":
            return skipped("edge_certificate is self_signed: no authority vouches for it, which only clients that are told take")
        text = "The authority has not issued yet, or the chain that was installed is none"
        return fail("a self-signed certificate is served, which no client trusts", verdict, remedy=_renew(edge, text))
    if disorder := breaks(own):
        text = "The file must have the certificate first, then each issuer in turn"
        return fail(f"the chain in {edge.certificate_file} is out of order: {disorder}", verdict, remedy=_renew(edge, text))
    if served.code in (VALID, EXPIRED, NOT_YET_VALID):  # of which the last two are told by other checks
        return ok(f"the chain of {plural(len(own), 'certificate')} leads to {(own[-1] if own else leaf).issuer}", verdict)
    if not own:
        return unknown(f"the chain leads to no trusted authority, and the file was not read: {seen.edge.no_chain}", verdict)
    if len(own) == 1:
        text = "Install the whole chain (certbot's fullchain.pem), not the certificate alone"
        says = f"the chain is incomplete: only the certificate is served, without its issuer {leaf.issuer}"
        return fail(says, verdict, remedy=_renew(edge, text))
    text = "Exotel needs a public authority. For clients of your own that know this one it is right"
    return warn(f"the chain leads to {own[-1].issuer}, which this host does not trust", verdict, remedy=_renew(edge, text))


@edge_check("certificate-loaded")
def loaded(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: HAProxy serves the certificate that is in its file. Does not prove: that this is the newest one that was issued."""
    if not seen.edge.chain:
        raise NotSeen(seen.edge.no_chain, seen.edge.needs)
    leaf, of_file = _served(seen).leaf, seen.edge.chain[0]
    issued = seen.edge.renewal.issued if seen.edge.renewal else None
    if issued and issued.fingerprint != of_file.fingerprint and issued.not_after > of_file.not_after:
        return fail(
            "the authority issued a newer certificate, which was not installed: certbot's hook failed",
            f"issued: serial {issued.serial}, good until {_day(issued.not_after)}",
            f"in {edge.certificate_file}: serial {of_file.serial}, good until {_day(of_file.not_after)}",
            remedy=Remedy("A deploy installs it, or says why it can't.", (EDGE, lines_of("certbot")), (DEPLOY,)),
        )
    if leaf.fingerprint == of_file.fingerprint:
        return ok("what is served is what is in the file", f"serial {leaf.serial}, {edge.certificate_file}")
    remedy = Remedy(
        "Somebody changed one without the other: the file without telling HAProxy (then a reload, which cuts no call, serves "
        "it), or HAProxy without the file (then the next reload brings the old one back). First look which is the right one.",
        (EDGE, command("openssl", "x509", "-noout", "-subject", "-dates", "-serial", "-in", edge.certificate_file)),
        ("systemctl reload haproxy", DEPLOY),
    )
    memory = seen.edge.inside.loaded if seen.edge.inside else None
    return fail(
        "HAProxy serves another certificate than the one in its file",
        f"served: serial {leaf.serial}, good until {_day(leaf.not_after)}",
        *([f"in HAProxy's memory for that file: serial {memory.serial}, good until {memory.not_after}"] if memory else []),
        f"in {edge.certificate_file}: serial {of_file.serial}, good until {_day(of_file.not_after)}",
        remedy=remedy,
    )


@edge_check("certificate-clock")
def clock(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: by this host's clock the certificate has begun, and another machine's clock judges it alike. Does not prove: that
    the clock is right: clock does.
    """
    leaf, here = _served(seen).leaf, facts.clock.get().now
    remedy = Remedy(
        "Set the clock right first: with a wrong one neither renewal nor a provider's certificate works. If the clock is right, "
        "the certificate was made by a machine whose clock is ahead.",
        ("timedatectl", command("openssl", "x509", "-noout", "-dates", "-in", edge.certificate_file)),
        ("timedatectl set-ntp true",),
    )
    dates = f"the certificate is good from {_day(leaf.not_before)} to {_day(leaf.not_after)}"
    if here < leaf.not_before:
        says = f"by this host's clock, {_day(here)}, the certificate begins only in {duration(leaf.not_before - here)}"
        return fail(says, dates, remedy=remedy)
    elsewhere = _now(facts)
    if _within(leaf, here) != _within(leaf, elsewhere):
        says = f"by this host's clock, {_day(here)}, the certificate is {'good' if _within(leaf, here) else 'not good'}, "
        return fail(f"{says}by another machine's, {_day(elsewhere)}, it is otherwise", dates, remedy=remedy)
    return ok(f"by this host's clock the certificate began {duration(here - leaf.not_before)} ago", dates)


@edge_check("certificate-renewal", acme=True)
def renewal(facts: Facts, seen: EdgeFacts, edge: EdgeConfig) -> Finding:
    """Claim: the renewal's timer runs, and neither its last run nor the last rehearsal failed. Does not prove: that the next run
    succeeds: the rehearsal does once a month.
    """
    if seen.edge.renewal is None or seen.edge.renewal.real is None:
        raise NotSeen("systemd did not tell of the renewal's timer")
    real, rehearsal, rehearsed = seen.edge.renewal.real, seen.edge.renewal.rehearsal, seen.edge.renewal.rehearsed
    remedy = Remedy(
        "Read why. A name that leads elsewhere, port 80 closed, or a limit of the authority are the usual causes. A rehearsal "
        "asks the authority without using up its limits.",
        (
            command("systemctl", "list-timers", f"{real.name}.timer"),
            command("journalctl", "-u", f"{real.name}.service", "-n", 50),
            "cat /var/lib/exotel-edge/rehearsal.json",
        ),
        ("/etc/exotel-edge/acme rehearse", command("systemctl", "enable", "--now", f"{real.name}.timer"), DEPLOY),
    )
    ran = [_told(job) for job in (real, rehearsal) if job]
    if not real.alive:
        says = f"nothing renews the certificate: {real.name}.timer is {real.timer}, {real.enabled or 'not enabled'}"
        return fail(says, *ran, remedy=remedy)
    if real.failed:
        return fail(f"the last renewal failed: {real.name}.service ended with {real.result or real.service}", *ran, remedy=remedy)
    if rehearsed and rehearsed.reason:
        ago = duration(max(0.0, facts.collected_at - rehearsed.at))
        return warn(f"the last rehearsal of the renewal failed, {ago} ago: {rehearsed.reason}", *ran, remedy=remedy)
    if rehearsal and rehearsal.failed:
        says = f"the last rehearsal of the renewal failed: {rehearsal.name}.service ended with {rehearsal.result}"
        return warn(says, *ran, remedy=remedy)
    if rehearsal and not rehearsal.alive:
        return warn(f"nothing rehearses the renewal: {rehearsal.name}.timer is {rehearsal.timer}", *ran, remedy=remedy)
    return ok(f"{real.name}.timer runs next at {real.next or 'a time that systemd does not tell'}", *ran)


def _told(job: Job) -> str:
    return f"{job.name}: last run {job.last or 'not yet'}, {job.result or 'no result'}"


def _within(leaf: Certificate, now: float) -> bool:
    return leaf.not_before <= now <= leaf.not_after


def _issued(leaf: Certificate) -> str:
    return f"{leaf.subject or 'no subject'}, issued by {leaf.issuer}, serial {leaf.serial}"


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
