"""The server: sockets in, calls served, drained to the last one.

Guarantee: from `drain` on no new connection is taken, no open one is cut before it ends by itself (bounded by
``drain.timeout_s``), a handshake in flight has ``drain.grace_s`` to finish, and other processes that share the listening
socket are not disturbed.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from exotel_ws import __version__, engines, modes
from exotel_ws.admin import Routes, serve_admin
from exotel_ws.admission import Admission
from exotel_ws.call import Phase
from exotel_ws.engines import Answer, Connection, Request
from exotel_ws.engines.first_bytes import Stranger
from exotel_ws.handshake import Credentials, Rejection, Target, malformed
from exotel_ws.logs import printable
from exotel_ws.metrics import CONTENT_TYPE, Publisher
from exotel_ws.responder import HangUp
from exotel_ws.settings import Settings
from exotel_ws.stream import Stream
from exotel_ws.tally import Tally
from exotel_ws.tap import Taps

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_TICK_S: Final = 1.0
_STRANGERS: Final[Mapping[Stranger, str]] = {
    "tls": "a TLS ClientHello, and this port speaks no TLS: the URL must say ws://, not wss://",
    "not_http": "what came is not HTTP",
}

log = logging.getLogger("exotel_ws.server")


class Identity:
    """Which release and instance this process is. The release is written beside the virtual environment that runs us."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.generation = instance.rpartition("-")[0] or instance
        try:
            self.release: str = json.loads(Path(sys.prefix, "RELEASE.json").read_text(encoding="utf-8"))["release"]
        except (OSError, ValueError, KeyError):
            self.release = "unreleased"


