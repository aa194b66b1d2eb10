"""What a worker of ours says of itself, asked through its admin socket.

`exotelctl.instances` asks the same through ``http.client``, whose import takes longer than all else that this command does.
"""

import json
import socket
from pathlib import Path
from typing import Final

from exotelctl.port.facts import Worker

_RUNTIME: Final = Path("/run/exotel-ws")
_ASK_S: Final = 1.0
_REQUEST: Final = b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def ask(unit: str, runtime: Path = _RUNTIME) -> Worker | None:
    """The worker of ``unit`` (exotel-ws@INSTANCE.service); None without rights or a usable answer, after at most 1 s a wait."""
    instance = unit.partition("@")[2].removesuffix(".service")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
            admin.settimeout(_ASK_S)
            admin.connect(str(runtime / f"{instance}.sock"))
            admin.sendall(_REQUEST)
            status = json.loads(_all(admin).partition(b"\r\n\r\n")[2])
        return Worker(int(status["pid"]), status["state"] == "draining", int(status["calls_live"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _all(admin: socket.socket) -> bytes:
    """To the end of the answer: the worker closes after one."""
    chunks: list[bytes] = []
    while chunk := admin.recv(65_536):
        chunks.append(chunk)
    return b"".join(chunks)
