"""Every check, on saved facts: green on a healthy host, red for its own fault, unknown where it could not look."""

from dataclasses import replace
from typing import Any

import pytest
from exotel_phone.reach import Fault
from exotelctl.doctor import checks
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.address import Address
from exotelctl.doctor.facts.call import Answers, Echo, Http
from exotelctl.doctor.facts.fact import Fact
from exotelctl.doctor.facts.firewall import Firewall
from exotelctl.doctor.facts.host import Clock, FileSystem, Memory
from exotelctl.doctor.facts.journal import Bound, Calls, Refused, Reported
from exotelctl.doctor.facts.log import HOST_JOURNALD, WORKERS_JOURNALD, Silence
from exotelctl.doctor.facts.outside import Broken, Outside
from exotelctl.doctor.facts.port import Listener, Port
from exotelctl.doctor.facts.units import Line, Units
from exotelctl.doctor.facts.workers import LiveCall, Worker
from exotelctl.doctor.result import Result

from tests.unit.tools.doctor_facts import (
    ANSWERS,
    CLOUD,
    DEPLOYMENT,
    ECHO,
    GENERATION,
    LOG,
    NOW,
    OUTSIDE,
    PORT,
    ROOM,
    STRANGER,
    SYSTEMD,
    UNITS,
    VALUES,
    WORKERS,
    call,
    calls,
    healthy,
    unit,
)

DENIED = replace(CLOUD, reachable="no", text="tcp:8765 is denied by rule block-all, priority 900")
QUOTA = "💥 tts (deepgram): 402, the quota is used up"
TIMEOUT = Fault("timeout", "198.51.100.7:8765 gave no answer within 5 s", "")
SILENT = Worker(WORKERS[0], silent="1.sock does not answer: timed out", pid=42, files=20, files_limit=65536)


def results(facts: Facts) -> dict[str, Result]:
    found = checks.judge(facts)
    assert [result.id for result in found] == list(checks.IDS), "every check exactly once"
    return {result.id: result for result in found}


def failing_unit(*texts: str, at: float = NOW - 1, **changes: Any) -> Units:
    """Return facts with the first worker in an automatic restart, with these last lines."""
    state = {"active": "activating", "sub": "auto-restart", "result": "exit-code", "pid": 0, "changed_s": 0.1, **changes}
    lines = tuple(Line(at, UNITS[1], text) for text in texts)
    return Units((unit(UNITS[0]), unit(UNITS[1], **state), unit(UNITS[2])), lines)


def socket_failed(*texts: str) -> Units:
    lines = tuple(Line(NOW - 5, UNITS[0], text) for text in texts)
    return Units((unit(UNITS[0], active="failed", sub="failed", result="resources"), *map(unit, UNITS[1:])), lines)


def with_unit(number: int, **changes: Any) -> Units:
    return Units(tuple(unit(name, **(changes if index == number else {})) for index, name in enumerate(UNITS)), ())


def with_worker(**changes: Any) -> list[Worker]:
    first, *others = VALUES["workers"]
    return [replace(first, **changes), *others]


def refused(reason: str, detail: str = "", count: int = 1) -> dict[str, Any]:
    found = tuple(Refused(NOW - 9, reason, detail, "203.0.113.9") for _ in range(count))
    return {"calls": calls(refusals=found), "deployment": replace(DEPLOYMENT, asks_credential=True, paths=("/voice",))}


def answers(**changes: Any) -> dict[str, Any]:
    return {"loopback": replace(ANSWERS, **changes)}


def echo(**changes: Any) -> dict[str, Any]:
    return answers(echo=replace(ECHO, **changes))


def bot(**changes: Any) -> dict[str, Any]:
    """Return facts of a host in ai mode with the result of its simulated call, of which nothing is an echo."""
    spoken = replace(ECHO, bit_exact=False, difference=0, frames_received=9, frames_lost=41)
    health = Http(200, '{"status":"ok","service":"exotel-voicebot","mode":"ai"}')
    seen = replace(ANSWERS, health=health, echo=spoken)
    changed = replace(seen, echo=replace(spoken, **changes))
    return {
        "deployment": replace(DEPLOYMENT, mode="ai", max_calls=25),
        "loopback": changed,
        "outside": replace(OUTSIDE, answers=seen),
    }


def mute_outside() -> dict[str, Any]:
    found = bot(bytes_received=0)
    return {**bot(), "outside": replace(OUTSIDE, answers=found["loopback"])}


