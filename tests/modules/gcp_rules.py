"""Possible firewall rules, as options of the module, for properties that hold for all of them."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import strategies as st


def entry(protocol: str, *ports: str) -> dict[str, Any]:
    return {"protocol": protocol, "ports": list(ports)}


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda ends: f"{min(ends)}-{max(ends)}")
ENTRIES = st.lists(st.builds(entry, st.sampled_from(["tcp", "UDP", "132"]), PORTS, PORTS), min_size=1, max_size=4)


def ranges(version: int) -> st.SearchStrategy[list[str]]:
    kind: Any = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    bits = 32 if version == 4 else 128
    one = st.tuples(st.integers(0, 2**bits - 1), st.integers(0, bits)).map(lambda pair: str(kind(pair, strict=False)))
    return st.lists(one, max_size=4)


@st.composite
def rules(draw: st.DrawFn, project: str) -> dict[str, Any]:
    """Draw all options of a rule in `project` with the networks default and vpc, except for the other action."""
    version, inbound, tags = draw(st.sampled_from([4, 6])), draw(st.booleans()), draw(st.booleans())
    who = st.lists(NAMES if tags else NAMES.map(lambda name: f"{name}@p.iam.gserviceaccount.com"), max_size=3)
    kind = "tags" if tags else "service_accounts"
    logging = st.sampled_from([{"enabled": False}, {"enabled": True}, {"enabled": True, "metadata": "EXCLUDE_ALL_METADATA"}])
    return {
        draw(st.sampled_from(["allowed", "denied"])): draw(ENTRIES),
        "description": draw(st.text(max_size=20)),
        "network": draw(st.sampled_from(["default", "global/networks/vpc", f"projects/{project}/global/networks/vpc"])),
        "direction": "INGRESS" if inbound else "EGRESS",
        "priority": draw(st.integers(0, 65535)),
        "disabled": draw(st.booleans()),
        "source_ranges": draw(ranges(version)),
        "destination_ranges": draw(ranges(version)),
        "source_tags": [],
        "target_tags": [],
        "source_service_accounts": [],
        "target_service_accounts": [],
        f"source_{kind}": draw(who) if inbound else [],
        f"target_{kind}": draw(who),
        "logging": draw(logging),
    }
