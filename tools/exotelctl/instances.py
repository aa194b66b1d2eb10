"""The workers of this host, asked through their admin sockets (``/run/exotel-ws/<instance>.sock``, HTTP)."""

import socket
from pathlib import Path
from typing import Any, Final

from ansible_collections.exotel.voicebot.plugins.module_utils import instance
from exotel_phone.exits import Refusal

from exotelctl import privileges

RUNTIME: Final = Path("/run/exotel-ws")


class Silent(Exception):
    """The worker gave no usable answer; the text says what came instead."""


def sockets(runtime: Path = RUNTIME) -> dict[str, Path]:
    """The admin sockets by instance, ``<generation>-<n>``; empty where nothing is deployed. Raises Refusal without rights."""
    try:
        return {path.stem: path for path in sorted(runtime.iterdir()) if path.suffix == ".sock"}
    except FileNotFoundError:
        return {}
    except PermissionError:
        cure = privileges.cure("CAP_DAC_READ_SEARCH")
        raise Refusal(f"{runtime} may be read by root only{f': {cure}' if cure else ''}") from None


def is_alive(admin_socket: Path) -> bool:
    """Return True if a process, perhaps a stuck one, listens on the socket; a killed worker leaves only its file behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(admin_socket))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def ask(admin_socket: Path, path: str) -> dict[str, Any]:
    """GET ``path`` (``/status``, ``/health``) and return the JSON object. Raises Silent after at most 3 s a wait."""
    try:
        return instance.ask(admin_socket, path)
    except instance.Silent as silent:
        raise Silent(f"{admin_socket.name} {silent.why}") from None
