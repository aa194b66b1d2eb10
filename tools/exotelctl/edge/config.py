"""Read what the role `edge` leaves for the tools: ``/etc/exotel-edge/edge.json``, which has no secrets and is for everybody."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from exotelctl.journal import EDGE_UNIT

CONFIG: Final = Path("/etc/exotel-edge/edge.json")
UNIT: Final = EDGE_UNIT
_MOST_BYTES: Final = 64 << 10
_MOST_DOMAINS: Final = 100


class Unusable(Exception):
    """The file is there and cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """Settings with which the edge was deployed.

    ``domains`` are names or addresses, the first one that of the URL. ``certificate`` is how it is obtained: ``acme``,
    ``self_signed`` or ``files``. ``backend`` is where the server listens, ``host:port``. ``keys_asked``: streams must show a
    key; ``key_in_start``: perhaps not before the start message. A stranger may open ``stranger_connections`` in 10 s; after
    ``bad_keys`` in ``bad_keys_minutes`` a source is put out for as long. One that made good calls may have
    ``known_connections`` at a time; 0 from a role that did not bound it.
    """

    domains: tuple[str, ...]
    certificate: str
    port: int = 443
    http_port: int = 80
    admin_socket: str = "/run/haproxy/admin.sock"
    certificate_file: str = "/etc/exotel-edge/certificate.pem"
    keys_asked: bool = False
    key_in_start: bool = False
    proxy_protocol: bool = False
    backend: str = "127.0.0.1:8765"
    known_connections: int = 0
    stranger_connections: int = 30
    bad_keys: int = 10
    bad_keys_minutes: int = 10

    @property
    def acme(self) -> bool:
        """Return True if certificates are obtained, and renewed, through port 80."""
        return self.certificate == "acme"

    @property
    def name(self) -> str:
        """Return the name of the URL."""
        return self.domains[0]


def load(file: Path = CONFIG) -> EdgeConfig | None:
    """Return what ``file`` says; None where there is none: this host has no edge. Raises Unusable."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unusable(f"{file}: {error.strerror}") from None
    try:
        if len(raw) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 10} KiB")
        return _understood(json.loads(raw))
    except (ValueError, TypeError, RecursionError) as error:
        raise Unusable(f"{file}: {error}. A deploy writes it anew") from None


def _understood(said: Any) -> EdgeConfig:
    """Return the settings that this version knows; a later one may say more. Raises ValueError."""
    if not isinstance(said, dict):
        raise ValueError("not a JSON object")
    domains = said.get("domains")
    if not isinstance(domains, list) or not domains or not all(isinstance(name, str) and name for name in domains):
        raise ValueError("domains is not a list of names")
    values: dict[str, Any] = {}
    for name, kind in EdgeConfig.__annotations__.items():
        if name == "domains" or name not in said:
            continue
        if type(said[name]) is not kind:
            raise ValueError(f"{name} is {type(said[name]).__name__}, not {kind.__name__}")
        values[name] = said[name]
    if values.get("certificate") not in ("acme", "self_signed", "files"):
        raise ValueError(f"certificate is {values.get('certificate')!r}, not acme, self_signed or files")
    if not all(0 < values.get(name, 1) < 65536 for name in ("port", "http_port")):
        raise ValueError("a port is not a number from 1 to 65535")
    return EdgeConfig(domains=tuple(domains[:_MOST_DOMAINS]), **values)
