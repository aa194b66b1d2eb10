"""Facts of a host with an edge on which nothing is wrong, for tests to spoil: `edged(served=…)` replaces one part."""

import dataclasses
from typing import Any

from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.edge import EdgeFacts
from exotelctl.doctor.facts.journal import Refused
from exotelctl.edge.certificate import Certificate, Served
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.facts import Edge, Inside, Loaded, Server, State
from exotelctl.edge.renewal import Job, Rehearsed, Renewal

from tests.unit.tools.doctor_facts import DEPLOYMENT, NOW, OUTSIDE, healthy

DAY = 86400.0
NAME = "voice.example.com"
CONFIG = EdgeConfig(domains=(NAME,), certificate="acme", keys_asked=True, known_connections=2000)
LEAF = Certificate(
    subject=f"CN={NAME}",
    issuer="CN=E7,O=Let's Encrypt,C=US",
    names=(NAME,),
    serial="0A1B",
    fingerprint="AA11",
    not_before=NOW - 30 * DAY,
    not_after=NOW + 60 * DAY,
)
ISSUER = Certificate("CN=E7,O=Let's Encrypt,C=US", "CN=ISRG Root X2", (), "0C", "BB22", NOW - 400 * DAY, NOW + 400 * DAY)
SERVED = Served(NAME, 0, "ok", "TLSv1.3", LEAF, 200)
SERVER = Server("voice", "voice", "UP", "L7OK 200", "127.0.0.1:8765")
CERTBOT = Server("certbot", "certbot", "no check", "", "127.0.0.1:302")
INSIDE = Inside("3.0.11", 12, 7, (SERVER, CERTBOT), (), 3, Loaded("0A1B", "AA11", "Jan 29 2027"), ())
RENEWS = Job("certbot", "active", "enabled", "inactive", "success", "Sun 2026-11-29 03:00:00 UTC", "Sun 2026-11-29 15:00:00 UTC")
REHEARSES = dataclasses.replace(RENEWS, name="exotel-edge-rehearsal")
STATE = State("active", "running", "success", 700, 0, "enabled", 7200.0)
EDGE = Edge(
    config=CONFIG,
    state=STATE,
    inside=INSIDE,
    chain=(LEAF, ISSUER),
    served=SERVED,
    http_status=404,
    renewal=Renewal(RENEWS, REHEARSES, Rehearsed(NOW - 9 * DAY, ""), LEAF),
)
BEHIND = dataclasses.replace(
    DEPLOYMENT, host="127.0.0.1", listen="127.0.0.1:8765", public_url=f"wss://{NAME}", asks_credential=True
)
OUTSIDE_EDGE = dataclasses.replace(OUTSIDE, url=f"wss://{NAME}", port=443, http_port=80)


def edged(*refusals: Refused, others: dict[str, Any] | None = None, lines: dict[str, Any] | None = None, **changes: Any) -> Facts:
    """Return a host with an edge; ``changes`` are parts of its `Edge`, ``lines`` of its `EdgeFacts`, ``others`` other facts."""
    seen = EdgeFacts(dataclasses.replace(EDGE, **changes), refusals, **(lines or {}))
    return healthy(**{"deployment": BEHIND, "edge": seen, **(others or {})})


def served(**changes: Any) -> dict[str, Any]:
    """Return what is served and in the file with another leaf."""
    leaf = dataclasses.replace(LEAF, **changes)
    return {"served": dataclasses.replace(SERVED, leaf=leaf), "chain": (leaf, ISSUER)}


def verdict(code: int, said: str, *chain: Certificate, **config: Any) -> dict[str, Any]:
    """Return what OpenSSL says of the chain ``chain``."""
    return {
        "served": dataclasses.replace(SERVED, code=code, said=said, leaf=chain[0]),
        "chain": chain,
        "config": dataclasses.replace(CONFIG, **config),
    }


def inside(**changes: Any) -> dict[str, Any]:
    """Return other answers of HAProxy."""
    return {"inside": dataclasses.replace(INSIDE, **changes)}
