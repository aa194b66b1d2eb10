"""Run the companion in the foreground or under systemd, until SIGTERM; requests that are being answered are answered."""

import logging
import signal
from pathlib import Path
from typing import Final

import uvicorn
from exotel_ws import sockets, systemd
from exotel_ws.path_secrets import PathSecrets
from exotel_ws.settings import SettingsError

from exotel_api.callbacks.inbox import Inbox
from exotel_api.settings import Settings
from exotel_api.web.app import make

CREDENTIAL: Final = "callback-secrets"
"""Name of the credential with the secrets of the paths at which Exotel asks."""
_AT_ONCE: Final = 256
"""Connections at once; more are answered with 503. Exotel has a request a call."""
_ENDS_S: Final = 10
"""Seconds that requests which are being answered have once the process is to end."""

log = logging.getLogger("exotel_api")


class _Server(uvicorn.Server):
    """Server that tells systemd when it serves, and when it ends."""

    async def startup(self, sockets: list[sockets.Socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            systemd.notify("READY=1\nSTATUS=Answering")

    async def shutdown(self, sockets: list[sockets.Socket] | None = None) -> None:
        systemd.notify("STOPPING=1")
        await super().shutdown(sockets)


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Return the exit code.

    Raises OSError if a socket can't be bound, `SettingsError` if there are no secrets.
    """
    secrets = PathSecrets.load(CREDENTIAL)
    if secrets is None:
        cure = f"name a directory by CREDENTIALS_DIRECTORY with a file {CREDENTIAL} in it: openssl rand -hex 16 makes a secret"
        raise SettingsError([f"there is no credential {CREDENTIAL}, without which anybody could tell of calls: {cure}"])
    listeners = systemd.inherited_sockets() or sockets.bind(settings.host, settings.port)
    app = make(settings, secrets, Inbox(Path(settings.inbox), most=settings.most_waiting))
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=_ENDS_S,
    )
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        log.info("👂 exotel-api answers on %s:%d", host, port)
    for stops in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more after it has ended
        signal.signal(stops, lambda *_: None)
    _Server(config).run(listeners)
    return 0
