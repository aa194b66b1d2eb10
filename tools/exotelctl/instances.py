"""The workers of this host, asked through their admin sockets (``/run/exotel-ws/<instance>.sock``, HTTP)."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

from exotel_phone.exits import Refusal

from exotelctl import privileges

RUNTIME: Final = Path("/run/exotel-ws")
_ASK_S: Final = 3.0
_MOST_ANSWER: Final = 4 << 20
"""Bytes. A worker with thousands of calls answers about one million."""


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


def ask(admin_socket: Path, path: str, *, timeout_s: float = _ASK_S) -> dict[str, Any]:
    """GET ``path`` (``/status``, ``/health``) and return the JSON object. Raises Silent after at most ``timeout_s`` a wait."""
    connection = connect(admin_socket, timeout_s=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(_MOST_ANSWER)
        document = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise Silent(f"{admin_socket.name} does not answer: {error or type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(document, dict):
        raise Silent(f"{admin_socket.name} answers {answer.status} to {path}: {body[:200].decode(errors='replace')}")
    return document


def connect(admin_socket: Path, *, timeout_s: float = _ASK_S) -> http.client.HTTPConnection:
    """An HTTP connection to a worker; nothing is sent yet. ``timeout_s`` bounds each wait on it."""
    return _UnixConnection(admin_socket, timeout_s)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
