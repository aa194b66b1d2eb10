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
from exotel_ws.admission import Admission, Ticket
from exotel_ws.call import Phase
from exotel_ws.engines import Connection
from exotel_ws.engines.acceptor import Acceptor
from exotel_ws.engines.front import Front
from exotel_ws.engines.head import BadHead, Head
from exotel_ws.engines.request import Answer, Reply, Request
from exotel_ws.files import most_connections
from exotel_ws.handshake import Credentials, Rejection, Target, unfit
from exotel_ws.log_budget import BOUNDS, SAID, LogBudget
from exotel_ws.logs import MOST_NAMED, printable, take_lost
from exotel_ws.metrics import CONTENT_TYPE, Publisher
from exotel_ws.ours import TestCalls
from exotel_ws.responder import HangUp
from exotel_ws.sampler import Sampler
from exotel_ws.scrapes import Scrapes
from exotel_ws.settings import Settings
from exotel_ws.sources import inside, networks
from exotel_ws.state import listed
from exotel_ws.stream import Stream
from exotel_ws.tally import Tally
from exotel_ws.tap import Taps
from exotel_ws.withheld import Withheld

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_TICK_S: Final = 1.0
_THIS_HOST: Final = networks(["127.0.0.0/8", "::1"], "this host")
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
_UPGRADE: Final = (("Upgrade", "websocket"),)
_SAY_EVERY_S: Final = 10.0
_SAY_AT_ONCE: Final = 20
"""Refusals of one reason and source that are each said; after them one in ten seconds is."""
_HEAD_WEIGHT: Final = 0.2
"""What a request that was never finished counts, beside a wrong credential."""

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
        test_calls: TestCalls | None = None,
    ) -> None:
        """Raises `SettingsError` where credentials are required and missing, OSError where metrics can't be written."""
        self.settings = settings
        self.identity = Identity(instance)
        self.draining = False
        self.pid = pid
        self._test_calls = test_calls or TestCalls()
        self._tally = Tally()
        ai_is_smaller = settings.mode == "ai" and settings.ai.max_calls <= settings.limits.max_calls
        self._admission = Admission(
            settings.limits,
            self._tally,
            max_calls=settings.ai.max_calls if ai_is_smaller else None,
            calls_bound="ai.max_calls" if ai_is_smaller else "limits.max_calls",
            most_files=most_connections(),
        )
        self.log_budget = LogBudget(settings.log)
        self._credentials = Credentials.load(settings.auth)
        if self._credentials:
            self._credentials.check_length(settings.auth)
        self._withheld = Withheld(self._credentials) if self._credentials else None
        self._engine = engines.choose(settings, self._open_stream)
        self._mode = modes.choose(settings)
        self._metrics = Publisher(
            self._tally, metrics_dir, version=__version__, release=self.identity.release, ai=self._mode.tally
        )
        interval_s = settings.limits.metrics_interval_s
        self._scrapes = Scrapes(self._publish, self._metrics.exposition, interval_s)
        self._metrics_sources = networks(settings.metrics_sources, "metrics_sources")
        self._said = Sampler(_SAY_EVERY_S, _SAY_AT_ONCE)
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
        """Begin to serve calls on ``listeners`` and the instance's own state on ``admin``. The server owns them from now on.

        ``shared`` tells that other processes hold the same listening sockets: they stay open when this worker drains.
        """
        await self._mode.open()
        self._shared = shared
        self._acceptors = [Acceptor(listener, self._admission, self._connect) for listener in listeners]
        for acceptor in self._acceptors:
            acceptor.start()
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
            try:
                self._publish()
            except OSError as error:  # the calls go on without metrics
                log.error("metrics can't be published: %s", error)

    def _account_for_lines(self) -> None:
        """Count and say the log lines that were not written."""
        budget = self.log_budget
        lost = take_lost()
        if lost.records:
            budget.leave_out("log_lost", lost.records)
            self._lost_calls = set(sorted(self._lost_calls | lost.calls)[:MOST_NAMED])
        for bound, lines in budget.counted().items():
            self._tally.bounds[bound] += lines
        for bound, lines in budget.due().items():
            calls = " ".join(sorted(self._lost_calls)) if bound == "log_lost" else ""
            fields = {"EVENT": "bound", "REASON": bound, "LEFT_OUT": str(lines)} | ({"LOST_CALLS": calls} if calls else {})
            of = f", of calls {calls} and perhaps others" if calls else ""
            log.warning(
                "🔇 %d %s%s; raised by %s", lines, SAID[bound], of, BOUNDS[bound], extra={"fields": {**fields, "SUM": "1"}}
            )
            if calls:
                self._lost_calls.clear()

    async def drain(self) -> int:
        """Take no more connections, wait for the live ones to end; returns how many were cut at ``drain.timeout_s``.

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
        """Close what is left with 1001 (going away); returns how many connections that were. `close` is idempotent."""
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
        """What ``GET /health`` says, key for key as the guide's servers did."""
        return {"status": "ok", "service": modes.SERVICES[self.settings.mode], "mode": self.settings.mode}

    async def _connect(self, accepted: socket.socket, ticket: Ticket) -> None:
        timeout_s = self.settings.limits.handshake_timeout_s
        await self._engine.connect(accepted, lambda: Front(ticket, self, self._engine.upgrade, timeout_s))

    def reply(self, head: Head, ticket: Ticket) -> Reply:
        """See `exotel_ws.engines.front.Desk`."""
        target = Target.parse(head.target)
        ticket.may_know = self._may_know(head, ticket)
        if self._test_calls.include(head.headers):
            ticket.vouch()
        if not head.wants_websocket:
            return self._answer_http(head, target, ticket)
        request = Request(head.target, head.headers, ticket.host, ticket)
        rejection = self._reject(head, request, target)
        return request if rejection is None else self._refuse(rejection, target, ticket)

    def refused(self, fault: BadHead, ticket: Ticket) -> None:
        """See `exotel_ws.engines.front.Desk`."""
        self._count_refusal(fault.reason, ticket, f"{fault.text} (from {ticket.host})")
        if fault.reason in ("head_timeout", "head_too_big"):
            ticket.fail(_HEAD_WEIGHT)

    def _refuse(self, rejection: Rejection, target: Target, ticket: Ticket) -> "Answer | asyncio.Future[Answer]":
        # Where credentials are in use, a path may hold one: a wrong or an old one too.
        path = "not shown" if self._credentials else printable(target.path)
        text = f"{rejection.text} (path {path})"
        self._count_refusal(rejection.reason, ticket, text, f" with {rejection.status}", **rejection.fields)
        # How full a worker is, is nobody's business.
        told = rejection.text if ticket.may_know or rejection.status != 503 else "full"
        answer = Answer(rejection.status, _TEXT, told + "\n", rejection.headers)
        if self._credentials is None or rejection.reason not in ("credentials", "path"):
            return answer
        ticket.fail()
        delay_s = ticket.source.delay_s(self._admission.clock())
        return asyncio.ensure_future(asyncio.sleep(delay_s, answer)) if delay_s else answer

    def _count_refusal(self, reason: str, ticket: Ticket, text: str, status: str = "", **fields: str) -> None:
        """Count a refusal and say it; one that comes over and over from one source is said now and then, with its number."""
        self._tally.rejected[reason] += 1
        left_out = self._said.due((reason, ticket.source.name), self._admission.clock())
        if left_out is None:
            return
        more = {"LEFT_OUT": str(left_out)} if left_out else {}
        ours = {"OURS": "1"} if ticket.ours else {}
        said = {"EVENT": "refused", "REASON": reason, "REMOTE": ticket.host, **fields, **more, **ours}
        count = f", and {left_out} more of this kind from there" if left_out else ""
        # Whoever opens the URL in a browser is no trouble.
        level = logging.INFO if reason == "not_websocket" else logging.WARNING
        log.log(level, "🚫 Refused%s: %s%s", status, text, count, extra={"fields": said})

    def _may_know(self, head: Head, ticket: Ticket) -> bool:
        """Metrics and readiness are for this host and listed addresses, and not for whom a proxy on this host lets through."""
        if self.settings.open_metrics or inside(ticket.host, self._metrics_sources):
            return True
        return inside(ticket.host, _THIS_HOST) and not any(name in head.headers for name in _FORWARDED)

    def _answer_http(self, head: Head, target: Target, ticket: Ticket) -> "Answer | asyncio.Future[Answer]":
        if head.method not in ("GET", "HEAD"):
            self._count_refusal("bad_method", ticket, "neither GET nor HEAD")
            return Answer(405, _TEXT, "GET or HEAD\n", (("Allow", "GET, HEAD"),))
        if target.path == "/health":
            return Answer(200, _JSON, _compact(self.health()))
        if ticket.may_know and target.path == "/ready":
            state = "draining" if self.draining else "full" if self._admission.full() or self._mode.full() else "ready"
            return Answer(200 if state == "ready" else 503, _JSON, _compact({"status": state}))
        if ticket.may_know and target.path == "/metrics":
            return asyncio.ensure_future(self._scrape())
        self._count_refusal("not_websocket", ticket, "a request for no WebSocket")
        more = " Over HTTP there are /health, /ready and /metrics." if ticket.may_know else ""
        return Answer(426 if target.path == "/" else 404, _TEXT, f"Exotel connects here by WebSocket.{more}\n", _UPGRADE)

    async def _scrape(self) -> Answer:
        try:
            return Answer(200, CONTENT_TYPE, await self._scrapes.text())
        except OSError as error:
            log.error("metrics can't be read: %s", error)
            return Answer(503, _TEXT, "metrics can't be read\n")

    def _reject(self, head: Head, request: Request, target: Target) -> Rejection | None:
        if rejection := unfit(head):
            return rejection
        if self._credentials and self._credentials.in_header(request.headers) is False:
            text = "the Authorization header holds no valid credential"
            return Rejection(401, "credentials", text, "wrong", (("WWW-Authenticate", 'Basic realm="exotel-voicebot"'),))
        if self.settings.paths and target.path not in self.settings.paths and not self._shows_credential(target):
            return Rejection(404, "path", "this path is not served; see 'paths' in the settings")
        assert request.ticket is not None
        if why := self._lacks_place(request, target, request.ticket):
            return Rejection(503, "full", why)
        return None

    def _lacks_place(self, request: Request, target: Target, ticket: Ticket) -> str:
        credentials = self._credentials
        if credentials and (credentials.in_header(request.headers) or credentials.in_target(target)):
            ticket.prove()
        # A mode that is full of calls which have shown nothing gets room at the start.
        return ticket.open() or ("" if self._admission.has_idle_call(ticket) else self._mode.full())

    def _shows_credential(self, target: Target) -> bool:
        return self._credentials is not None and self._credentials.in_target(target)

    def _places(self) -> dict[str, object]:
        """Return who holds how much, as the admin socket tells it."""
        return {**self._admission.places(), "metrics_computed": self._scrapes.computed}

    def _admin_health(self) -> dict[str, object]:
        """Say who this is. The answer is small whatever the calls are like: deploys and restarts wait for it."""
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
        """The instance's state, as its admin socket tells it."""
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


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
