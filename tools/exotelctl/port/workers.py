"""Ask a worker of ours, through its admin socket, for what a clean-up of its port needs."""

from pathlib import Path
from typing import Final

from ansible_collections.exotel.voicebot.plugins.module_utils import instance

from exotelctl.port.facts import Worker

_RUNTIME: Final = Path("/run/exotel-ws")
_ASK_S: Final = 1.0
_MOST_BYTES: Final = 1 << 20


def ask(unit: str, runtime: Path = _RUNTIME) -> Worker | None:
    """Return the worker of ``unit`` (exotel-ws@INSTANCE.service); None without rights or a usable answer, after 1 s a wait."""
    admin_socket = runtime / f"{unit.partition('@')[2].removesuffix('.service')}.sock"
    try:
        said = instance.ask(admin_socket, "/health", timeout_s=_ASK_S, most_bytes=_MOST_BYTES)
        if "pid" not in said:  # an older release
            said = instance.ask(admin_socket, "/status", timeout_s=_ASK_S, most_bytes=_MOST_BYTES)
        return Worker(int(said["pid"]), said["state"] == "draining", int(said["calls_live"]))
    except (instance.Silent, ValueError, LookupError, TypeError):
        return None
