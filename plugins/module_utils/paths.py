"""Paths on a host."""

from __future__ import annotations

from pathlib import Path

SOCKET = "exotel-ws.socket"
SHUTDOWN = "exotel-ws-shutdown.service"
TEMPLATE = "exotel-ws@.service"
SHARED_CREDENTIALS = "/etc/exotel-ws/credentials"
"""Directory of secrets of older generations; newer ones have their own."""
JOURNAL = "exotel-ws"
"""Journal namespace of the workers, so that their lines push out no lines of other units."""
COMMANDS = ("exotel-ws", "exotelctl")


class Paths:
    """The directories of one host, below `root` (another than / only in tests)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.releases = root / "opt/exotel-ws/releases"
        self.current_release = root / "opt/exotel-ws/current"
        self.commands = root / "usr/local/bin"
        self.generations = root / "etc/exotel-ws/generations"
        self.instances = root / "etc/exotel-ws/instances"
        self.current = root / "etc/exotel-ws/current"
        self.maintenance = root / "etc/exotel-ws/maintenance.json"
        self.hash_key = root / "etc/exotel-ws/hash-key"
        self.shared_credentials = root / SHARED_CREDENTIALS[1:]
        self.units = root / "etc/systemd/system"
        self.point = self.units / f"{SOCKET}.d/generation.conf"
        self.runtime = root / "run/exotel-ws"
        self.lock = root / "run/exotel-ws-deploy/lock"
        self.audit = root / "var/lib/exotel-ws/audit.jsonl"

    def admin_socket(self, instance: str) -> Path:
        return self.runtime / f"{instance}.sock"


def unit(instance: str) -> str:
    """Return the unit of an instance."""
    return f"exotel-ws@{instance}.service"


def generation_of(instance: str) -> str:
    """Return the generation of an instance: its name without the worker's number."""
    return instance.rpartition("-")[0]
