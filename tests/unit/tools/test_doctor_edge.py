"""Checks of the edge, on saved facts: green on a healthy host, red for their own fault, skipped where there is no edge."""

import dataclasses
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from exotel_phone.reach import Fault
from exotelctl.doctor import bundle, checks
from exotelctl.doctor.checks.outside import not_connected
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.edge import EdgeFacts, Retired
from exotelctl.doctor.facts.fact import Fact
from exotelctl.doctor.facts.firewall import Firewall
from exotelctl.doctor.facts.host import Clock
from exotelctl.doctor.facts.journal import Refused
from exotelctl.doctor.facts.units import Units
from exotelctl.doctor.result import Result
from exotelctl.edge import log
from exotelctl.edge.facts import Edge, Full, OldWorker, PutOut
from exotelctl.edge.renewal import Rehearsed, Renewal

from tests.unit.tools.doctor_edge_facts import (
    BEHIND,
    CONFIG,
    DAY,
    EDGE,
    INSIDE,
    ISSUER,
    LEAF,
    OUTSIDE_EDGE,
    REHEARSES,
    RENEWS,
    SERVED,
    SERVER,
    STATE,
    edged,
    inside,
    served,
    verdict,
)
from tests.unit.tools.doctor_facts import NOW, OUTSIDE, call, calls, healthy, unit
from tests.unit.tools.test_doctor_checks import DOWN, UNITS, drop, results
from tests.unit.tools.test_edge_log import HANDSHAKE, HTTP, line

OF_EDGE = {check.id for check in checks.ALL if check.group == "edge"}
CALLER = "203.0.113.9"
STRANGER = "192.0.2.77"
OF_AI = {"provider", "encoding", "ended-report"}
"""Checks that look at AI mode alone."""
SELF = replace(LEAF, issuer=LEAF.subject)
assert EDGE.renewal is not None
RENEWAL = EDGE.renewal
OLD = tuple(OldWorker(pid, 600.0, 3) for pid in range(4))


def by_edge(reason: str, remote: str = STRANGER, ago: float = 9.0) -> Refused:
    return Refused(NOW - ago, reason, remote=remote)


def down(**changes: Any) -> dict[str, Any]:
    """Return an edge that does not answer."""
    no = {"inside": None, "no_inside": "there is no socket", "served": None, "no_served": "nothing takes connections on port 443"}
    return {**no, "http_status": 0, "no_http": "refused", "state": replace(STATE, **changes)}


def no_server() -> dict[str, Any]:
    return inside(servers=(replace(SERVER, status="DOWN", check="L4CON Connection refused"),)) | {
        "served": replace(SERVED, health=503)
    }


