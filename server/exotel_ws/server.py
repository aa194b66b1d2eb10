"""The server: sockets in, calls served, drained to the last one.

Guarantee: from `drain` on no new connection is taken, no open one is cut before it ends by itself (bounded by
``drain.timeout_s``), a handshake in flight has ``drain.grace_s`` to finish, and other processes that share the listening
socket are not disturbed.
"""

import asyncio
import contextlib
import json
import logging
import socket
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from exotel_ws import __version__, engines, modes
from exotel_ws.admin import Routes, serve_admin
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.admission.log_budget import BOUNDS, SAID, LogBudget
from exotel_ws.call import Phase
from exotel_ws.desk import Desk
from exotel_ws.engines import Connection
from exotel_ws.engines.acceptor import Acceptor
from exotel_ws.engines.front import Front
from exotel_ws.files import most_connections
from exotel_ws.handshake import Credentials
from exotel_ws.key_usage import KeyUsage
from exotel_ws.logs import MOST_NAMED, take_lost
from exotel_ws.metrics.publisher import Publisher
from exotel_ws.metrics.scrapes import Scrapes
from exotel_ws.metrics.tally import Tally
from exotel_ws.ours import TestCalls
from exotel_ws.passthru.outcomes import Outcomes
from exotel_ws.passthru.passthru import Passthru
from exotel_ws.responder import Bound, HangUp
from exotel_ws.settings import Settings
from exotel_ws.state import listed
from exotel_ws.stream import Stream
from exotel_ws.tap.taps import Taps
from exotel_ws.withheld import Withheld

_TICK_S: Final = 1.0

log = logging.getLogger("exotel_ws.server")


