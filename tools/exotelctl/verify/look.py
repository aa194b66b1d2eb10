"""Read what a host told of itself, in a directory, and what a caller needs to call it.

``roles/verify/files/look.sh`` makes the files. Every one may be missing: older releases, and broken ones, tell less.
"""

import json
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.target import Target, parse
from exotel_phone.text import printable

from exotelctl.doctor import bundle
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.deployment import Deployment
from exotelctl.doctor.facts.fact import Fact
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
    """Return the server as a caller reaches it: its port, the first path that it serves, a credential where it asks for one."""
    deployment = look.facts.deployment.get()
    credential = None
    if (deployment.asks_credential or look.unseen) and _text(directory / "credential"):
        credential = parse("ws://here", directory / "credential").credential
    return Target(False, host, deployment.port, _path(directory), f"sample-rate={rate}", credential)


def _path(directory: Path) -> str:
    """Return the path as it is served: the bundle redacts it."""
    try:
        paths = tomllib.loads(_text(directory / "paths.toml"))["paths"]
    except (tomllib.TOMLDecodeError, KeyError):
        return ""
    return str(paths[0]) if paths else ""


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
