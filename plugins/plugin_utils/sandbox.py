"""Decide what the sandbox of the server's unit lets a worker do, by the server's settings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .generation_parts import bots
from .reachable_networks import reachable_networks

RECORDS = "/var/lib/exotel-ws/calls"
"""Directory of recorded calls, as the server's own default."""

SPOOL = "/var/lib/exotel-ws/ended"
"""Directory of what is to be told of ended calls, likewise."""

_EMBEDDED = {"embedded"}
_NO_RULES: dict[str, Any] = {"deny": [], "allow": [], "relay": "", "resolv_conf": ""}


def sandbox(
    settings: Mapping[str, Any], resolv_conf: str = "", networks: Iterable[str] = (), memory_mb: int = 0
) -> dict[str, Any]:
    """Return `needs_network`, `network`, `record_directory`, `spool_directory` and `memory_mb` for the unit of a worker.

    `settings` is the table of ``settings.toml``, `resolv_conf` the text of the host's file, `networks` those that may be
    reached besides, `memory_mb` a bound that goes before the computed one. `network` has the rules of `reachable_networks`, all
    empty if no service needs a network. `record_directory` is empty if nothing of calls is recorded, `spool_directory` if
    nobody is told of ended calls.
    """
    ai = settings.get("ai") or {} if settings["mode"] == "ai" else {}
    needs = _services(ai) != _EMBEDDED or any(ai.get(name) for name in ("webhook_url", "start_url", "ended_url", "tools"))
    record = ai.get("record") or {}
    records = record.get("transcripts") or record.get("audio")
    return {
        "needs_network": needs,
        "network": reachable_networks(resolv_conf, ai, networks) if needs else _NO_RULES,
        "record_directory": record.get("directory", RECORDS) if records else "",
        "spool_directory": (ai.get("spool") or {}).get("directory", SPOOL) if ai.get("ended_url") else "",
        "memory_mb": memory_mb or _memory_mb(settings, ai),
    }


def _services(ai: Mapping[str, Any]) -> set[str]:
    """Return the services that listen, decide and speak, of all bots; a setting names one, or several to fail over to."""
    roles = ("stt", "llm", "tts")
    own = [bot[role] for bot in bots(ai).values() for role in roles if bot.get(role)]
    named = [*(ai.get(role, "embedded") for role in roles), *own]
    return {service for names in named for service in (names if isinstance(names, list) else [names])}


def _memory_mb(settings: Mapping[str, Any], ai: Mapping[str, Any]) -> int:
    # AI: the models take 400 MB, a call 15. Echo: a worker takes 35 MB, a call 40 kB, and 1 MB if a caller sends all it may.
    if settings["mode"] == "ai":
        return 1024 + 40 * int(ai.get("max_calls", 25))
    return 256 + int(settings["limits"]["max_calls"])