class Identity:
    """Release and instance of this process. The release is written beside the virtual environment that runs it."""

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
        test_calls: TestCalls | None = None,
        key_usage: Path | None = None,
        outcomes_dir: Path | None = None,
    ) -> None:
        """``outcomes_dir`` is where the workers of the host keep what follows each call; None: this process alone knows.

        Raises `SettingsError` if credentials are required and missing, OSError if metrics can't be written."""
        self.settings = settings
        self.identity = Identity(instance)
        self.draining = False
        self.pid = pid
        self._test_calls = test_calls or TestCalls()
        self._tally = Tally()
        self.log_budget = LogBudget(settings.log)
        self._credentials = Credentials.load(settings.auth)
        if self._credentials:
            self._credentials.check_length(settings.auth)
        self._key_usage = KeyUsage(self._credentials, key_usage) if self._credentials and key_usage else None
        self._withheld = Withheld(self._credentials) if self._credentials else None
        self._engine = engines.choose(settings, self._open_stream)
        self._spec = modes.find(settings.mode)
        self._mode = self._spec.make(settings)
        most = Bound(settings.limits.max_calls, "limits.max_calls")
        if self._mode.most_calls and self._mode.most_calls.most <= most.most:
            most = self._mode.most_calls
        self._admission = Admission(
            settings.limits, self._tally, max_calls=most.most, calls_bound=most.name, most_files=most_connections()
        )
        self._metrics = Publisher(
            self._tally, metrics_dir, version=__version__, release=self.identity.release, mode_metrics=self._mode.metrics
        )
        interval_s = settings.limits.metrics_interval_s
        self._scrapes = Scrapes(self._publish, self._metrics.exposition, interval_s)
        self._passthru = Passthru.load(settings.passthru, Outcomes(outcomes_dir), self._tally)
        self._desk = Desk(
            settings,
            self._tally,
            self._admission,
            self._credentials,
            self._mode,
            self._scrapes,
            self._test_calls,
            self._passthru,
            draining=lambda: self.draining,
            health=self.health,
        )
        self._acceptors: list[Acceptor] = []
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
        self._lost_calls: set[str] = set()

    async def start(self, listeners: list[socket.socket], admin: socket.socket | None = None, *, shared: bool = False) -> None:
        """Begin to serve calls on ``listeners`` and the instance's own state on ``admin``. The server owns both from now on.

        ``shared``: other processes hold the same listening sockets, which stay open when this worker drains.
        """
        await self._mode.open()
        self._shared = shared
        self._acceptors = [Acceptor(listener, self._admission, self._connect) for listener in listeners]
        for acceptor in self._acceptors:
            acceptor.start()
        if self._key_usage:
            self._key_usage.start(lambda: not self.draining)
        if admin:
            routes: Routes = {"/health": self._admin_health, "/status": self.status, "/places": self._places}
            self._admin = await serve_admin(admin, routes, {"/tap": partial(self._taps.serve, self._streams)})

    async def tick(self) -> None:
        """Publish the metrics each second and measure how late the loop is; runs until cancelled."""
        while True:
            due = time.monotonic() + _TICK_S
            await asyncio.sleep(_TICK_S)
            self._lag_s = max(0.0, time.monotonic() - due)
            self._admission.sweep()
            self._account_for_lines()
            if self._passthru and self._passthru.outcomes.due:
                await asyncio.to_thread(self._passthru.outcomes.sweep)
            try:
                self._publish()
            except OSError as error:  # the calls go on without metrics
                log.error("metrics can't be published: %s", error)

    def _account_for_lines(self) -> None:
        """Count and log the lines that were not written."""
        budget = self.log_budget
        lost = take_lost()
        if lost.records:
            budget.leave_out("log_lost", lost.records)
            self._lost_calls = set(sorted(self._lost_calls | lost.calls)[:MOST_NAMED])
        for bound, lines in budget.counted().items():
            self._tally.bounds[bound] += lines
        for bound, lines in budget.due().items():
            calls = " ".join(sorted(self._lost_calls)) if bound == "log_lost" else ""
            fields = {"EVENT": "bound", "REASON": bound, "LEFT_OUT": str(lines), "SUM": "1", "RAISED_BY": BOUNDS[bound]}
            fields |= {"LOST_CALLS": calls} if calls else {}
            of = f", of calls {calls} and perhaps others" if calls else ""
            cure = f"raised by {BOUNDS[bound]}" if BOUNDS[bound] else "see exotelctl doctor --check journal"
            log.warning("🔇 %d %s%s; %s", lines, SAID[bound], of, cure, extra={"fields": fields})
            if calls:
                self._lost_calls.clear()

    async def drain(self) -> int:
        """Take no more connections, and wait for the live ones to end; return how many were cut at ``drain.timeout_s``.

        A connection that was accepted before is served, even if its handshake comes only within ``drain.grace_s``.
        """
        self.draining = True
        self._publish()
        log.info("⏳ Draining: %d live call(s), no new ones", self._tally.calls_live)
        for acceptor in self._acceptors:
            acceptor.stop(shared=self._shared)
        await asyncio.sleep(self.settings.drain.grace_s)
        for acceptor in self._acceptors:
            acceptor.close()
        try:
            async with asyncio.timeout(self.settings.drain.timeout_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("drain.timeout_s = %g is over: %d left", self.settings.drain.timeout_s, len(self._streams))
        return await self.close()

    async def close(self) -> int:
        """Close all connections that are left with 1001 (going away); return their number. `close` is idempotent."""
        left = list(self._streams)
        for acceptor in self._acceptors:
            acceptor.stop(shared=self._shared)
            acceptor.close()
        for stream in left:
            stream.hang_up(HangUp(1001, "the server goes away"))
        if left:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(engines.CLOSE_TIMEOUT_S + 1):
                    await self._idle.wait()
        await self._mode.close()
        if self._key_usage:
            await self._key_usage.finish()
        if self._admin:
            self._admin.close()
            await self._taps.finish("the worker has drained")
        self._publish()
        return len(left)

    def _open_stream(self, connection: Connection) -> Stream:
        stream = Stream(
            connection,
            self.settings,
            self._tally,
            self._credentials,
            self._mode,
            self._end_stream,
            withheld=self._withheld,
            log_budget=self.log_budget,
            outcomes=self._passthru.outcomes if self._passthru else None,
        )
        self._streams.add(stream)
        self._taps.opened(stream)
        self._idle.clear()
        return stream

    def _end_stream(self, stream: Stream) -> None:
        self._streams.discard(stream)
        if not self._streams:
            self._idle.set()

    def _publish(self) -> None:
        self._tally.unproven_most = self._admission.most_held()
        self._metrics.publish(draining=self.draining, lag_s=self._lag_s)

    def health(self) -> dict[str, str]:
        """Return the answer to ``GET /health``, key for key as the guide's servers gave it."""
        return {"status": "ok", "service": self._spec.service, "mode": self.settings.mode}

    async def _connect(self, accepted: socket.socket, ticket: Ticket) -> None:
        settings, upgrade = self.settings, self._engine.upgrade
        timeout_s, proxy = settings.limits.handshake_timeout_s, settings.proxy_protocol
        await self._engine.connect(accepted, lambda: Front(ticket, self._desk, upgrade, timeout_s, proxy_protocol=proxy))

    def _places(self) -> dict[str, object]:
        """Return the places held, for the admin socket."""
        return {**self._admission.places(), "metrics_computed": self._scrapes.computed}

    def _admin_health(self) -> dict[str, object]:
        """Return this worker's identity. Keep the answer small, with any number of calls: deploys and restarts wait for it."""
        return {"status": "ok", **self._who()}

    def _who(self) -> dict[str, object]:
        return {
            "instance": self.identity.instance,
            "generation": self.identity.generation,
            "release": self.identity.release,
            "pid": self.pid,
            "state": "draining" if self.draining else "serving",
            "calls_live": self._tally.calls_live,
        }

    def status(self) -> dict[str, object]:
        """Return the instance's state, for the admin socket."""
        return {
            **self._who(),
            "version": __version__,
            "engine": self.settings.engine,
            "mode": self.settings.mode,
            "since": self._since.isoformat(timespec="seconds"),
            "uptime_s": round((datetime.now(UTC) - self._since).total_seconds(), 1),
            "calls_total": self._tally.calls,
            "connections": self._tally.connections,
            "taps": self._taps.count,
            **listed(stream.call.facts() for stream in self._streams if stream.call.phase is Phase.STARTED),
        }
