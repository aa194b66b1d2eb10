"""Gather the facts a plan is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import files, generation, maintenance
from .generation import Generation
from .paths import SHUTDOWN, SOCKET, TEMPLATE, Paths, generation_of, unit
from .plan import HostFacts
from .staging import staged
from .systemd import Systemd, UnitState


def gather(paths: Paths, systemd: Systemd) -> HostFacts:
    """Gather the facts of the host."""
    texts = {name: files.read(paths.units / name) for name in (SOCKET, TEMPLATE, SHUTDOWN)}
    generations = generation.load_all(paths)
    links = frozenset(path.name for path in paths.instances.glob("*") if path.is_symlink())
    return HostFacts(
        generations=generations,
        current=files.linked_name(paths.current),
        instances=systemd.instances(),
        socket=systemd.states(SOCKET).get(SOCKET, UnitState()),
        enabled=frozenset(path.name for path in paths.units.glob("*.wants/exotel-ws*")),
        links=links,
        unpinned=frozenset(_unpinned(paths, links, generations)),
        units={name: text for name, text in texts.items() if text is not None},
        point=_point(files.read(paths.point) or ""),
        releases=staged(paths.releases),
        shared_credentials=paths.shared_credentials.is_dir(),
        key=generation.read_key(paths),
        maintenance=maintenance.read(paths),
    )


def _point(drop_in: str) -> str | None:
    service = drop_in.partition("Service=exotel-ws@")[2].partition(".service")[0]
    return service or None


def _unpinned(paths: Paths, links: Iterable[str], generations: Mapping[str, Generation]) -> Iterable[str]:
    """Return the instances whose own unit file differs from that of their generation."""
    for name in links:
        known = generations.get(generation_of(name))
        if known and files.read(paths.units / unit(name)) != known.content.units.get(TEMPLATE):
            yield name
