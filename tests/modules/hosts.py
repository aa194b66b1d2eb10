"""HostFacts of hosts in the situations a deploy meets, for tables."""

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.exotel.voicebot.plugins.module_utils import toml
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Content, Generation
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SHUTDOWN, SOCKET, TEMPLATE, unit
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import UnitState

UNITS = {SOCKET: "socket", TEMPLATE: "template", SHUTDOWN: "shutdown"}
CONTENT = Content("r1", "settings", UNITS, 2, "0.0.0.0:8765")
ACTIVE = UnitState("active", "running")
DRAINING = UnitState("deactivating", "stop-sigterm")
FAILED = UnitState("failed", "failed")


def generation(name: str, content: Content = CONTENT, *, served: bool = True, rollback_of: str | None = None) -> Generation:
    return Generation(name, content, "t", "somebody", rollback_of, "t" if served else None)


def content(release: str = "r1", **changes: object) -> Content:
    return replace(CONTENT, release=release, **changes)  # type: ignore[arg-type]


def keyed(*keys: str, credential: str = "stream-credentials", **changes: object) -> Content:
    """Return a content that asks for one of `keys`; other secrets may be in `changes`."""
    others: Mapping[str, str] = changes.pop("credentials", {})  # type: ignore[assignment]
    settings = toml.dumps({"auth": {"required": True, "credential": credential}})
    texts = {**others, **({credential: "".join(f"{key}\n" for key in keys)} if keys else {})}
    return content(**{"settings": settings, "credentials": texts, **changes})  # type: ignore[arg-type]


def host(
    *generations: Generation, instances: Mapping[str, UnitState] | None = None, current: str | None = None, **changes: object
) -> HostFacts:
    """Return a healthy host where the last of `generations`, or `current`, serves; `instances` are there besides."""
    all_of_them = {one.id: one for one in generations}
    serving = all_of_them[current] if current else generations[-1]
    states = dict.fromkeys(serving.instances, ACTIVE) | dict(instances or {})
    facts = HostFacts(
        generations=all_of_them,
        current=serving.id,
        instances=states,
        socket=UnitState("active", "running"),
        enabled=frozenset({SOCKET, SHUTDOWN, *map(unit, serving.instances)}),
        links=frozenset(states),
        units=serving.content.units,
        point=serving.instances[0],
        releases=frozenset(one.content.release for one in generations),
    )
    return replace(facts, **changes)  # type: ignore[arg-type]
