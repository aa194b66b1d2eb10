"""What a worker of ours says of itself, asked through its admin socket.

`exotelctl.instances` asks the same through ``http.client``, whose import takes longer than all else that this command does.
"""

import json
import socket
from pathlib import Path
from typing import Any, Final

from exotelctl.port.facts import Worker

_RUNTIME: Final = Path("/run/exotel-ws")
_ASK_S: Final = 1.0
_REQUEST: Final = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_MOST_BYTES: Final = 1 << 20


def ask(unit: str, runtime: Path = _RUNTIME) -> Worker | None:
    """The worker of ``unit`` (exotel-ws@INSTANCE.service); None without rights or a usable answer, after at most 1 s a wait."""
    instance = unit.partition("@")[2].removesuffix(".service")
    try:
        admin_socket = runtime / f"{instance}.sock"
        status = _get(admin_socket, b"/health")
        if "pid" not in status:  # an older release
            status = _get(admin_socket, b"/status")
        return Worker(int(status["pid"]), status["state"] == "draining", int(status["calls_live"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _get(admin_socket: Path, path: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
        admin.settimeout(_ASK_S)
        admin.connect(str(admin_socket))
        admin.sendall(_REQUEST % path)
        answer = json.loads(_all(admin).partition(b"\r\n\r\n")[2])
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")
    return answer


def _all(admin: socket.socket) -> bytes:
    """Read to the end of the answer, which is where the worker closes. Raises ValueError above a megabyte."""
    data = bytearray()
    while chunk := admin.recv(65_536):
        data += chunk
        if len(data) > _MOST_BYTES:
            raise ValueError("an answer without end")
    return bytes(data)
