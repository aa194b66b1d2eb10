"""Read what a host told of itself, in a directory, and what a caller needs to call it.

``roles/verify/files/look.sh`` makes the files. Every one may be missing: older releases, and broken ones, tell less.
"""

import json
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.target import Target, parse
from exotel_phone.text import printable

from exotelctl.doctor import bundle
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.address import resolve
from exotelctl.doctor.facts.deployment import Deployment
from exotelctl.doctor.facts.fact import Fact
from exotelctl.edge import config
from exotelctl.edge.config import EdgeConfig
from exotelctl.host_settings import DEFAULT_PORT

_LACKS_OPTION: Final = "2"
"""Exit code of an exotelctl that does not know ``doctor --bundle``."""


@dataclass(frozen=True, slots=True)
class Look:
    """``unseen`` is why the host's facts tell no more than its generation; ``broken``: its own exotelctl cannot look."""

    facts: Facts
    unseen: str = ""
    broken: bool = False


def read(directory: Path) -> Look:
    """Read the host's facts; without a bundle that this exotelctl can judge, what generation.json tells."""
    try:
        return Look(bundle.read(directory / "bundle.tar"))
    except Refusal as refused:
        return Look(_without_facts(directory), str(refused))
    except UsageFault as fault:
        said = _text(directory / "said").splitlines()
        why = printable(said[-1] if said else str(fault), 300)
        return Look(_without_facts(directory), why, broken=_text(directory / "code") != _LACKS_OPTION)


def target(directory: Path, look: Look, host: str, rate: int) -> Target:
    """Return the server as a caller reaches it: its port, the first path that it serves, a credential where it asks for one.

    An edge is called by the name that it has a certificate for, at the address of ``host``. Raises UsageFault.
    """
    deployment = look.facts.deployment.get()
    credential = None
    if (deployment.asks_credential or look.unseen) and _text(directory / "credential"):
        credential = parse("ws://here", directory / "credential").credential
    path, query, front = _path(directory), f"sample-rate={rate}", edge(directory)
    if front is None:
        return Target(False, host, deployment.port, path, query, credential)
    at, unresolved = ((), "") if host == front.name else resolve(host)
    if unresolved:
        raise UsageFault(f"--host {host}: the name does not resolve: {unresolved}")
    return Target(True, front.name, front.port, path, query, credential, at)


def edge(directory: Path) -> EdgeConfig | None:
    """Return what stands in front of the server; None if nothing does. Raises UsageFault if that cannot be read."""
    try:
        return config.load(directory / "edge.json")
    except config.Unusable as fault:
        raise UsageFault(f"the host's {fault}") from None


def chain(directory: Path) -> Path | None:
    """Return the file with the certificates that the edge shows; None if the host told none."""
    file = directory / "chain.pem"
    return file if file.is_file() and file.stat().st_size else None


def lists_metrics_sources(directory: Path) -> bool:
    """Return True if the server's settings name addresses, beside the host, that may read ``/metrics``."""
    return bool(_settings(directory).get("metrics_sources"))


def _path(directory: Path) -> str:
    """Return the path as it is served: the bundle redacts it."""
    paths = _settings(directory).get("paths")
    return str(paths[0]) if paths else ""


def _settings(directory: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(directory / "paths.toml"))
    except tomllib.TOMLDecodeError:
        return {}


def _without_facts(directory: Path) -> Facts:
    now = time.time()
    if not (directory / "code").exists():
        gone = Fact[Deployment](missing="the host told nothing of itself: no room in /run, or no root", at=now)
        return Facts(hostname="", as_root=True, collected_at=now, since=now, deployment=gone)
    try:
        said = json.loads(_text(directory / "generation.json"))
        port = int(str(said["listen"]).rpartition(":")[2] or DEFAULT_PORT)
        known = Deployment(str(said["generation"]), str(said["release"]), listen=str(said["listen"]), port=port)
    except (ValueError, KeyError, TypeError):
        known = Deployment()
    return Facts(hostname="", as_root=True, collected_at=now, since=now, deployment=Fact(known, at=now))


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
