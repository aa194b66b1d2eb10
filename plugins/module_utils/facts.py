"""Gather the facts a plan is made from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ansible_collections.exotel.voicebot.plugins.module_utils import files, generation
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SHUTDOWN, SOCKET, TEMPLATE, Paths
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import Facts
from ansible_collections.exotel.voicebot.plugins.module_utils.staging import staged
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import Systemd, UnitState


def gather(paths: Paths, systemd: Systemd, secrets: Iterable[Path] = ()) -> Facts:
    """Look at the host. A current generation made before one of `secrets` last changed does not know the change."""
    current = files.linked_name(paths.current)
    texts = {name: files.read(paths.units / name) for name in (SOCKET, TEMPLATE, SHUTDOWN)}
    return Facts(
        generations=generation.load_all(paths),
        current=current,
        instances=systemd.instances(),
        socket=systemd.states(SOCKET).get(SOCKET, UnitState()),
        enabled=frozenset(path.name for path in paths.units.glob("*.wants/exotel-ws*")),
        links=frozenset(path.name for path in paths.instances.glob("*") if path.is_symlink()),
        units={name: text for name, text in texts.items() if text is not None},
        point=_point(files.read(paths.point) or ""),
        releases=staged(paths.releases),
        secrets_changed=current is not None and _newer(secrets, paths.generations / current / "generation.json"),
    )


def _point(drop_in: str) -> str | None:
    service = drop_in.partition("Service=exotel-ws@")[2].partition(".service")[0]
    return service or None


def _newer(secrets: Iterable[Path], made: Path) -> bool:
    at = made.stat().st_mtime if made.exists() else 0.0
    return any(secret.exists() and secret.stat().st_mtime > at for secret in secrets)
