"""Judge whether the edge can be deployed to a host, by the facts of the role's script. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LEAST_VERSION = (2, 4)
_UNIT = "haproxy.service"


def edge_readiness(facts: Mapping[str, Any], ports: Mapping[str, int]) -> dict[str, Any]:
    """Return the `version` of HAProxy, installed or to be installed, and the `problems` with their cures.

    `facts` are those of ``facts.sh`` of the role ``edge``, `ports` what is to be listened on, by the names of the variables. A
    version that is not known before its package lists are fetched is an empty text.
    """
    version = str(facts["version"] or facts["candidate"] or "")
    problems = [*_service(facts)]
    if version and _numbers(version) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        problems.append(
            f"HAProxy is {version} here, but {least} is needed: upgrade the distribution, or set exotel_ws_edge: false"
        )
    for name, port in ports.items():
        for holder in (facts["holders"] or {}).get(port) or ():
            if not (holder["unit"] == _UNIT and facts["ours"]):
                problems.append(f"port {port} is held by {_told(holder)}: {_cure(holder)}, or set {name} to another port")
    return {"version": version, "problems": problems}


def _service(facts: Mapping[str, Any]) -> list[str]:
    if facts["ours"]:
        if facts["state"] == "deactivating":
            return [
                "HAProxy is being stopped and finishes its calls, so that it cannot start again before they end: wait for that "
                "(systemctl is-active haproxy says inactive then, or active after a restart), "
                "or cut them: systemctl kill --signal=SIGTERM haproxy"
            ]
        return []
    if facts["state"] in ("active", "activating", "reloading", "deactivating") and not facts["untouched"]:
        return [
            "a HAProxy with a configuration of somebody else runs as haproxy.service, and the edge needs that service: move "
            "what it serves elsewhere (systemctl disable --now haproxy), or set exotel_ws_edge: false and let it pass wss on"
        ]
    return []


def _told(holder: Mapping[str, Any]) -> str:
    unit = f", {holder['unit']}" if str(holder["unit"]).endswith((".service", ".socket")) else ""
    return f"{holder['name']} (pid {holder['pid']}{unit})"


def _cure(holder: Mapping[str, Any]) -> str:
    if holder["pid"] == 1:
        return "stop that socket (systemctl list-sockets shows which)"
    if str(holder["unit"]).endswith(".service") and not str(holder["unit"]).startswith("user@"):
        return f"stop it (systemctl disable --now {holder['unit']})"
    return "end it"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
