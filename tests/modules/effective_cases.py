"""Firewall rules and policies as the Compute API tells them, for tests to put together."""

from __future__ import annotations

from typing import Any

NETWORK = "projects/p/global/networks/default"
LINK = f"https://www.googleapis.com/compute/v1/{NETWORK}"


def vpc(
    name: str, action: str = "allow", *, priority: int = 1000, ports: tuple[str, ...] = ("8765",), **fields: Any
) -> dict[str, Any]:
    """Return a VPC rule of ``network`` for tcp, by default from anywhere."""
    entries = [{"IPProtocol": "tcp", "ports": list(ports)}]
    kind = {"allow": "allowed", "deny": "denied"}[action]
    rule = {"name": name, "network": LINK, "direction": "INGRESS", "priority": priority, kind: entries}
    return {**rule, **({} if _has_source(fields) else {"sourceRanges": ["0.0.0.0/0"]}), **fields}


def _has_source(fields: dict[str, Any]) -> bool:
    return any(name.startswith("source") for name in fields)


def rule(priority: int, action: str, *, name: str = "", match: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a policy's rule for every port, by default from anywhere."""
    matcher = {"layer4Configs": [{"ipProtocol": "all"}], **(match or {"srcIpRanges": ["0.0.0.0/0"]})}
    named = {"ruleName": name} if name else {}
    return {"priority": priority, "action": action, "direction": "INGRESS", "match": matcher, **named, **fields}


def policy(kind: str, name: str, *rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a policy of the type ``kind`` (HIERARCHY, NETWORK …)."""
    return {"type": kind, "name": f"id-of-{name}", "shortName": name, "rules": list(rules), **fields}