class VoicebotServer:
    """One worker: accepts streams from listening sockets and answers health, readiness and metrics on the same port."""

    def __init__(
        self,
        settings: Settings,
        *,
        instance: str = "foreground",
        metrics_dir: Path | None = None,
        pid: int | None = None,
    ) -> None:
        """Raises `SettingsError` where credentials are required and missing, OSError where metrics can't be written."""
        self.settings = settings
        self.identity = Identity(instance)
        self.draining = False
        self.pid = pid
        self._tally = Tally()
        self._admission = Admission(
            settings.limits, self._tally, max_calls=settings.ai.max_calls if settings.mode == "ai" else None
        )
        self._engine = engines.choose(settings.engine)
        self._credentials = Credentials.load(settings.auth)
        self._mode = modes.choose(settings)
        self._metrics = Publisher(
            self._tally, metrics_dir, version=__version__, release=self.identity.release, ai=self._mode.tally
        )
        self._stop_accepting: list[Callable[[], None]] = []
        self._listeners: list[socket.socket] = []
        self._shared = False
        self._admin: asyncio.Server | None = None
        self._streams: set[Stream] = set()
        self._taps = Taps(
            {"instance": instance, "release": self.identity.release}, self._credentials.spellings() if self._credentials else ()
        )
        self._idle = asyncio.Event()
        self._idle.set()
        self._since = datetime.now(UTC)
        self._lag_s = 0.0

    async def start(self, listeners: list[socket.socket], admin: socket.socket | None = None, *, shared: bool = False) -> None:
        """Begin to serve calls on ``listeners`` and the instance's own state on ``admin``. The server owns them from now on.

        ``shared`` tells that other processes hold the same listening sockets: they stay open when this worker drains.
        """
        await self._mode.open()
        self._listeners = listeners
        self._shared = shared
        for listener in listeners:
            stop = await self._engine.serve(self._open_stream, listener, self._answer, self._greet_stranger, self.settings)
            self._stop_accepting.append(stop)
        if admin:
            routes: Routes = {"/health": self._admin_health, "/status": self.status}
            self._admin = await serve_admin(admin, routes, {"/tap": partial(self._taps.serve, self._streams)})

    async def tick(self) -> None:
        """Publish the metrics each second and measure how late the loop is; runs until cancelled."""
        while True:
            due = time.monotonic() + _TICK_S
            await asyncio.sleep(_TICK_S)
            self._lag_s = max(0.0, time.monotonic() - due)
            self._admission.sweep()
            try:
                self._publish()
            except OSError as error:  # the calls go on without metrics
                log.error("metrics can't be published: %s", error)

    async def drain(self) -> int:
        """Take no more connections, wait for the live ones to end; returns how many were cut at ``drain.timeout_s``.

        A connection that was accepted before is served, even if its handshake comes only within ``drain.grace_s``.
        """
        self.draining = True
        self._publish()
        log.info("⏳ Draining: %d live call(s), no new ones", self._tally.calls_live)
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            # Off the loop, but not closed: both engines turn away whom they accepted last once they are told to close.
            loop.remove_reader(listener.fileno())
            if not self._shared:
                listener.shutdown(socket.SHUT_RDWR)  # Nobody else accepts here: refuse at once, keep nobody waiting.
        await asyncio.sleep(self.settings.drain.grace_s)
        for listener in self._listeners:
            _let_go(listener)
        try:
            async with asyncio.timeout(self.settings.drain.timeout_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("drain.timeout_s = %g is over: %d left", self.settings.drain.timeout_s, len(self._streams))
        return await self.close()

    async def close(self) -> int:
        """Close what is left with 1001 (going away); returns how many connections that were. `close` is idempotent."""
        left = list(self._streams)
        for stop_accepting in self._stop_accepting:
            stop_accepting()
        for stream in left:
            stream.hang_up(HangUp(1001, "the server goes away"))
        if left:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(engines.CLOSE_TIMEOUT_S + 1):
                    await self._idle.wait()
        await self._mode.close()
        if self._admin:
            self._admin.close()
            await self._taps.finish("the worker has drained")
        self._publish()
        return len(left)

    def _open_stream(self, connection: Connection) -> Stream:
        stream = Stream(connection, self.settings, self._tally, self._credentials, self._mode, self._end_stream)
        self._streams.add(stream)
        self._taps.opened(stream)
        self._idle.clear()
        return stream

    def _end_stream(self, stream: Stream) -> None:
        self._streams.discard(stream)
        if not self._streams:
            self._idle.set()

    def _publish(self) -> None:
        self._metrics.publish(draining=self.draining, lag_s=self._lag_s)

    def health(self) -> dict[str, str]:
        """What ``GET /health`` says, key for key as the guide's servers did."""
        return {"status": "ok", "service": modes.SERVICES[self.settings.mode], "mode": self.settings.mode}

    def _answer(self, request: Request) -> Answer | None:
        """Answer HTTP; None lets the request become a stream."""
        target = Target.parse(request.path)
        if "Sec-WebSocket-Key" not in request.headers:
            return self._answer_http(target)
        rejection = self._reject(request, target)
        if rejection is None:
            return None
        if request.ticket is not None and rejection.reason == "credentials":
            request.ticket.fail()
        self._tally.rejected[rejection.reason] += 1
        # Where credentials are in use, a path may hold one: a wrong or an old one too.
        path = "not shown" if self._credentials else printable(target.path)
        log.warning(
            "🚫 Refused with %d: %s (path %s)",
            rejection.status,
            rejection.text,
            path,
            extra={"fields": {"EVENT": "refused", "REMOTE": request.remote_host, **rejection.fields}},
        )
        return Answer(rejection.status, _TEXT, rejection.text + "\n")

    def _greet_stranger(self, stranger: Stranger, remote_host: str) -> None:
        """A client at the wrong door: said, because its operator hears nothing but silence."""
        self._tally.rejected[stranger] += 1
        log.warning(
            "🚫 Refused: %s (from %s)",
            _STRANGERS[stranger],
            remote_host,
            extra={"fields": {"EVENT": "refused", "REASON": stranger, "REMOTE": remote_host}},
        )

    def _answer_http(self, target: Target) -> Answer:
        match target.path:
            case "/health":
                return Answer(200, _JSON, _compact(self.health()))
            case "/ready":
                state = "draining" if self.draining else "full" if self._full() or self._mode.full() else "ready"
                return Answer(200 if state == "ready" else 503, _JSON, _compact({"status": state}))
            case "/metrics":
                self._publish()
                return Answer(200, CONTENT_TYPE, self._metrics.exposition())
        self._tally.rejected["not_websocket"] += 1
        text = "Exotel connects here by WebSocket. Over HTTP there are /health, /ready and /metrics.\n"
        return Answer(426 if target.path == "/" else 404, _TEXT, text)

    def _reject(self, request: Request, target: Target) -> Rejection | None:
        if fault := malformed(request.headers):
            return Rejection(400, "bad_handshake", fault)
        if self._credentials and self._credentials.in_header(request.headers) is False:
            return Rejection(401, "credentials", "the Authorization header holds no valid credential", "wrong")
        if self.settings.paths and target.path not in self.settings.paths and not self._shows_credential(target):
            return Rejection(404, "path", "this path is not served; see 'paths' in the settings")
        why = self._full() if request.ticket is None else request.ticket.open()
        if why := why or self._mode.full():
            return Rejection(503, "full", why)
        return None

    def _shows_credential(self, target: Target) -> bool:
        return self._credentials is not None and self._credentials.in_target(target)

    def _full(self) -> str:
        limits, tally = self.settings.limits, self._tally
        if tally.calls_live < limits.max_calls and tally.connections < limits.max_connections:
            return ""
        return f"{tally.calls_live} live calls, limits.max_calls = {limits.max_calls}"

    def _admin_health(self) -> dict[str, object]:
        return {"status": "ok"}

    def status(self) -> dict[str, object]:
        """The instance's state, as its admin socket tells it."""
        return {
            "instance": self.identity.instance,
            "generation": self.identity.generation,
            "release": self.identity.release,
            "version": __version__,
            "pid": self.pid,
            "engine": self.settings.engine,
            "mode": self.settings.mode,
            "state": "draining" if self.draining else "serving",
            "since": self._since.isoformat(timespec="seconds"),
            "uptime_s": round((datetime.now(UTC) - self._since).total_seconds(), 1),
            "calls_live": self._tally.calls_live,
            "calls_total": self._tally.calls,
            "connections": self._tally.connections,
            "taps": self._taps.count,
            "places": self._admission.places(),
            "calls": [stream.call.facts() for stream in self._streams if stream.call.phase is Phase.STARTED],
        }


def _let_go(listener: socket.socket) -> None:
    """Stop holding the port, which may be moving elsewhere while our calls last, and leave the engine a file to close."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, listener.fileno(), inheritable=False)
    os.close(nothing)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