FAULTS: dict[str, tuple[str, str, Facts, str]] = {
    "stopped": ("edge-down", "fail", edged(**down(active="inactive", sub="dead")), "haproxy.service is inactive (dead) for 2 h"),
    "failed": ("edge-down", "fail", edged(**down(active="failed", sub="failed", result="exit-code")), "failed, exit-code"),
    "not installed": ("edge-down", "fail", edged(**down(active="not installed", sub="")), "is not installed"),
    "draining": ("edge-down", "fail", edged(**down(active="deactivating", sub="stop-sigterm")), "drains for 2 h"),
    "active without a port": ("edge-down", "fail", edged(**down()), "is active, but nothing takes connections on port 443"),
    "no TLS at the port": (
        "edge-down",
        "fail",
        edged(served=None, no_served="127.0.0.1:443: WRONG_VERSION_NUMBER"),
        "WRONG_VERSION_NUMBER",
    ),
    "disabled": ("edge-down", "fail", edged(state=replace(STATE, enabled="disabled")), "does not start at the next boot"),
    "no server": ("edge-backend", "fail", edged(**no_server()), "finds no server at 127.0.0.1:8765: DOWN"),
    "server elsewhere": (
        "edge-backend",
        "fail",
        edged(others={"deployment": replace(BEHIND, port=9000)}),
        "looks for the server at 127.0.0.1:8765, and it is deployed to port 9000",
    ),
    "nothing passed on": ("edge-backend", "fail", edged(served=replace(SERVED, health=0)), "gives no answer"),
    "old workers": ("edge-workers", "warn", edged(**inside(old=OLD)), "4 old workers"),
    "a caller put out": (
        "edge-put-out",
        "fail",
        edged(**inside(put_out=(PutOut(CALLER, "rate", 31, 4.0),))),
        "203.0.113.9 is put out: it opened 31 connections in 10 s (a stranger may open 30), and it makes calls",
    ),
    "a proven source put out": (
        "edge-put-out",
        "fail",
        edged(**inside(put_out=(PutOut(STRANGER, "keys", 12, 500.0, proven=True),))),
        "192.0.2.77 is put out: it showed 12 bad keys in 10 minutes (the limit is 10), and it makes calls",
    ),
    "a network put out, of which one calls": (
        "edge-put-out",
        "fail",
        edged(
            **inside(put_out=(PutOut("2001:db8:1:2::", "rate", 31, 4.0),)),
            others={"calls": calls(call(remote="2001:db8:1:2::77"))},
        ),
        "2001:db8:1:2:: is put out",
    ),
    "a stranger put out": (
        "edge-put-out",
        "warn",
        edged(**inside(put_out=(PutOut(STRANGER, "keys", 10, 500.0),))),
        "it made no call in the window",
    ),
    "a good source that has all it may": (
        "edge-put-out",
        "fail",
        edged(**inside(full=(Full(CALLER, 7, 1998),), put_out=(PutOut(STRANGER, "keys", 10, 500.0),))),
        "203.0.113.9 makes calls, and wants more connections than it may have: 7 connections refused in 10 minutes",
    ),
    "ws:// to the edge": ("plain-on-tls", "fail", edged(by_edge("plain_ws", CALLER)), "the URL says ws://"),
    "port 80 closed": (
        "acme-port",
        "fail",
        edged(http_status=0, no_http="127.0.0.1:80: Connection refused"),
        "port 80 gives no answer on this host",
    ),
    "port 80 dropped": (
        "acme-port",
        "fail",
        edged(others={"firewall": Firewall(1, (), drop(80))}),
        "tcp:80 does not get through this host's firewall: tcp dport 80 drop",
    ),
    "port 80 dropped by a cloud": (
        "acme-port",
        "fail",
        edged(others={"outside": replace(OUTSIDE_EDGE, http_fault=Fault("timeout", "voice.example.com:80 gave no answer", ""))}),
        "from outside: voice.example.com:80 gave no answer",
    ),
    "port 443 dropped": (
        "host-firewall",
        "fail",
        edged(others={"firewall": Firewall(1, (), drop(443))}),
        "tcp:443 does not get through",
    ),
    "expired": ("certificate-expiry", "fail", edged(**served(not_after=NOW - 60)), "expired 1 min 0 s ago"),
    "13 days": ("certificate-expiry", "warn", edged(**served(not_after=NOW + 13 * DAY)), "ends in 13 d 0 h"),
    "an issuer that expires": (
        "certificate-expiry",
        "warn",
        edged(chain=(LEAF, replace(ISSUER, not_after=NOW + DAY))),
        "the certificate of its issuer CN=E7",
    ),
    "six days, two left": (
        "certificate-expiry",
        "warn",
        edged(**served(not_before=NOW - 4.5 * DAY, not_after=NOW + 1.5 * DAY)),
        "ends in 1 d 12 h",
    ),
    "wrong name": ("certificate-name", "fail", edged(**served(names=("other.example.com",))), "is not for voice.example.com"),
    "one name of two": (
        "certificate-name",
        "fail",
        edged(config=replace(CONFIG, domains=("voice.example.com", "b.example.com"))),
        "is not for b.example.com",
    ),
    "no name": ("certificate-name", "fail", edged(**served(names=())), "is not for voice.example.com"),
    "incomplete": (
        "certificate-chain",
        "fail",
        edged(**verdict(20, "unable to get local issuer certificate", LEAF)),
        "only the certificate is served, without its issuer CN=E7",
    ),
    "out of order": (
        "certificate-chain",
        "fail",
        edged(**verdict(20, "unable to get local issuer certificate", LEAF, replace(ISSUER, subject="CN=R3"), ISSUER)),
        "out of order",
    ),
    "private authority": (
        "certificate-chain",
        "warn",
        edged(**verdict(20, "unable to get local issuer certificate", LEAF, ISSUER)),
        "leads to CN=ISRG Root X2, which this host does not trust",
    ),
    "nothing issued yet": (
        "certificate-chain",
        "fail",
        edged(**verdict(18, "self-signed certificate", SELF)),
        "a self-signed certificate is served",
    ),
    "file and runtime differ": (
        "certificate-loaded",
        "fail",
        edged(chain=(replace(LEAF, serial="0D", fingerprint="CC33"), ISSUER)),
        "serves another certificate than the one in its file",
    ),
    "not valid yet": (
        "certificate-clock",
        "fail",
        edged(**served(not_before=NOW + 7200)),
        "the certificate begins only in 2 h 0 min",
    ),
    "timer disabled": (
        "certificate-renewal",
        "fail",
        edged(renewal=Renewal(replace(RENEWS, enabled="disabled"), REHEARSES)),
        "nothing renews the certificate: certbot.timer is active, disabled",
    ),
    "timer stopped": (
        "certificate-renewal",
        "fail",
        edged(renewal=Renewal(replace(RENEWS, timer="inactive"), REHEARSES)),
        "certbot.timer is inactive",
    ),
    "no timer": (
        "certificate-renewal",
        "fail",
        edged(renewal=Renewal(replace(RENEWS, timer="not-found", enabled=""), REHEARSES)),
        "certbot.timer is not-found",
    ),
    "last renewal failed": (
        "certificate-renewal",
        "fail",
        edged(renewal=Renewal(replace(RENEWS, service="failed", result="exit-code"), REHEARSES)),
        "the last renewal failed: certbot.service ended with exit-code",
    ),
    "issued and not installed": (
        "certificate-loaded",
        "fail",
        edged(renewal=replace(RENEWAL, issued=replace(LEAF, fingerprint="DD44", not_after=LEAF.not_after + DAY))),
        "the authority issued a newer certificate, which was not installed",
    ),
    "last rehearsal failed, with a reason": (
        "certificate-renewal",
        "warn",
        edged(renewal=replace(RENEWAL, rehearsed=Rehearsed(NOW - 60, "the authority does not reach port 80"))),
        "the last rehearsal of the renewal failed, 1 min 0 s ago: the authority does not reach port 80",
    ),
    "last rehearsal failed": (
        "certificate-renewal",
        "warn",
        edged(renewal=Renewal(RENEWS, replace(REHEARSES, service="failed", result="exit-code"))),
        "the last rehearsal of the renewal failed",
    ),
    "nobody rehearses": (
        "certificate-renewal",
        "warn",
        edged(renewal=Renewal(RENEWS, replace(REHEARSES, timer="not-found"))),
        "nothing rehearses the renewal",
    ),
    "key stripped, told by the edge": ("token-stripped", "fail", edged(by_edge("key_missing", CALLER)), "no credential at all"),
    "wrong key, told by the edge": ("auth-rejected", "fail", edged(by_edge("key_wrong", CALLER)), "showed a wrong credential"),
    "retired key, told by the edge": (
        "key-retired",
        "fail",
        edged(by_edge("key_wrong", CALLER), lines={"proven": (CALLER,), "retired": (Retired("old", NOW - 600),)}),
        "1 stream showed a key that was retired",
    ),
    "Upgrade dropped before the edge": ("proxy-in-front", "fail", edged(by_edge("upgrade_lost", CALLER)), "dropped Upgrade"),
}


