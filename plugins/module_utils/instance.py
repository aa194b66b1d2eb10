"""Ask a running instance about itself, through its admin socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

_TIMEOUT_S = 3.0


class Silent(Exception):
    """The instance gave no usable answer; the message says what came instead."""


def ask(admin_socket: Path, path: str) -> dict[str, Any]:
    """GET `path` of the admin socket and return its JSON object. Raises Silent after at most a few seconds."""
    connection = _UnixConnection(admin_socket)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(1 << 20).decode("utf-8", "replace")
        if answer.status != 200:
            raise Silent(f"GET {path} answered {answer.status}: {body.strip()[:200]}")
        document = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Silent(f"GET {path} on {admin_socket}: {error}") from None
    finally:
        connection.close()
    if not isinstance(document, dict):
        raise Silent(f"GET {path} answered no JSON object: {body.strip()[:200]}")
    return document


def calls_live(admin_socket: Path) -> int | None:
    """Return how many calls the instance has; None when it does not say."""
    try:
        return int(ask(admin_socket, "/status")["calls_live"])
    except (Silent, KeyError, TypeError, ValueError):
        return None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(str(self._path))
