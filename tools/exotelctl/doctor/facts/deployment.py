"""Read what is to serve here: the current generation, its settings, and where the socket unit points."""

import json
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths

from exotelctl import boot, generations
from exotelctl.doctor.facts import shell
from exotelctl.doctor.facts.fact import NotSeen
from exotelctl.host_settings import DEFAULT_PORT

CREDENTIALS: Final = Paths().current / "credentials/stream-credentials"
_MOST_WORKERS: Final = 64
"""As the role allows; a bundle may claim anything."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """``generation`` is "" where nothing was ever deployed; then the rest holds the server's defaults.

    ``settings_problem`` is why settings.toml could not be read. ``socket_points_to`` is the instance that the socket unit
    starts. ``deploying``: a deploy holds the lock at this moment. ``drain_s`` bounds a drain, in seconds.
    ``maintenance`` says since when the host is out of service on purpose, "" where it is not; ``enabled`` are the units that
    start at boot (None: not looked at); ``moved`` since when the port that callers may still dial is refused.
    """

    generation: str = ""
    release: str = ""
    workers: int = 0
    created: str = ""
    listen: str = ""
    mode: str = "echo"
    host: str = "0.0.0.0"
    port: int = DEFAULT_PORT
    public_url: str = ""
    paths: tuple[str, ...] = ()
    max_calls: int = 500
    drain_s: float = 3660.0
    asks_credential: bool = False
    settings_problem: str = ""
    socket_points_to: str = ""
    deploying: bool = False
    maintenance: str = ""
    enabled: tuple[str, ...] | None = None
    moved: str = ""

    @property
    def instances(self) -> tuple[str, ...]:
        """Return the workers that have to serve."""
        return tuple(f"{self.generation}-{number}" for number in range(1, min(self.workers, _MOST_WORKERS) + 1))


def look(root: Path = Path("/")) -> Deployment:
    """Read what the deploy wrote below ``root``. Raises NotSeen where this user may not."""
    paths = Paths(root)
    current = paths.current
    try:
        generation = json.loads((current / "generation.json").read_text("utf-8"))
    except FileNotFoundError:
        return Deployment()
    except PermissionError:
        raise NotSeen(f"{current} may be read by root only", needs="root") from None
    except (OSError, ValueError) as error:
        raise NotSeen(f"{current / 'generation.json'} is not readable: {error}") from None
    settings, problem = _settings(current / "settings.toml")
    said = {name: str(generation.get(name, "")) for name in ("generation", "release", "created", "listen")}
    return Deployment(
        **said,
        workers=int(generation.get("workers", 0)),
        mode=str(settings.get("mode", "echo")),
        host=str(settings.get("host", "0.0.0.0")),
        port=_number(said["listen"].rpartition(":")[2], DEFAULT_PORT),
        public_url=str(settings.get("public_url", "")),
        paths=tuple(map(str, settings.get("paths", ()))),
        max_calls=_max_calls(settings),
        drain_s=float(_number(_table(settings, "drain").get("timeout_s"), 3660)),
        asks_credential=_table(settings, "auth").get("required") is True,
        settings_problem=problem,
        socket_points_to=_points_to(paths.point),
        deploying=_is_locked(paths.lock, root / "proc/locks"),
        maintenance=boot.maintenance(root),
        enabled=tuple(sorted(boot.enabled())),
        moved=generations.address_change(generations.load().values(), time.time()),
    )


def _settings(file: Path) -> tuple[dict[str, Any], str]:
    """Return the settings, and why they can't be read. The server refuses more than this does, and logs it."""
    try:
        return tomllib.loads(file.read_text("utf-8")), ""
    except PermissionError:
        raise NotSeen(f"{file} may be read by root only", needs="root") from None
    except (OSError, ValueError) as error:
        return {}, f"{file}: {error}"


def _table(settings: dict[str, Any], name: str) -> dict[str, Any]:
    value = settings.get(name)
    return value if isinstance(value, dict) else {}


def _max_calls(settings: dict[str, Any]) -> int:
    """Return how many calls a worker takes. In ai mode a second bound limits it, for what the models can carry."""
    most = _number(_table(settings, "limits").get("max_calls"), 500)
    return min(most, _number(_table(settings, "ai").get("max_calls"), 25)) if settings.get("mode") == "ai" else most


def _number(value: object, otherwise: int) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        return otherwise


def _points_to(point: Path) -> str:
    try:
        text = shell.read(point)
    except NotSeen:
        return ""
    return text.partition("Service=exotel-ws@")[2].partition(".service")[0]


def _is_locked(lock: Path, locks: Path) -> bool:
    """Return True if somebody holds the lock. It is looked up, not tried, because trying would take it."""
    try:
        inode = lock.stat().st_ino
        return any(fields[5].endswith(f":{inode}") for line in locks.read_text().splitlines() if len(fields := line.split()) > 5)
    except OSError:
        return False
