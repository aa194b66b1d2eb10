"""Ask a running instance about itself, through its admin socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

_TIMEOUT_S = 3.0
_MOST_BYTES = 4 << 20
"""A worker with thousands of calls answers about one million."""


class Silent(Exception):
    """The instance gave no usable answer; the message says what came instead, `why` the same without where it was asked."""

    def __init__(self, why: str, asked: str = "") -> None:
        super().__init__(f"{asked} {why}".lstrip())
        self.why = why


def ask(admin_socket: Path, path: str, *, timeout_s: float = _TIMEOUT_S, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """GET `path` of the admin socket and return its JSON object. Raises Silent after at most `timeout_s` a wait.

    Written out, because `http.client` takes longer to import than a short command takes for all else.
    """
    asked = f"GET {path} on {admin_socket}"
    try:
        head, body = _get(admin_socket, path, timeout_s, most_bytes)
        status = int((head.split() or [b""])[1])
        document = json.loads(body) if status == 200 else None
    except (OSError, ValueError, IndexError, RecursionError) as error:
        why = "no HTTP" if isinstance(error, IndexError) else str(error) or type(error).__name__
        raise Silent(f"does not answer: {why}", asked) from None
    if not isinstance(document, dict):
        said = body[:200].decode("utf-8", "replace").strip()
        raise Silent(f"answers {status if status != 200 else 'no JSON object'} to {path}: {said}", asked)
    return document


def _get(admin_socket: Path, path: str, timeout_s: float, most_bytes: int) -> tuple[bytes, bytes]:
    """Return head and body of the answer, which ends where the instance closes."""
    data = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
        admin.settimeout(timeout_s)
        admin.connect(str(admin_socket))
        admin.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while chunk := admin.recv(65_536):
            data += chunk
            if len(data) > most_bytes:
                raise ValueError("an answer without end")
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    return head, body


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
