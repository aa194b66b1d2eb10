"""Decide what a deploy, a rollback or a restart does. Pure functions: facts in, steps out; nothing here touches the host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import toml
from .generation import Content, Generation, new_generation
from .generation_keys import back_to, same_but_keys, without_keys
from .maintenance import Maintenance
from .paths import SHARED_CREDENTIALS, SHUTDOWN, SOCKET, generation_of, unit
from .systemd import UnitState

_NEITHER = "an edge, which no rollback brings or takes away"
_EDGE = {True: f"with {_NEITHER}", False: f"without {_NEITHER}"}


class Refused(Exception):
    """Refusal of a request that makes no sense on this host; the message says why and what is possible."""


@dataclass(frozen=True)
class HostFacts:
    """The host as it is.

    `current` is the serving generation, `instances` every instance systemd has loaded, `enabled` the units started at
    boot, `links` the instances with a link, `unpinned` those of them whose own unit file is missing or changed, `units`
    the text of each unit file that all share, `point` the instance that the socket starts, `releases` the staged releases,
    `shared_credentials` whether there is the directory of secrets that generations shared before each had its own, `key`
    the key of the generations' hashes, `maintenance` the mark of a host that was taken out of service.
    """

    generations: Mapping[str, Generation] = field(default_factory=dict)
    current: str | None = None
    instances: Mapping[str, UnitState] = field(default_factory=dict)
    socket: UnitState = field(default_factory=UnitState)
    enabled: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    unpinned: frozenset[str] = frozenset()
    units: Mapping[str, str] = field(default_factory=dict)
    point: str | None = None
    releases: frozenset[str] = frozenset()
    shared_credentials: bool = False
    key: bytes = field(default=b"", repr=False)
    maintenance: Maintenance | None = None

    @property
    def serving(self) -> Generation | None:
        return self.generations.get(self.current) if self.current else None

    def live(self, instances: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in instances if self.instances.get(name, UnitState()).live)

    def running(self, instances: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in self.live(instances) if self.instances[name].active != "deactivating")


@dataclass(frozen=True)
class Step:
    """One thing to do: a verb of the executor and the names it is about."""

    verb: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.verb.replace("_", " "), *self.names))


@dataclass(frozen=True)
class Plan:
    """The steps that make `generation` the serving one, and why they are needed. No steps: nothing to do."""

    generation: Generation
    reason: str
    steps: tuple[Step, ...]


def plan_serving(facts: HostFacts, wanted: Generation, keep: int) -> Plan:
    """Make the content of `wanted` serve: repair the serving generation if it has that content, else replace it.

    `keep` is the number of generations to keep for rollback.
    """
    serving = facts.serving
    reason = _reason_to_replace(facts, wanted.content)
    if reason or serving is None:
        return Plan(wanted, reason, (*_replace(facts, wanted), *_clean_up(facts, wanted, max(keep, 2))))
    steps = tuple(_repair(facts, serving))
    return Plan(serving, "the serving generation needs repair" if steps else "it serves already", steps)


def plan_repair(facts: HostFacts, reason: str) -> Plan:
    """Make the serving generation whole again, down to the socket and every instance. Raises Refused."""
    serving = facts.serving
    if serving is None:
        raise Refused("nothing serves on this host, so there is nothing to start. Run deploy.yml")
    return Plan(serving, reason, tuple(_repair(facts, serving)))


def plan_restart(facts: HostFacts, requested_by: str, now: float) -> Plan:
    """Replace the serving generation by a new one of the same content, made at `now` (seconds since the epoch).

    Nothing that can be rolled back to is removed, nor a release that a deploy has just staged: of the serving
    generation only older copies go. Raises Refused.
    """
    serving = facts.serving
    if serving is None:
        raise Refused("nothing serves on this host, so there is nothing to restart. Run deploy.yml")
    if facts.maintenance:
        raise Refused(f"this host is {facts.maintenance}. Bring it back: exotelctl maintenance off")
    if serving.content.release not in facts.releases:
        raise Refused(f"release {serving.content.release} of the serving generation is gone from this host. Run deploy.yml")
    while (again := new_generation(serving.content, requested_by, now, serving.rollback_of, facts.key)).id in facts.generations:
        now += 1  # Generations are named by the second, and a restart takes less.
    return Plan(again, "restart asked for", (*_replace(facts, again), *_forget_copies(facts, again)))


def plan_rollback(facts: HostFacts, name: str | None, requested_by: str, now: float, keep: int) -> Plan:
    """Replace the serving generation by a copy of `name`, or of the one that served before, with the stream keys that serve.

    It is made at `now` (seconds since the epoch). `keep` is the number of generations to keep. Raises Refused.
    """
    target = rollback_target(facts, name)
    content = back_to(target.content, _rolled_back(facts).content)
    return plan_serving(facts, new_generation(content, requested_by, now, target.rollback_of or target.id, facts.key), keep)


def plan_return(facts: HostFacts, requested_by: str, now: float) -> Plan:
    """Bring back a host that was taken out of service, at `now` (seconds since the epoch). Raises Refused.

    Workers that still finish their calls cannot be started again, so then a new generation of the same content serves.
    """
    serving = facts.serving
    if serving and facts.live(serving.instances):
        again = plan_restart(replace(facts, maintenance=None), requested_by, now)
        return replace(again, reason="maintenance ends", steps=(*again.steps, Step("end_maintenance")))
    return plan_repair(facts, "maintenance ends")


def rollback_choices(facts: HostFacts, sources: Mapping[str, str]) -> dict[str, Any]:
    """Return the generations and releases that this host can go back to, for a decision over all hosts.

    A generation is told by its `generation`, its `release` and the `source` of that, which `sources` knows by release: the
    same on hosts of another Python. `previous` is what served before (None: nothing), `other_release` the last before it of
    another release, `releases` the newest generation of each release, `reason` why there is no `previous`, `passed_over` the
    generations after `previous` that differ from the serving one in stream keys only.
    """

    def told(generation: Generation | None) -> dict[str, str] | None:
        if generation is None:
            return None
        release = generation.content.release
        return {"generation": generation.id, "release": release, "source": sources.get(release, release)}

    try:
        previous, reason = rollback_target(facts, None), ""
    except Refused as refused:
        previous, reason = None, str(refused)
    serving = facts.serving
    served = [one for _, one in sorted(_usable(facts).items())]
    older, passed_over = [], []
    if serving:
        position = serving.rollback_of or serving.id
        older = [one for one in served if one.id < position and one.content.release != serving.content.release]
        since = [one for one in served if previous and previous.id < one.id < position and one.content != serving.content]
        passed_over = [one.id for one in since if same_but_keys(one.content, serving.content)]
    return {
        "serving": told(serving),
        "previous": told(previous),
        "other_release": told(older[-1] if older else None),
        "releases": {one.content.release: told(one) for one in served},
        "reason": reason,
        "passed_over": passed_over,
    }


def rollback_target(facts: HostFacts, name: str | None) -> Generation:
    """Return the generation to go back to: `name`, or the one that served before the serving one.

    A rollback makes a copy of its target, so what serves now counts as old as its original: rolling back twice goes
    back twice, and not back to what was rolled back. It keeps the stream keys that serve, so a generation that differs in
    those only is nothing to go back to. Neither is one for a host with an edge where there is none, or the reverse.
    Raises Refused.
    """
    serving = _rolled_back(facts)
    usable = _usable(facts)
    others = [name for name, generation in usable.items() if not same_but_keys(generation.content, serving.content)]
    available = f"Serving: {serving.id}. Available: {', '.join(others) or 'none'}"
    if name:
        if name not in facts.generations:
            raise Refused(f"there is no generation {name} on this host. {available}")
        if facts.generations[name].content == serving.content:
            raise Refused(f"generation {name} is what serves already. {available}")
        if same_but_keys(facts.generations[name].content, serving.content):
            told = f"generation {name} differs from {serving.id}, which serves, in its stream keys only, and they do not go back"
            raise Refused(f"{told}: to change keys, playbooks/keys.yml, then deploy.yml. {available}")
        behind = behind_edge(facts.generations[name].content)
        if behind != behind_edge(serving.content):
            told = (
                f"generation {name} is for a host {_EDGE[behind]}: set exotel_ws_edge: {str(behind).lower()} and run deploy.yml"
            )
            raise Refused(f"{told}. {available}")
        if name not in usable:
            raise Refused(f"generation {name} never served, or its release is gone. {available}")
        return usable[name]
    position = serving.rollback_of or serving.id
    older = [name for name in others if name < position]
    if not older:
        keys_only = any(name < position and one.content != serving.content for name, one in usable.items())
        but = ", but for stream keys, which do not go back" if keys_only else ""
        behind = behind_edge(serving.content)
        if any(name < position and behind_edge(one.content) != behind for name, one in facts.generations.items()):
            but += f", but for a host {_EDGE[not behind]}"
        raise Refused(f"there is no older generation than {position} on this host{but}. {available}")
    return usable[older[-1]]


def behind_edge(content: Content) -> bool:
    """Return True if calls come to `content` through an edge, which no rollback brings or takes away."""
    by_tls = str(toml.plain(content.settings).get("public_url", "")).startswith("wss://")
    return by_tls and content.listen.startswith(("127.", "[::1]"))


def original(facts: HostFacts, content: Content) -> str | None:
    """Return the generation that a deploy of `content` copies: that of the serving one, if nothing but stream keys changes."""
    return facts.serving.rollback_of if facts.serving and same_but_keys(content, facts.serving.content) else None


def _rolled_back(facts: HostFacts) -> Generation:
    if facts.serving is None:
        raise Refused("nothing serves on this host, so there is nothing to roll back from. Run deploy.yml")
    return facts.serving


def _usable(facts: HostFacts) -> dict[str, Generation]:
    """Return, by name, the generations that served, whose release is staged, and that have an edge if the serving one has."""
    return {
        name: one
        for name, one in facts.generations.items()
        if one.served
        and one.content.release in facts.releases
        and (facts.serving is None or behind_edge(one.content) == behind_edge(facts.serving.content))
    }


def _reason_to_replace(facts: HostFacts, wanted: Content) -> str:
    serving = facts.serving
    if serving is None:
        return "nothing serves yet"
    if serving.content != wanted:
        return "changed: " + ", ".join(_differences(serving.content, wanted))
    if _socket_lost(facts):
        return f"{SOCKET} is not active although instances run"
    stopping = [name for name in facts.live(serving.instances) if name not in facts.running(serving.instances)]
    return f"somebody is stopping {', '.join(stopping)}" if stopping else ""


def _differences(before: Content, after: Content) -> list[str]:
    names = [name for name in ("release", "settings", "workers", "listen") if getattr(before, name) != getattr(after, name)]
    for old, new in ((before.units, after.units), (before.files, after.files)):
        names += [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return [*names, "credentials"] if before.credentials != after.credentials else names


def _socket_lost(facts: HostFacts) -> bool:
    # systemd starts no socket whose service runs, so the way back leads through a new generation.
    return not facts.socket.live and bool(facts.running(facts.instances))


def _repair(facts: HostFacts, serving: Generation) -> Iterable[Step]:
    instances = serving.instances
    missing = tuple(name for name in instances if name not in facts.running(instances))
    unlinked = tuple(name for name in instances if name not in facts.links or name in facts.unpinned)
    if unlinked:
        yield Step("link", unlinked)
    yield from _install(facts, serving.content, serving.content.units)
    if facts.point != instances[0]:
        yield Step("point", (instances[0],))
    if not facts.socket.live:
        yield Step("start_socket")
    if missing:
        yield Step("start", missing)
        yield Step("await_healthy", missing)
    yield from _enable(facts, serving)
    yield from _retire_others(facts, serving)
    if facts.maintenance:
        yield Step("end_maintenance")


def _replace(facts: HostFacts, wanted: Generation) -> Iterable[Step]:
    content, instances = wanted.content, wanted.instances
    moved_from = _moved_from(facts, content)
    yield Step("stage", (wanted.id,))
    yield Step("check_config", (wanted.id,))
    yield Step("self_test", (wanted.id,))
    unpinned = tuple(name for name in (facts.serving.instances if facts.serving else ()) if name in facts.unpinned)
    if unpinned:
        # It dates from before each worker had its own unit file, and the shared one is about to change.
        yield Step("link", unpinned)
    yield Step("link", instances)
    yield Step("verify_units", tuple(content.units))
    if moved_from:
        yield from _move(facts, wanted, moved_from)
    else:
        yield from _install(facts, content, content.units)
    if _socket_lost(facts):
        yield Step("begin_stop", facts.running(facts.instances))
        yield Step("await_address_free", (content.listen,))
    elif not facts.socket.live and facts.live(facts.instances):
        # A stopping instance closes its listening socket only some seconds later.
        yield Step("await_address_free", (content.listen,))
    if not facts.socket.live:
        yield Step("point", (instances[0],))
        yield Step("start_socket")
    yield Step("start", instances)
    yield Step("await_healthy", instances)
    if facts.socket.live and not moved_from:
        yield Step("point", (instances[0],))
    yield from _enable(facts, wanted)
    yield Step("switch", (wanted.id,))
    yield from _retire_others(facts, wanted)
    if facts.maintenance:
        yield Step("end_maintenance")


def _moved_from(facts: HostFacts, wanted: Content) -> str | None:
    """Return the address that the socket listens on when it is another than the wanted one."""
    listens = facts.serving.content.listen if facts.serving and facts.socket.live else wanted.listen
    return listens if listens != wanted.listen else None


def _move(facts: HostFacts, wanted: Generation, moved_from: str) -> Iterable[Step]:
    # Moving the port is the one step that cannot be taken back: the old instances keep the old port busy until they
    # end. So a proof instance shows on the old port that the new generation works before the port is touched.
    content, proof = wanted.content, f"{wanted.id}-0"
    yield Step("link", (proof,))
    yield from _install(facts, content, [name for name in content.units if name != SOCKET])
    yield Step("start", (proof,))
    yield Step("await_healthy", (proof,))
    yield Step("begin_stop", (proof,))
    if _port(content.listen) == _port(moved_from):
        # Another host address on the same port: the old listener is in the way, and the old instances have it too.
        yield Step("begin_stop", facts.running(facts.instances))
        yield Step("stop_socket")
    yield Step("await_address_free", (content.listen,))
    yield Step("point", (wanted.instances[0],))
    yield from _install(facts, content, [SOCKET])
    yield Step("restart_socket")


def _port(listen: str) -> str:
    return listen.rpartition(":")[2]


def _install(facts: HostFacts, content: Content, names: Iterable[str]) -> Iterable[Step]:
    changed = tuple(name for name in names if name in content.units and facts.units.get(name) != content.units[name])
    if changed:
        yield Step("install_units", changed)


def _enable(facts: HostFacts, generation: Generation) -> Iterable[Step]:
    wanted = [SOCKET, *(name for name in generation.content.units if name == SHUTDOWN)]
    wanted += [unit(name) for name in generation.instances]
    missing = tuple(name for name in wanted if name not in facts.enabled)
    if missing:
        yield Step("enable", missing)


def _retire_others(facts: HostFacts, kept: Generation) -> Iterable[Step]:
    prefix = unit("").split(".")[0]
    ours = {SOCKET, SHUTDOWN, *(unit(name) for name in kept.instances)}
    enabled = tuple(sorted(name for name in facts.enabled - ours if name.startswith(prefix)))
    others = [name for name in sorted(facts.instances) if name not in kept.instances]
    stoppable = facts.running(others)
    failed = tuple(name for name in others if facts.instances[name].active == "failed")
    if enabled:
        yield Step("disable", enabled)
    if stoppable:
        yield Step("begin_stop", stoppable)
    if failed:
        yield Step("forget_failure", failed)


def _clean_up(facts: HostFacts, wanted: Generation, keep: int) -> Iterable[Step]:
    live = facts.live(facts.instances)
    kept = {wanted.id, facts.current, *_others(facts, wanted.content)[-(keep - 1) :], *map(generation_of, live)}
    doomed = tuple(name for name in facts.generations if name not in kept)
    needed = {generation.content.release for name, generation in facts.generations.items() if name in kept}
    releases = tuple(sorted(facts.releases - needed - {wanted.content.release}))
    yield from _unlink(facts, wanted)
    for verb, names in (("remove_generations", doomed), ("remove_releases", releases)):
        if names:
            yield Step(verb, names)
    if facts.shared_credentials and not any(
        SHARED_CREDENTIALS in text
        for name, generation in facts.generations.items()
        if name in kept
        for text in (*wanted.content.units.values(), *generation.content.units.values())
    ):
        yield Step("remove_shared_credentials")


def _others(facts: HostFacts, content: Content) -> list[str]:
    """Return what can be rolled back to from `content`, oldest first: of each other content the last that served.

    A rollback or a restart makes a copy, and so do new stream keys. Copies must not push out what differs.
    """

    def digest(content: Content) -> str:
        return without_keys(content).hash(facts.key)

    last = {digest(generation.content): name for name, generation in facts.generations.items() if generation.served}
    return sorted(name for other, name in last.items() if other != digest(content))


def _forget_copies(facts: HostFacts, again: Generation) -> Iterable[Step]:
    kept = {facts.current, *map(generation_of, facts.live(facts.instances))}
    copies = [name for name, other in facts.generations.items() if other.served and other.content == again.content]
    doomed = tuple(name for name in copies if name not in kept)
    yield from _unlink(facts, again)
    if doomed:
        yield Step("remove_generations", doomed)


def _unlink(facts: HostFacts, wanted: Generation) -> Iterable[Step]:
    links = tuple(sorted(facts.links - set(facts.live(facts.instances)) - set(wanted.instances)))
    if links:
        yield Step("unlink", links)
