"""Ask a running instance about itself, through its admin socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

_TIMEOUT_S = 3.0
_MOST_BYTES = 1 << 20


class Silent(Exception):
    """The instance gave no usable answer; the message says what came instead."""


def ask(admin_socket: Path, path: str) -> dict[str, Any]:
    """GET `path` of the admin socket and return its JSON object. Raises Silent after at most a few seconds."""
    connection = _UnixConnection(admin_socket)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES).decode("utf-8", "replace")
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


def who(admin_socket: Path) -> dict[str, Any]:
    """Return the instance's answer about itself, with generation, release and calls_live. Raises Silent.

    The answer is small with any number of calls. Earlier releases had these fields in /status only.
    """
    health = ask(admin_socket, "/health")
    return health if "generation" in health else ask(admin_socket, "/status")


def calls_live(admin_socket: Path) -> int | None:
    """Return how many calls the instance has; None when it does not say."""
    try:
        return int(who(admin_socket)["calls_live"])
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