@pytest.mark.parametrize(("id", "grade", "facts", "says"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_edge_turns_its_own_check_red_and_no_other(id: str, grade: str, facts: Facts, says: str) -> None:
    found = results(facts)
    assert (found[id].verdict, says in found[id].says) == (grade, True), found[id].says
    assert found[id].remedy is not None
    assert {result.id for result in found.values() if result.verdict in ("fail", "warn")} == {id}
    assert {result.blocked_by for result in found.values()} <= {None, id}
    assert {result.id for result in found.values() if result.verdict == "unknown"} == set()


def test_each_check_of_the_edge_has_a_fault_here() -> None:
    assert {id for id, *_ in FAULTS.values()} >= OF_EDGE


def test_a_healthy_edge_has_no_finding() -> None:
    found = results(edged(others={"outside": OUTSIDE_EDGE}))
    assert {result.id: result.says for result in found.values() if result.verdict not in ("ok", "skipped")} == {}
    assert {result.id for result in found.values() if result.verdict == "skipped"} == OF_AI | {"cloud-firewall"}


@pytest.mark.parametrize("edge", [EdgeFacts(), None], ids=["no edge", "a release without edges"])
def test_without_an_edge_its_checks_are_skipped(edge: EdgeFacts | None) -> None:
    facts = dataclasses.replace(healthy(), edge=None) if edge is None else healthy(edge=edge)
    assert {results(facts)[id].verdict for id in OF_EDGE} == {"skipped"}


def test_what_renews_is_not_asked_where_nothing_is_renewed() -> None:
    found = results(edged(config=replace(CONFIG, certificate="files"), renewal=None, http_status=0))
    assert {id for id in OF_EDGE if found[id].verdict == "skipped"} == {"acme-port", "certificate-renewal"}


def test_a_self_signed_certificate_that_was_asked_for_is_no_fault() -> None:
    found = results(edged(**verdict(18, "self-signed certificate", SELF, certificate="self_signed")))
    assert found["certificate-chain"].verdict == "skipped"
    assert {result.id for result in found.values() if result.verdict in ("fail", "warn", "unknown")} == set()


def test_without_root_the_edge_is_unknown_and_says_so() -> None:
    found = results(
        edged(inside=None, no_inside="/run/haproxy/admin.sock answers root only", needs="root", chain=(), no_chain="root")
    )
    unknown = {result.id: result.needs for result in found.values() if result.verdict == "unknown"}
    assert unknown == dict.fromkeys(("edge-backend", "edge-workers", "edge-put-out", "certificate-loaded"), "root")


def test_the_edges_lines_that_may_not_be_read_make_its_refusals_unknown() -> None:
    facts = replace(edged(lines={"unread": "the journal may be read by root"}), as_root=False)
    found = results(facts)
    assert {result.id for result in found.values() if result.verdict == "unknown"} == {
        "plain-on-tls",
        "proxy-in-front",
        "token-stripped",
        "auth-rejected",
        "key-retired",
    }


def test_a_master_without_a_socket_makes_old_workers_unknown() -> None:
    assert results(edged(**inside(old=None)))["edge-workers"].verdict == "unknown"


def test_few_old_workers_are_as_it_should_be() -> None:
    found = results(edged(**inside(old=OLD[:3])))["edge-workers"]
    assert (found.verdict, found.says) == ("ok", "3 old workers that end with their last call")


def test_a_server_that_is_down_explains_an_edge_without_server() -> None:
    units = Units(tuple(unit(name, **DOWN) for name in UNITS), ())
    found = results(edged(**no_server(), others={"units": units}))
    assert (found["unit-down"].verdict, found["edge-backend"].blocked_by) == ("fail", "unit-down")


def test_what_keeps_a_certificate_from_renewal_explains_its_end() -> None:
    failed = Renewal(replace(RENEWS, service="failed", result="exit-code"), REHEARSES)
    found = results(edged(**served(not_after=NOW + DAY), renewal=failed, http_status=0))
    assert found["acme-port"].verdict == "fail"
    assert (found["certificate-renewal"].blocked_by, found["certificate-expiry"].blocked_by) == (
        "acme-port",
        "certificate-renewal",
    )


def test_a_clock_that_is_off_explains_a_certificate_that_seems_to_have_expired() -> None:
    late = NOW + 90 * DAY
    facts = replace(edged(others={"clock": Clock(late, False, ""), "outside": OUTSIDE_EDGE}), collected_at=late)
    found = results(facts)
    assert found["certificate-expiry"].verdict == "ok"
    assert (found["clock"].verdict, found["certificate-clock"].blocked_by) == ("fail", "clock")
    assert "by another machine's" in found["certificate-clock"].says


def test_a_certificate_that_no_client_takes_explains_a_failed_look_from_outside() -> None:
    assert OUTSIDE_EDGE.answers is not None
    trouble = replace(OUTSIDE_EDGE.answers.health, trouble=Fault("tls", "TLS with voice.example.com failed: expired", ""))
    outside = replace(OUTSIDE_EDGE, answers=replace(OUTSIDE_EDGE.answers, health=trouble))
    found = results(edged(**served(not_after=NOW - 60), others={"outside": outside}))
    assert (found["certificate-expiry"].verdict, found["outside-reach"].blocked_by) == ("fail", "certificate-expiry")


def test_the_port_behind_an_edge_may_be_closed_to_the_outside() -> None:
    found = results(edged(others={"firewall": Firewall(1, (), drop(8765))}))
    assert found["host-firewall"].verdict == "ok"
    assert "tcp:443" in found["host-firewall"].says


def test_where_an_edge_may_be_in_front_and_was_not_seen_the_firewall_is_unknown() -> None:
    found = results(healthy(deployment=BEHIND, edge=Fact(missing="edge.json: not JSON")))
    assert (found["host-firewall"].verdict, found["host-firewall"].says) == ("unknown", "edge.json: not JSON")


def test_strangers_with_wrong_keys_after_a_rotation_show_no_retired_one() -> None:
    lines = {"proven": (CALLER,), "retired": (Retired("old", NOW - 600),)}
    before = edged(by_edge("key_wrong", CALLER, ago=700.0), lines=lines)
    another = edged(by_edge("key_wrong", STRANGER), lines=lines)
    for facts, graded in ((before, "fail"), (another, "warn")):
        found = results(facts)
        assert (found["key-retired"].verdict, found["auth-rejected"].verdict) == ("ok", graded)


OF_SCANNERS: Final = {"token-stripped": "key_missing", "auth-rejected": "key_wrong", "plain-on-tls": "plain_ws"}


@pytest.mark.parametrize(("id", "reason"), OF_SCANNERS.items())
def test_what_a_scanner_does_at_the_edge_is_a_warning(id: str, reason: str) -> None:
    many = [by_edge(reason, f"198.51.100.{number}", ago=number) for number in range(1, 60)]
    found = results(edged(*many))[id]
    assert (found.verdict, found.evidence[-1]) == ("warn", "none from an address that makes calls: scanners do this")


@pytest.mark.parametrize(("id", "reason"), OF_SCANNERS.items())
def test_a_callers_mistake_at_the_edge_is_red_beside_scanners(id: str, reason: str) -> None:
    many = [by_edge(reason, f"198.51.100.{number}", ago=number) for number in range(1, 60)]
    called = edged(*many, by_edge(reason, CALLER, ago=0.5))
    earlier = edged(*many, by_edge(reason, STRANGER, ago=0.5), lines={"proven": (STRANGER,)})
    for facts in (called, earlier):
        found = results(facts)[id]
        assert (found.verdict, found.evidence[-1]) == ("fail", "1 from addresses that make calls")


@pytest.mark.parametrize(("id", "reason"), OF_SCANNERS.items())
def test_before_anybody_connected_any_refusal_may_be_the_first_callers(id: str, reason: str) -> None:
    assert results(edged(by_edge(reason), others={"calls": calls()}))[id].verdict == "fail"


@pytest.mark.parametrize(("id", "detail"), [("token-stripped", "missing"), ("auth-rejected", "wrong")])
def test_without_an_edge_a_stream_without_its_key_is_red(id: str, detail: str) -> None:
    refused = Refused(NOW - 9, "credentials", detail, remote=STRANGER)
    assert results(healthy(calls=calls(call(), refusals=(refused,))))[id].verdict == "fail"


EDGES: Final = "exotelctl logs --edge --since -1h | grep -E "
SERVERS: Final = "journalctl --namespace=+exotel-ws EVENT=refused "
ROTATED = {"proven": (CALLER,), "retired": (Retired("old", NOW - 600),)}
LOOKS: dict[str, tuple[str, Sequence[Refused], Sequence[Refused], Sequence[str]]] = {
    "no key, at the edge": ("token-stripped", [by_edge("key_missing")], [], [f"{EDGES}reason=key_missing"]),
    "no key, past the edge": (
        "token-stripped",
        [],
        [Refused(NOW - 9, "credentials", "missing")],
        [f"{SERVERS}REASON=credentials DETAIL=missing --since -1h"],
    ),
    "a wrong key, at both": (
        "auth-rejected",
        [by_edge("key_wrong")],
        [Refused(NOW - 9, "credentials", "wrong")],
        [f"{EDGES}reason=key_wrong", f"{SERVERS}REASON=credentials DETAIL=wrong --since -1h"],
    ),
    "a wrong key at the server, and a retired one at the edge": (
        "auth-rejected",
        [by_edge("key_wrong", CALLER)],
        [Refused(NOW - 9, "credentials", "wrong")],
        [f"{SERVERS}REASON=credentials DETAIL=wrong --since -1h"],
    ),
    "a retired key, at the edge": ("key-retired", [by_edge("key_wrong", CALLER)], [], [f"{EDGES}reason=key_wrong"]),
    "a retired key in the path, at the server": (
        "key-retired",
        [],
        [Refused(NOW - 9, "path", "retired")],
        [f"{SERVERS}DETAIL=retired --since -1h"],
    ),
    "Upgrade dropped before the edge": ("proxy-in-front", [by_edge("upgrade_lost")], [], [f"{EDGES}reason=upgrade_lost"]),
    "HTTP/1.0 past the edge": (
        "proxy-in-front",
        [],
        [Refused(NOW - 9, "http_version")],
        [f"{SERVERS}REASON=upgrade_lost REASON=http_version REASON=proxy_protocol --since -1h"],
    ),
    "ws:// to the edge": ("plain-on-tls", [by_edge("plain_ws")], [], [f"{EDGES}'reason=plain_ws|error=167772316'"]),
}


@pytest.mark.parametrize(("id", "edges", "servers", "commands"), LOOKS.values(), ids=LOOKS)
def test_refusals_are_shown_by_the_one_that_refused(
    id: str, edges: Sequence[Refused], servers: Sequence[Refused], commands: Sequence[str]
) -> None:
    facts = edged(*edges, lines=ROTATED, others={"calls": calls(call(), refusals=tuple(servers))})
    remedy = results(facts)[id].remedy
    assert remedy is not None
    assert [text for text in remedy.safe_commands if "logs --edge" in text or "journalctl" in text] == list(commands)


@pytest.mark.parametrize("reason", ["key_missing", "key_wrong", "upgrade_lost", "plain_ws"])
def test_the_command_that_is_told_finds_the_edges_lines(reason: str) -> None:
    """Run what a command pipes the edge's lines to, over lines of every kind."""
    said = [line(reason=each) for each in ("-", "key_missing", "key_wrong", "upgrade_lost", "plain_ws")]
    said += [HANDSHAKE.format(HTTP), HANDSHAKE.format(0x0A000412)]
    wanted = [text for text in said if (seen := log.parse(0.0, text)) and seen.reason == reason]
    remedies = [result.remedy for result in results(edged(by_edge(reason))).values() if result.remedy]
    [piped] = [text.removeprefix(EDGES) for one in remedies for text in one.safe_commands if text.startswith(EDGES)]
    done = subprocess.run(["sh", "-c", f"grep -E {piped}"], input="\n".join(said), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == wanted


def test_an_edge_that_was_stopped_is_started_and_one_that_failed_is_looked_at_first() -> None:
    stopped, failed = (results(FAULTS[fault][2])["edge-down"].remedy for fault in ("stopped", "failed"))
    assert stopped is not None
    assert failed is not None
    assert "somebody stopped it" in stopped.text
    assert stopped.risky_commands == ()
    assert "Read why" in failed.text
    assert any("haproxy -c" in command for command in failed.safe_commands)
    assert stopped.safe_commands[-1] == failed.safe_commands[-1] == "systemctl start haproxy.service"


REFUSED = replace(OUTSIDE_EDGE, answers=None, connect=Fault("refused", "voice.example.com refused the connection", "look"))


def test_an_edge_that_is_down_is_why_it_is_not_reached() -> None:
    facts = edged(**down(active="inactive", sub="dead"), lines={"words": ("Server voice/voice is DOWN",)})
    found = not_connected(facts, REFUSED, REFUSED.connect)
    assert found.says == "voice.example.com refused the connection: haproxy.service is inactive (dead) for 2 h 0 min"
    assert found.evidence == ("Server voice/voice is DOWN",)
    assert found.remedy == results(facts)["edge-down"].remedy


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (edged(), "refused"),
        (edged(state=replace(STATE, enabled="disabled")), "refused"),
        (edged(**down(active="inactive", sub="dead")), "unreachable"),
    ],
    ids=["it takes connections", "it is only disabled", "no route"],
)
def test_an_edge_that_takes_connections_is_not_why(facts: Facts, kind: str) -> None:
    found = not_connected(facts, REFUSED, replace(REFUSED.connect, kind=kind))
    assert found.says == REFUSED.connect.cause
    said = " ".join(found.evidence)
    assert "the host answers itself, " in said
    assert "the server listens on" not in said
    assert "exotel_ws_public_host" not in said


def test_a_source_that_is_put_out_is_let_in_by_the_command_that_is_told() -> None:
    remedy = results(FAULTS["a caller put out"][2])["edge-put-out"].remedy
    assert remedy is not None
    assert remedy.safe_commands[-1] == f"exotelctl edge admit {CALLER}"
    assert remedy.risky_commands == ()


def test_the_connections_of_a_source_that_has_all_it_may_are_shown_by_the_command_that_is_told() -> None:
    remedy = results(FAULTS["a good source that has all it may"][2])["edge-put-out"].remedy
    assert remedy is not None
    assert remedy.safe_commands[-1] == f"ss -Htn 'sport = :443 and dst {CALLER}'"


def test_tls_past_the_edge_is_no_callers_fault() -> None:
    found: Result = results(edged(others={"calls": calls(call(), refusals=(Refused(NOW - 9, "tls", remote="127.0.0.1"),))}))[
        "tls-on-plain"
    ]
    assert "past the edge" in found.says


def test_without_an_edge_the_cure_of_wss_names_it() -> None:
    remedy = results(healthy(calls=calls(call(), refusals=(Refused(NOW - 9, "tls"),))))["tls-on-plain"].remedy
    assert remedy is not None
    assert "exotel_ws_edge: true" in remedy.text


def test_a_bundle_of_an_edge_is_judged_alike(tmp_path: Path) -> None:
    facts = edged(by_edge("key_wrong"), **inside(put_out=(PutOut(STRANGER, "keys", 10, 500.0),), old=OLD))
    bundle.write(tmp_path / "out.tar", facts, tmp_path)
    assert bundle.read(tmp_path / "out.tar") == facts


def test_a_bundle_of_before_there_was_an_edge_is_read(tmp_path: Path) -> None:
    facts = dataclasses.replace(healthy(), outside=Fact(OUTSIDE, at=NOW, ms=1.0), edge=None)
    bundle.write(tmp_path / "out.tar", facts, tmp_path)
    assert bundle.read(tmp_path / "out.tar").edge is None


def test_the_edge_of_a_look_that_saw_nothing_of_it_is_empty() -> None:
    assert EdgeFacts().edge == Edge()
    assert (EDGE.inside, INSIDE.for_calls) == (INSIDE, (SERVER,))