def drop(port: int) -> tuple[dict[str, Any], ...]:
    chain = {"family": "inet", "table": "f", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
    match = {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": port}
    rule = {"family": "inet", "table": "f", "chain": "in", "handle": 4, "expr": [{"match": match}, {"drop": None}]}
    return ({"chain": chain}, {"rule": rule})


def generation(name: str, **changes: Any) -> Units:
    return Units((*map(unit, UNITS), unit(f"exotel-ws@{name}-1.service", **changes)), ())


OLD = "20260101T000000-00000000"
DOWN = {"active": "inactive", "sub": "dead", "pid": 0}
MODULE = "ModuleNotFoundError: No module named 'picows'"
TRACE = '  File "/opt/r/exotel_ws/serve.py", line 12'

RED: dict[str, tuple[str, dict[str, Any], str]] = {
    "units that do not start at boot": (
        "boot",
        {"deployment": replace(DEPLOYMENT, enabled=("exotel-ws.socket", UNITS[1]))},
        f"not started at the next boot: {UNITS[2]}",
    ),
    "another program in our place": ("port-stranger", {"port": replace(PORT, holders=(STRANGER,))}, "node server.js"),
    "one beside us": (
        "port-two-listeners",
        {"port": Port(8765, (*PORT.listeners, Listener("[::]:8765", 88, 3)), (*PORT.holders, STRANGER), True)},
        "listens beside us",
    ),
    "one with our own socket": (
        "port-two-listeners",
        {"port": replace(PORT, holders=(*PORT.holders, replace(STRANGER, inodes=(77,))))},
        "holds our own listening socket",
    ),
    "another socket unit": (
        "port-stranger",
        {"port": replace(PORT, holders=(replace(SYSTEMD, unit="other.socket", ours=False),))},
        "pid 1",
    ),
    "bound without listening": (
        "port-stranger",
        {"port": Port(8765, (), (replace(STRANGER, holds="has bound 0.0.0.0:8765 and does not listen"),), True)},
        "pid 4242, node server.js, has bound 0.0.0.0:8765 and does not listen",
    ),
    "used by a client": (
        "port-stranger",
        {"port": Port(8765, (), (replace(STRANGER, holds="uses it for a connection, 10.0.0.2:8765 → 192.0.2.1:443"),), True)},
        "can't be bound",
    ),
    "bind failed": (
        "unit-port-conflict",
        {"units": socket_failed("exotel-ws.socket: Failed to create listening socket (0.0.0.0:8765): Address already in use")},
        "in use",
    ),
    "module": ("unit-missing-module", {"units": failing_unit("Traceback", MODULE)}, "picows"),
    "syntax": ("unit-syntax-error", {"units": failing_unit(TRACE, "SyntaxError: invalid syntax")}, "serve.py, line 12"),
    "settings": (
        "unit-settings-error",
        {"units": failing_unit('/etc/exotel-ws/x/settings.toml: unknown key "prot" (did you mean "port"?)')},
        "prot",
    ),
    "settings unreadable": (
        "unit-settings-error",
        {"deployment": replace(DEPLOYMENT, settings_problem="settings.toml: Invalid value (at line 4)")},
        "line 4",
    ),
    "credential file": (
        "unit-settings-error",
        {"units": failing_unit("x: Failed to set up credentials: Protocol error")},
        "cred",
    ),
    "oom": ("unit-out-of-memory", {"units": failing_unit("x: Failed with result 'oom-kill'.")}, "out of memory"),
    "no memory for a library": (
        "unit-out-of-memory",
        {"units": failing_unit("ImportError: /x.so: failed to map segment from shared object")},
        "out of memory",
    ),
    "stopped by hand": ("unit-down", {"units": with_unit(2, **DOWN)}, "inactive"),
    "crash of another kind": ("unit-down", {"units": failing_unit("RuntimeError: boo")}, "auto-restart"),
    "unit not loaded": ("unit-down", {"units": Units(tuple(map(unit, UNITS[:2])), ())}, "not running, nor loaded"),
    "nothing deployed": ("unit-down", {"deployment": replace(DEPLOYMENT, generation="")}, "nothing is deployed"),
    "stopped process": ("loop-hung", {"units": with_unit(1, process="T")}, "state T"),
    "silent worker": ("loop-hung", {"workers": [SILENT, VALUES["workers"][1]]}, "timed out"),
    "no admin socket": ("loop-hung", {"workers": VALUES["workers"][1:]}, "no admin socket"),
    "the watchdog barked": (
        "loop-hung",
        {"units": with_unit(1, active="deactivating", sub="stop-watchdog", result="watchdog")},
        "does not answer",
    ),
    "another service answers": ("local-answer", answers(health=Http(200, '{"status":"ok","mode":"echo"}')), "not this server"),
    "not healthy": ("local-answer", answers(health=Http(500, "oops")), "500"),
    "refused on loopback": ("local-answer", answers(health=Http(trouble=TIMEOUT), echo=None), "no answer"),
    "firewall": ("host-firewall", {"firewall": Firewall(1, (), drop(8765))}, "tcp dport 8765 drop"),
    "denied by Google": ("cloud-firewall", {"cloud": DENIED}, "denied by rule block-all, priority 900"),
    "denied by Google and unreachable": (
        "cloud-firewall",
        {"cloud": DENIED, "outside": replace(OUTSIDE, connect=TIMEOUT)},
        "denied by rule block-all, priority 900",
    ),
    "stopped": (
        "cloud-firewall",
        {"cloud": replace(CLOUD, reachable="no", text="instance voice-1 is TERMINATED", obstacles=("it is TERMINATED",))},
        "TERMINATED",
    ),
    "let in by Google, but unreachable": (
        "outside-reach",
        {"cloud": CLOUD, "outside": replace(OUTSIDE, connect=TIMEOUT)},
        "Google Cloud's firewall lets it in, so the address is another one's",
    ),
    "name": ("outside-reach", {"outside": Outside(NOW, "ws://a.example:8765", 8765, (), "Name not known")}, "does not resolve"),
    "cloud firewall": ("outside-reach", {"outside": replace(OUTSIDE, connect=TIMEOUT)}, "a cloud firewall drops it"),
    "refused from outside": (
        "outside-reach",
        {"outside": replace(OUTSIDE, connect=Fault("refused", "198.51.100.7:8765 refused the connection", ""))},
        "refused",
    ),
    "another server at the address": (
        "outside-reach",
        {"outside": replace(OUTSIDE, answers=Answers("u", Http(404, "<html>")))},
        "404",
    ),
    "protocol from outside": ("outside-reach", {"outside": replace(OUTSIDE, broken=(Broken("MARK", "no mark"),))}, "MARK"),
    "address of before": ("public-address", {"address": replace(VALUES["address"], resolved=("203.0.113.99",))}, "203.0.113.99"),
    "name without address": (
        "public-address",
        {"address": Address("voice.example", (), "Name or service not known", ("198.51.100.7",))},
        "does not resolve",
    ),
    "wss": ("tls-on-plain", refused("tls"), "ClientHello"),
    "path": ("wrong-path", refused("path"), "not served"),
    "Upgrade dropped": ("proxy-in-front", refused("upgrade_lost"), "dropped Upgrade"),
    "HTTP/1.0": ("proxy-in-front", refused("http_version"), "HTTP/1.0"),
    "PROXY protocol": ("proxy-in-front", refused("proxy_protocol"), "PROXY protocol"),
    "malformed": ("bad-handshake", refused("bad_handshake"), "malformed"),
    "a huge head": ("bad-handshake", refused("head_too_big"), "malformed"),
    "Stream applet": ("no-start", {"calls": calls(call(started=False, ended="no_start", frames_in=0, frames_out=0))}, "no start"),
    "silence": ("no-media", {"calls": calls(call(frames_in=0, frames_out=0))}, "no media"),
    "silence in a live call": (
        "no-media",
        {"calls": calls(), "workers": with_worker(calls=(LiveCall("sid", 9.0, 0, 0, False),))},
        "no media",
    ),
    "echo lost in calls": ("no-echo", {"calls": calls(call(frames_out=0))}, "sent none back"),
    "echo lost in the simulated call": ("no-echo", echo(bytes_received=0, bit_exact=False), "no audio back"),
    "echo altered": ("no-echo", echo(bit_exact=False, difference=4), "byte 4"),
    "a mute bot": ("no-echo", bot(bytes_received=0, frames_received=0), "the bot said nothing"),
    "a bot that hangs up": ("no-echo", bot(closed_early="the server closed the call with 1011"), "1011"),
    "a bot that is mute in calls": ("no-echo", bot() | {"calls": calls(call(frames_out=0))}, "sent none back"),
    "a mute bot from outside": ("outside-reach", mute_outside(), "the bot said nothing"),
    "a provider that fails": ("provider", bot() | {"calls": calls(call(failures=(QUOTA,)))}, QUOTA),
    "a provider that fails a simulated call": ("provider", bot() | {"calls": calls(call(own=True, failures=(QUOTA,)))}, QUOTA),
    "reports that were dropped": (
        "ended-report",
        bot() | {"calls": calls(call(), reports=(Reported(NOW - 9, "sent"), Reported(NOW - 8, "dropped", "the spool is full")))},
        "the spool is full",
    ),
    "a system that takes no report": (
        "ended-report",
        bot() | {"calls": calls(call(), reports=(Reported(NOW - 9, "failed", "ClientConnectorError"),))},
        "ClientConnectorError",
    ),
    "camelCase": ("wrong-fields", echo(faults=("a message without stream_sid",), fault_count=50), "stream_sid"),
    "cut at once": ("short-calls", {"calls": calls(*(call(NOW - n, duration_ms=400) for n in range(3)))}, "3 of 3"),
    "without media": ("short-calls", {"calls": calls(*(call(NOW - n, ended="no_media") for n in range(3)))}, "3 of them"),
    "closed by us": ("short-calls", {"calls": calls(*(call(NOW - n, ended="closed_by_server") for n in range(3)))}, "3 of them"),
    "no stop": ("lost-calls", {"calls": calls(call(ended="no_stop"))}, "without stop"),
    "rate": ("sample-rate", {"calls": calls(call(faults=("rate_mismatch",), rate_asked="16000"))}, "16000"),
    "a codec that no bot decodes": (
        "encoding",
        bot() | {"calls": calls(call(faults=("unsupported_encoding",), ended="closed_by_server", code=1003))},
        "can't decode",
    ),
    "another encoding than start says": (
        "encoding",
        bot() | {"calls": calls(call(faults=("encoding_mismatch",)))},
        "has another",
    ),
    "stripped": ("token-stripped", refused("credentials", "missing"), "no credential"),
    "wrong token": ("auth-rejected", refused("credentials", "wrong"), "wrong credential"),
    "retired token": ("key-retired", refused("credentials", "retired"), "was retired"),
    "retired token in the path": ("key-retired", refused("path", "retired"), "was retired"),
    "full": ("call-limit", refused("full"), "turned away"),
    "full at start": ("call-limit", {"calls": calls(call(code=1013))}, "turned away"),
    "a bound that a caller felt": (
        "bounds",
        {"calls": calls(call(remote="203.0.113.9"), bounds=(Bound(NOW - 9, "message_rate", "203.0.113.9"),))},
        "callers may have felt",
    ),
    "a bound that all felt": (
        "bounds",
        {"calls": calls(call(), bounds=(Bound(NOW - 9, "unproven_total", "192.0.2.1", 5),))},
        "5 times",
    ),
    "a bound that a caller felt by IPv6": (
        "bounds",
        {"calls": calls(call(remote="2001:db8::7"), bounds=(Bound(NOW - 9, "barred", "2001:db8::/64"),))},
        "callers may have felt",
    ),
    "files": ("file-limit", {"workers": with_worker(files=900, files_limit=1024)}, "900 of 1024"),
    "EMFILE": (
        "file-limit",
        {"calls": calls(call(), errors=(Line(NOW - 5, UNITS[1], "Traceback\nOSError: [Errno 24] Too many open files"),))},
        "too many open files",
    ),
    "memory": ("memory", {"memory": Memory(8 << 30, 100 << 20, "the machine's memory")}, "100 of 8192"),
    "clock": ("clock", {"clock": Clock(NOW, False, "")}, "no time service"),
    "clock ahead": ("clock", {"clock": Clock(NOW + 100, None, "lxc"), "outside": OUTSIDE}, "ahead"),
    "clock behind": ("clock", {"clock": Clock(NOW - 100, True, ""), "outside": OUTSIDE}, "behind"),
    "full disk": ("disk", {"file_systems": [replace(ROOM, free=100 << 20)]}, "100 MiB"),
    "last bytes of a large disk": ("disk", {"file_systems": [replace(ROOM, size=1 << 40, free=99 << 20)]}, "99 MiB"),
    "inodes": ("disk", {"file_systems": [replace(ROOM, inodes_free=3)]}, "inodes"),
    "read-only": ("disk", {"file_systems": [ROOM, replace(ROOM, paths=("/tmp",), read_only=True)]}, "/tmp: it is read-only"),
    "suppressed": ("journal", {"calls": calls(call(), suppressed=("Suppressed 76 messages from exotel-ws@x",))}, "Suppressed 76"),
    "journal too short": ("journal", {"calls": calls(call(), first_entry=NOW - 600)}, "begins at"),
    "journald of the workers stopped": (
        "journal",
        {"log": replace(LOG, call_written=False, states=((HOST_JOURNALD, "active"), (WORKERS_JOURNALD, "inactive")))},
        "the server's journal: it is stopped",
    ),
    "Storage=none": ("journal", {"log": replace(LOG, call_written=False, store_nothing=(WORKERS_JOURNALD,))}, "Storage=none"),
    "files of the journal deleted": ("journal", {"log": replace(LOG, call_written=False, mark_written=False)}, "the host's"),
    "journald of the host stopped": ("journal", {"log": replace(LOG, mark_written=False)}, "into the host's journal"),
    "a worker whose calls were not logged": (
        "journal",
        {"log": replace(LOG, call_sid="", call_written=False, silent=(Silence(f"{GENERATION}-1", 3, NOW - 600),))},
        "the server's",
    ),
    "socket points elsewhere": ("generations", {"deployment": replace(DEPLOYMENT, socket_points_to=f"{OLD}-1")}, OLD),
    "stray": (
        "generations",
        {"units": generation(OLD), "workers": [*VALUES["workers"], Worker(f"{OLD}-1", answer_ms=1.0)]},
        "not current",
    ),
    "failed generation": ("generations", {"units": generation(OLD, active="failed", pid=0)}, "failed"),
    "drain without end": ("generations", {"units": generation(OLD, active="deactivating", changed_s=9e3)}, "drains"),
}


@pytest.mark.parametrize(("id", "changes", "says"), RED.values(), ids=RED)
def test_a_fault_turns_its_own_check_red_and_no_other(id: str, changes: dict[str, Any], says: str) -> None:
    found = results(healthy(**changes))
    assert found[id].verdict == "fail"
    assert says in found[id].says
    assert found[id].remedy is not None
    assert found[id].runbook == f"docs/runbook.md#{id}"
    assert {result.id for result in found.values() if result.verdict in ("fail", "warn")} == {id}
    assert {result.blocked_by for result in found.values()} <= {None, id}


def test_each_check_has_a_fault_here() -> None:
    """Each check has a fault here, but for those that only warn; those of the edge have theirs in test_doctor_edge.py."""
    of_edge = {check.id for check in checks.ALL if check.group == "edge"}
    assert {id for id, _, _ in RED.values()} == set(checks.IDS) - {"arrivals", "maintenance", "port-moved"} - of_edge


def test_a_maintenance_is_told_and_explains_what_is_down() -> None:
    deployment = replace(DEPLOYMENT, maintenance="in maintenance since 8, by me: disk swap", enabled=())
    found = results(healthy(deployment=deployment, units=Units(tuple(unit(name, **DOWN) for name in UNITS), ())))
    assert found["maintenance"].verdict == "warn"
    assert found["maintenance"].says == "the host is in maintenance since 8, by me: disk swap"
    assert found["unit-down"].blocked_by == "maintenance"
    assert {result.id for result in found.values() if result.verdict == "fail"} == set()


def test_a_port_that_moved_is_told() -> None:
    found = results(healthy(deployment=replace(DEPLOYMENT, moved="calls to port 8765 are refused since then")))
    assert (found["port-moved"].verdict, found["port-moved"].says) == ("warn", "calls to port 8765 are refused since then")


def test_a_healthy_host_has_no_finding() -> None:
    found = results(healthy(outside=OUTSIDE, cloud=CLOUD))
    assert {result.verdict for result in found.values()} == {"ok", "skipped"}
    assert {result.id for result in found.values() if result.verdict == "skipped"} == {
        "provider",
        "ended-report",
        "token-stripped",
        "auth-rejected",
        "encoding",
        "key-retired",
        *(check.id for check in checks.ALL if check.group == "edge"),
    }


def test_a_bound_that_only_strangers_felt_is_no_fault() -> None:
    bitten = (Bound(NOW - 9, "barred", "192.0.2.1", 7), Bound(NOW - 8, "barred", "192.0.2.2", 2, "limits.proxies"))
    found = results(healthy(calls=calls(call(), bounds=bitten)))["bounds"]
    assert (found.verdict, found.says) == ("ok", "9 times a bound bit, only on addresses that made no call")
    assert found.evidence == ("barred: 9 times, 192.0.2.1 7 of them",)


def test_who_fills_the_places_is_said() -> None:
    seen = refused("full") | {"workers": with_worker(crowd="192.0.2.1 holds 450 calls without media")}
    evidence = results(healthy(**seen))["call-limit"].evidence
    assert evidence == (f"{WORKERS[0]}: 192.0.2.1 holds 450 calls without media",)


def test_what_raises_a_bound_is_said() -> None:
    bitten = (Bound(NOW - 9, "message_rate", "203.0.113.9", 3, "limits.messages_s"),)
    remedy = results(healthy(calls=calls(call(), bounds=bitten)))["bounds"].remedy
    assert remedy is not None
    assert "raise limits.messages_s in exotel_ws_settings" in remedy.text


@pytest.mark.parametrize(
    ("bitten", "says"),
    [
        ([("log_lost", "")], "Lines were lost in the journal: see exotelctl doctor --check journal."),
        ([("log_lost", "the journal: see exotelctl doctor --check journal")], "Lines were lost in the journal: see exotelctl"),
        ([("files", "LimitNOFILE= of the unit")], "proxy in front: raise LimitNOFILE= of the unit, or name the proxy"),
        (
            [("files", "LimitNOFILE= of the unit"), ("message_rate", "limits.messages_per_s"), ("log_lost", "")],
            "raise limits.messages_per_s in exotel_ws_settings or LimitNOFILE= of the unit, or name the proxy in "
            "exotel_ws_proxies. Lines were lost in the journal",
        ),
    ],
)
def test_the_cure_of_a_bound_that_is_no_setting_of_the_server(bitten: list[tuple[str, str]], says: str) -> None:
    bounds = tuple(Bound(NOW - 9, name, "203.0.113.9", 3, raised_by) for name, raised_by in bitten)
    remedy = results(healthy(calls=calls(call(remote="203.0.113.9"), bounds=bounds)))["bounds"].remedy
    assert remedy is not None
    assert says in remedy.text
    assert "journal in exotel_ws_settings" not in remedy.text


def test_a_quiet_night_is_no_fault() -> None:
    found = results(healthy(calls=calls(last_arrival=NOW - 7200)))
    assert found["arrivals"].verdict == "skipped"
    assert found["arrivals"].evidence == ("the last one came 2 h 0 min ago",)
    assert {result.verdict for result in found.values()} == {"ok", "skipped"}


@pytest.mark.parametrize("name", VALUES)
def test_what_was_not_seen_is_unknown_and_says_why(name: str) -> None:
    found = results(healthy(**{name: Fact(missing="it may be read by root only", needs="root")}))
    for check in checks.ALL:
        result = found[check.id]
        if check.of == name:
            assert result.verdict == "unknown"
            assert "it may be read by root only" in result.says
            assert result.needs == "root"
        assert result.verdict != "fail"


def test_what_google_alone_can_tell_is_unknown_and_names_the_doubt() -> None:
    doubt = "rule 10 of the hierarchical policy corp denies countries KP, and only Google knows who that is"
    found = results(healthy(cloud=replace(CLOUD, reachable="unknown", text="tcp:8765 is perhaps reachable", doubts=(doubt,))))
    assert found["cloud-firewall"].verdict == "unknown"
    assert doubt in found["cloud-firewall"].evidence


def test_a_look_at_the_cloud_that_failed_is_unknown_and_stops_nothing() -> None:
    found = results(healthy(cloud=Fact(missing="it failed: no credentials"), outside=replace(OUTSIDE, connect=TIMEOUT)))
    assert (found["cloud-firewall"].verdict, found["cloud-firewall"].says) == ("unknown", "it failed: no credentials")
    assert found["outside-reach"].verdict == "fail"
    assert "a cloud firewall drops it" in found["outside-reach"].says
    assert "Google Cloud's firewall: it failed: no credentials" in found["outside-reach"].evidence


def test_what_is_wrong_with_the_instance_is_not_cured_by_a_rule() -> None:
    cures = [
        results(healthy(cloud=replace(DENIED, obstacles=obstacles)))["cloud-firewall"].remedy
        for obstacles in ((), ("it is TERMINATED",))
    ]
    assert [cure is not None and "ansible-playbook firewall.yml -i INVENTORY" in cure.risky_commands for cure in cures] == [
        True,
        False,
    ]


def test_a_check_that_crashes_is_unknown_and_not_gone() -> None:
    found = results(healthy(firewall=Firewall(1, (), ({"rule": {"no": "family"}},))))
    assert found["host-firewall"].verdict == "unknown"
    assert "KeyError" in found["host-firewall"].says


WARNED: dict[str, tuple[str, dict[str, Any]]] = {
    "a worker that crashed and serves again": ("unit-down", {"units": with_unit(1, restarts=2)}),
    "a fault that healed": (
        "unit-missing-module",
        {"units": Units(tuple(map(unit, UNITS)), (Line(NOW - 900, UNITS[1], MODULE),))},
    ),
    "some get through": ("cloud-firewall", {"cloud": replace(CLOUD, reachable="partly", text="tcp:8765 is allowed from")}),
    "a rule that an edge left": ("cloud-firewall", {"cloud": replace(CLOUD, leftovers=("allow-exotel-ws-acme of my-project",))}),
    "a scanner among many calls": (
        "tls-on-plain",
        {"calls": calls(*(call(NOW - n) for n in range(9)), refusals=(Refused(NOW - 99, "tls"),))},
    ),
    "one lost call of ten": ("lost-calls", {"calls": calls(*(call(NOW - n) for n in range(9)), call(NOW - 99, ended="no_stop"))}),
    "a provider that failed one call of ten": (
        "provider",
        bot() | {"calls": calls(*(call(NOW - n) for n in range(9)), call(NOW - 99, failures=(QUOTA,)))},
    ),
    "a system that was down for a while": (
        "ended-report",
        bot()
        | {
            "calls": calls(
                call(), reports=(Reported(NOW - 99, "failed", "HTTP 503"), *(Reported(NOW - n, "sent") for n in range(9)))
            )
        },
    ),
    "nearly full": ("call-limit", {"workers": with_worker(calls_live=450)}),
    "a bound that one of ten callers felt": (
        "bounds",
        {"calls": calls(*(call(NOW - n) for n in range(9)), bounds=(Bound(NOW - 99, "message_rate", "203.0.113.9"),))},
    ),
    "draining": ("local-answer", answers(ready=Http(503, '{"status":"draining"}'))),
    "slow": ("loop-hung", {"workers": [replace(worker, answer_ms=1500.0) for worker in VALUES["workers"]]}),
    "too many files an hour ago": (
        "file-limit",
        {"calls": calls(call(), errors=(Line(NOW - 3000, UNITS[1], "OSError: [Errno 24] Too many open files"),))},
    ),
}


@pytest.mark.parametrize(("id", "changes"), WARNED.values(), ids=WARNED)
def test_what_breaks_no_call_now_is_a_warning(id: str, changes: dict[str, Any]) -> None:
    found = results(healthy(**changes))
    assert {result.id: result.verdict for result in found.values() if result.verdict not in ("ok", "skipped")} == {id: "warn"}


def test_three_bad_calls_in_a_row_are_red_after_any_number_of_good_ones() -> None:
    good = [call(NOW - 100 - n) for n in range(99)]
    bad = [call(NOW - n, ended="no_stop") for n in range(3)]
    assert results(healthy(calls=calls(*good, *bad)))["lost-calls"].verdict == "fail"


def test_calls_of_this_tool_are_not_judged() -> None:
    bad = call(own=True, ended="no_stop", frames_in=0, frames_out=0, duration_ms=1, faults=("rate_mismatch",))
    found = results(healthy(calls=calls(bad, last_arrival=None)))
    assert {result.verdict for result in found.values()} == {"ok", "skipped"}


def test_a_start_that_was_refused_is_not_a_missing_start() -> None:
    conn = call(started=False, ended="no_start", code=1008)
    seen = calls(conn, refusals=(Refused(NOW, "credentials", "missing", conn_id=conn.id),))
    assert results(healthy(calls=seen))["no-start"].verdict == "ok"


def test_older_faults_do_not_explain_a_worker_that_was_up_since() -> None:
    units = failing_unit(MODULE, f"Started {UNITS[1]} - Exotel", "RuntimeError: boo")
    found = results(healthy(units=units))
    assert found["unit-missing-module"].verdict == "ok"
    assert found["unit-down"].verdict == "fail"


def test_a_crash_before_the_window_is_over() -> None:
    window_s = healthy().collected_at - healthy().since
    assert results(healthy(units=with_unit(1, restarts=1, changed_s=window_s - 1)))["unit-down"].verdict == "warn"
    assert results(healthy(units=with_unit(1, restarts=1, changed_s=window_s + 1)))["unit-down"].verdict == "ok"


def test_a_running_deploy_has_two_generations() -> None:
    deployment = replace(DEPLOYMENT, deploying=True)
    assert results(healthy(units=generation(OLD), deployment=deployment))["generations"].verdict == "skipped"


def test_behind_address_translation_the_public_address_is_unknown_from_inside() -> None:
    inside = Address("198.51.100.7", ("198.51.100.7",), "", ("10.0.0.4",))
    assert results(healthy(address=inside))["public-address"].verdict == "unknown"
    assert results(healthy(address=replace(inside, metadata="198.51.100.7")))["public-address"].verdict == "ok"
    assert results(healthy(address=replace(inside, metadata="198.51.100.8")))["public-address"].verdict == "fail"


@pytest.mark.parametrize(
    ("firewall", "says"),
    [
        (Firewall(2, (), unread="there is no command nft here", needs="nft"), "2 tables of nftables, and cannot be read"),
        (Firewall(None, ()), "does not say"),
    ],
)
def test_rules_that_cannot_be_read_are_unknown(firewall: Firewall, says: str) -> None:
    found = results(healthy(firewall=firewall))["host-firewall"]
    assert found.verdict == "unknown"
    assert says in found.says


def test_a_container_has_no_clock_of_its_own() -> None:
    assert results(healthy(clock=Clock(NOW, False, "systemd-nspawn")))["clock"].verdict == "skipped"


def test_a_small_file_system_is_full_by_its_share() -> None:
    small = FileSystem(("/run",), 64 << 20, 60 << 20, 0, 0, False)
    assert results(healthy(file_systems=[small]))["disk"].verdict == "ok"


@pytest.mark.parametrize("had", [calls(), calls(call())], ids=["no call in it", "a good call in it"])
def test_a_journal_that_keeps_nothing_makes_calls_unknown(had: Calls) -> None:
    """A journal that keeps nothing makes calls unknown: the report names the check with the reason, and never "no call"."""
    found = results(healthy(calls=had, log=replace(LOG, call_written=False)))
    assert found["journal"].verdict == "fail"
    blocked = {id for id, result in found.items() if result.blocked_by == "journal"}
    assert blocked >= {"no-start", "no-media", "short-calls", "arrivals", "bad-handshake", "call-limit", "bounds"}
    assert {found[id].verdict for id in blocked} == {"skipped"}
    assert "does not keep what is logged now" in found["no-start"].says
    assert not found["no-start"].needs


def test_the_hosts_journal_says_nothing_of_calls() -> None:
    found = results(healthy(log=replace(LOG, mark_written=False)))
    assert (found["journal"].verdict, found["no-start"].verdict) == ("fail", "ok")


def test_a_fault_that_was_still_logged_stays_a_fault() -> None:
    bad = [call(NOW - 60 - n, started=False, ended="no_start") for n in range(6)]
    assert results(healthy(calls=calls(*bad)))["no-start"].verdict == "fail"
    assert results(healthy(calls=calls(*bad), log=replace(LOG, call_written=False)))["no-start"].verdict == "fail"


def test_a_journal_not_proven_to_keep_lines_is_unknown() -> None:
    found = results(healthy(log=Fact(missing="looking at it took more than 8 s")))["journal"]
    assert (found.verdict, "took more than 8 s" in found.says) == ("unknown", True)


def test_the_cure_of_a_journal_names_its_unit() -> None:
    remedy = results(healthy(log=replace(LOG, call_written=False)))["journal"].remedy
    assert remedy is not None
    assert f"systemctl status {WORKERS_JOURNALD}" in remedy.safe_commands
    assert any(WORKERS_JOURNALD in command and "restart" in command for command in remedy.risky_commands)


def test_a_young_host_owes_no_older_journal() -> None:
    young = calls(call(), first_entry=NOW - 600, first_deploy=NOW - 590)
    assert results(healthy(calls=young))["journal"].verdict == "ok"


def test_sockets_without_a_visible_holder_may_be_anybodys() -> None:
    found = results(healthy(port=replace(PORT, holders=(), as_root=False)))
    assert (found["port-stranger"].verdict, found["port-stranger"].needs) == ("unknown", "root")


def test_root_is_told_the_capability_that_it_lacks() -> None:
    found = results(healthy(port=replace(PORT, holders=(), lacks=("CAP_SYS_PTRACE",))))["port-stranger"]
    assert (found.verdict, found.needs) == ("unknown", "CAP_SYS_PTRACE")
    assert "this root lacks CAP_SYS_PTRACE" in found.says


def test_a_simulated_call_that_no_module_allows_is_unknown() -> None:
    lacking = replace(ANSWERS, echo=Echo(trouble=Fault("no-phone", "exotelctl itself lacks a module", "")))
    found = results(healthy(loopback=lacking))
    assert found["no-echo"].verdict == found["wrong-fields"].verdict == "unknown"


def test_a_bot_that_speaks_is_no_fault() -> None:
    found = results(healthy(**bot()))
    assert {id: one.says for id, one in found.items() if one.verdict == "fail"} == {}
    assert "the bot spoke" in found["no-echo"].says
    assert "was spoken to" in found["outside-reach"].says


def test_a_command_to_copy_runs_nothing_that_a_caller_chose() -> None:
    remedy = results(healthy(calls=calls(call(ended="no_stop", call_sid="x; reboot"))))["lost-calls"].remedy
    assert remedy is not None
    assert remedy.safe_commands[0] == "exotelctl logs --call 'x; reboot'"


def test_a_unit_that_systemd_has_forgotten_is_not_told_to_be_down_since_the_boot() -> None:
    said = results(healthy(units=with_unit(2, **DOWN, changed_s=None)))["unit-down"].says
    assert said == f"{UNITS[2]} is inactive (dead)"


def test_a_journal_that_an_older_tool_did_not_prove_is_said_so() -> None:
    """A journal that an older tool did not prove is reported so: after a rollback the controller judges that tool's facts."""
    found = results(healthy(log=Fact(None, at=NOW, ms=0.0)))["journal"]
    assert found.verdict == "unknown"
    assert "of a release that does not look" in found.says
