"""Read what ``exotelctl port-clean --json`` said of ports. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ANSWERED = (0, 1, 3)
"""Exit codes of the command with an answer: done, still held, refused."""
_BLOCKED = ("refused", "unseen", "still-held", "not-proven")


def port_report(result: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Return `answered`, `acts`, `signalled`, `ends`, `states` and `blocked`, as the filter ``port_report`` documents.

    Raises ValueError, KeyError or TypeError for an answer in another form.
    """
    answered = result.get("rc", -1) in _ANSWERED
    said = json.loads(str(result.get("stdout") or "{}")) if answered else {}
    if not isinstance(said, dict):
        raise TypeError("it is no mapping")
    ports = said.get("ports", [said]) if said else []
    return {
        "answered": answered,
        "acts": any(port["plan"] == "act" for port in ports),
        "signalled": any(ending["signals"] for port in ports for ending in port["endings"]),
        "ends": [_end(port, holder) for port in ports for holder in port["holders"] if holder["action"] == "end"],
        "states": [_state(port) for port in ports],
        "blocked": [
            _blocked(port) for port in ports if port["plan" if dry_run else "verdict"] in _BLOCKED and not port["only_ours"]
        ],
    }


def _end(port: Mapping[str, Any], holder: Mapping[str, Any]) -> dict[str, Any]:
    outcomes = [ending["outcome"] for ending in port["endings"] if ending["pid"] == holder["pid"]]
    return {
        "port": port["port"],
        "pid": holder["pid"],
        "text": f"{holder['name']} (user {holder['user']}, {int(holder['age_s'] or 0)} s old): {holder['why']}",
        "outcome": "".join(f" → {outcome}" for outcome in outcomes),
    }


def _state(port: Mapping[str, Any]) -> str:
    said = ". ".join(text for text in (port["reason"], port["proof"]) if text)
    return f"port {port['port']}: {'ours' if port['only_ours'] else port['verdict']}. {said}".rstrip()


def _blocked(port: Mapping[str, Any]) -> dict[str, Any]:
    why = port["reason"] or port["proof"] or port["verdict"]
    lines = [f"Port {port['port']} is still held: {why}."]
    for holder in port["still_held_by"] or port["holders"]:
        if holder["action"] != "keep":
            instead = f" Type instead: {holder['instead']}" if holder["instead"] else ""
            lines.append(f"pid {holder['pid']}, {holder['name']}: {holder['why']}.{instead}")
    refused = [holder["instead"] for holder in port["holders"] if holder["action"] == "refuse" and holder["instead"]]
    return {"port": port["port"], "why": why, "instead": "; ".join(dict.fromkeys(refused)), "text": "\n".join(lines)}
