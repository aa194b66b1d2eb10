"""Facts of a host on which nothing is wrong, for tests to spoil: `healthy(port=…)` replaces one fact by another."""

import dataclasses
from typing import Any

from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.address import Address
from exotelctl.doctor.facts.call import Answers, Echo, Http
from exotelctl.doctor.facts.cloud import Cloud
from exotelctl.doctor.facts.deployment import Deployment
from exotelctl.doctor.facts.edge import EdgeFacts
from exotelctl.doctor.facts.fact import Fact
from exotelctl.doctor.facts.firewall import Firewall
from exotelctl.doctor.facts.host import Clock, FileSystem, Memory
from exotelctl.doctor.facts.journal import Calls, Conn
from exotelctl.doctor.facts.log import HOST_JOURNALD, WORKERS_JOURNALD, Log
from exotelctl.doctor.facts.outside import Outside
from exotelctl.doctor.facts.port import Holder, Listener, Port
from exotelctl.doctor.facts.units import Units
from exotelctl.doctor.facts.workers import Worker
from exotelctl.units import Unit

NOW = 1_795_600_000.0
GENERATION = "20261125T102706-1a67a886"
WORKERS = [f"{GENERATION}-1", f"{GENERATION}-2"]
UNITS = ["exotel-ws.socket", *(f"exotel-ws@{worker}.service" for worker in WORKERS)]
HEALTH = '{"status":"ok","service":"exotel-passthrough","mode":"echo"}'

DEPLOYMENT = Deployment(
    generation=GENERATION,
    release="0.1.0-aaaa",
    workers=2,
    created="2026-11-25T10:27:06Z",
    listen="0.0.0.0:8765",
    public_url="ws://198.51.100.7:8765",
    socket_points_to=WORKERS[0],
    enabled=tuple(UNITS),
)
SYSTEMD = Holder(1, "/sbin/init", "root", "exotel-ws.socket", 9000.0, "sleeping", (77,), True)
WORKER = Holder(42, "exotel-ws serve", "exotel-ws", UNITS[1], 900.0, "sleeping", (77,), True)
STRANGER = Holder(4242, "node server.js", "deploy", "", 260_000.0, "sleeping", (88,), False)
PORT = Port(8765, (Listener("0.0.0.0:8765", 77, 0),), (SYSTEMD, WORKER), True)
ECHO = Echo(frames_sent=50, frames_received=50, bytes_received=16_000, bit_exact=True, round_trip_ms=0.5)
ANSWERS = Answers("ws://127.0.0.1:8765", Http(200, HEALTH, 1.0), Http(200, '{"status":"ready"}', 1.0), ECHO)
OUTSIDE = Outside(NOW + 1, "ws://198.51.100.7:8765", 8765, ("198.51.100.7",), answers=ANSWERS, protocol_checks=18)
CLOUD = Cloud(
    reachable="yes",
    text="tcp:8765 is allowed by rule allow-exotel-ws, priority 1000",
    obstacles=(),
    doubts=(),
    rules=("VPC rules: rule allow-exotel-ws, priority 1000, allow, from 0.0.0.0/0 to tcp:8765",),
    project="my-project",
    instance="voice-1",
    zone="asia-south1-a",
    addresses=("198.51.100.7", "10.160.0.2"),
)
ROOM = FileSystem(("/",), 10 << 30, 5 << 30, 1000, 900, False)


def unit(name: str, **changes: Any) -> Unit:
    """Return a unit that has been active for an hour."""
    return dataclasses.replace(
        Unit(name, "active", "running", "success", 0 if "@" not in name else 42, 0, 3600.0, "S"), **changes
    )


def call(at: float = NOW - 60, **changes: Any) -> Conn:
    """Return a good call of Exotel's, of ten seconds."""
    conn = Conn(
        id=f"conn_{at:.0f}",
        at=at,
        remote="203.0.113.9",
        call_sid="a950c8dabf743862c3dd740e082a1a4r",
        started=True,
        rate="8000",
        ended="stop",
        code=1006,
        duration_ms=10_000,
        frames_in=500,
        frames_out=500,
    )
    return dataclasses.replace(conn, **changes)


def calls(*connections: Conn, **changes: Any) -> Calls:
    """Return the journal's entries of these connections."""
    arrived = max((conn.at for conn in connections), default=None)
    seen = Calls(NOW - 3600, connections, (), (), first_entry=NOW - 9e5, first_deploy=NOW - 9e5, last_arrival=arrived)
    return dataclasses.replace(seen, **changes)


LOG = Log("exotelctl-call-1", True, True, states=((HOST_JOURNALD, "active"), (WORKERS_JOURNALD, "active")))
VALUES: dict[str, Any] = {
    "deployment": DEPLOYMENT,
    "units": Units(tuple(map(unit, UNITS)), ()),
    "port": PORT,
    "workers": [Worker(worker, answer_ms=2.0, pid=42, files=20, files_limit=65536) for worker in WORKERS],
    "calls": calls(call()),
    "loopback": ANSWERS,
    "log": LOG,
    "firewall": Firewall(0, ()),
    "file_systems": [ROOM],
    "memory": Memory(8 << 30, 4 << 30, "the machine's memory"),
    "clock": Clock(NOW, True, ""),
    "edge": EdgeFacts(),
    "address": Address("198.51.100.7", ("198.51.100.7",), "", ("198.51.100.7",)),
}


def healthy(**changes: Any) -> Facts:
    """Return a host without fault, with ``changes``: values of facts by name, or a whole `Fact` for an unseen one."""
    elsewhere = {name: changes.pop(name, None) for name in ("outside", "cloud")}
    facts = {name: _seen(value) for name, value in (VALUES | changes).items()}
    return Facts(
        hostname="voice-1",
        as_root=True,
        collected_at=NOW,
        since=NOW - 3600,
        **facts,
        **{name: None if fact is None else _seen(fact) for name, fact in elsewhere.items()},
    )


def _seen(value: Any) -> Fact[Any]:
    return value if isinstance(value, Fact) else Fact(value, at=NOW, ms=1.0)
