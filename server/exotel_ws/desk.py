"""Judge a request, with any engine: open a WebSocket, give an HTTP answer, or refuse with a log line and a count."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

from exotel_ws import forwarded
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.admission.sampler import Sampler
from exotel_ws.admission.sources import inside, networks
from exotel_ws.engines.head import BadHead, Head
from exotel_ws.engines.request import Answer, Reply, Request
from exotel_ws.handshake import Credentials, Rejection, Target, unfit
from exotel_ws.logs import printable
from exotel_ws.metrics.publisher import CONTENT_TYPE
from exotel_ws.metrics.scrapes import Scrapes
from exotel_ws.metrics.tally import Tally
from exotel_ws.ours import TestCalls
from exotel_ws.passthru.passthru import Passthru
from exotel_ws.responder import Mode
from exotel_ws.settings import Settings

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_THIS_HOST: Final = networks(["127.0.0.0/8", "::1"], "this host")
_FORWARDED: Final = ("Forwarded", forwarded.HEADER, "X-Real-Ip", "Via")
_PROVEN: Final = (("X-Exotel-Proven", "1"),)
"""Header of a 101, or of a next applet, by which a proxy learns that its client is no stranger."""
_TOO_SOON: Final = ("handshake_rate", "barred")
"""Bounds that bite for a while on one source, so that it has to come later (429); the others mean a full server (503)."""
_UPGRADE: Final = (("Upgrade", "websocket"),)
_SAY_EVERY_S: Final = 10.0
_SAY_AT_ONCE: Final = 20
"""Refusals of one reason and source that are all logged; after them one in ten seconds."""
_HEAD_WEIGHT: Final = 0.2
"""Weight of an unfinished request as a failure; a wrong credential weighs 1."""

log = logging.getLogger("exotel_ws.server")


class Desk:
    """Judges requests for a worker. See `exotel_ws.engines.front.Desk`.

    ``credentials`` is None where none are asked for, ``passthru`` where Exotel asks for no next applet.
    ``draining`` and ``health`` ask the worker for its state.
    """

    def __init__(
        self,
        settings: Settings,
        tally: Tally,
        admission: Admission,
        credentials: Credentials | None,
        mode: Mode,
        scrapes: Scrapes,
        test_calls: TestCalls,
        passthru: Passthru | None = None,
        *,
        draining: Callable[[], bool],
        health: Callable[[], dict[str, str]],
    ) -> None:
        """Raises `SettingsError` if ``metrics_sources`` holds a text that is no address."""
        self._settings = settings
        self._tally = tally
        self._admission = admission
        self._credentials = credentials
        self._mode = mode
        self._scrapes = scrapes
        self._test_calls = test_calls
        self._passthru = passthru
        self._draining = draining
        self._health = health
        self._metrics_sources = networks(settings.metrics_sources, "metrics_sources")
        self._said = Sampler(_SAY_EVERY_S, _SAY_AT_ONCE)

    def move(self, ticket: Ticket, host: str) -> Answer | None:
        """See `exotel_ws.engines.front.Desk`."""
        bound = ticket.move(host)
        return kept_out(bound) if bound else None

    def reply(self, head: Head, ticket: Ticket) -> Reply:
        """See `exotel_ws.engines.front.Desk`."""
        named = ticket.source.proxy and forwarded.HEADER in head.headers
        if named and (refusal := self._move_to_client(head, ticket)):
            return refusal
        target = Target.parse(head.target)
        ticket.may_know = self._may_know(head, ticket)
        if self._test_calls.include(head.headers):
            ticket.vouch()
        if not head.wants_websocket:
            return self._answer_http(head, target, ticket, named=named)
        request = Request(head.target, head.headers, ticket.host, ticket)
        rejection = self._reject(head, request, target)
        if rejection is not None:
            return self._refuse(rejection, target, ticket)
        return request._replace(answer_headers=_PROVEN) if named and ticket.trusted else request

    def _move_to_client(self, head: Head, ticket: Ticket) -> Answer | None:
        try:
            client = forwarded.client(head.headers[forwarded.HEADER], self._admission.is_proxy)
        except forwarded.BadForwarded as fault:
            self._count_refusal("bad_forwarded", ticket, f"{fault} (from {ticket.host})", " with 400")
            return Answer(400, _TEXT, f"{fault}\n")
        return self.move(ticket, client)

    def refused(self, fault: BadHead, ticket: Ticket) -> None:
        """See `exotel_ws.engines.front.Desk`."""
        self._count_refusal(fault.reason, ticket, f"{fault.text} (from {ticket.host})")
        if fault.reason in ("head_timeout", "head_too_big"):
            ticket.fail(_HEAD_WEIGHT)

    def _refuse(self, rejection: Rejection, target: Target, ticket: Ticket) -> "Answer | asyncio.Future[Answer]":
        # If credentials are in use, a path may contain one, even in a refused request: mistyped or expired.
        path = "not shown" if self._credentials else printable(target.path)
        text = f"{rejection.text} (path {path})"
        self._count_refusal(rejection.reason, ticket, text, f" with {rejection.status}", **rejection.fields)
        # Strangers must not learn how full a worker is.
        told = rejection.text if ticket.may_know or rejection.status != 503 else "full"
        answer = Answer(rejection.status, _TEXT, told + "\n", rejection.headers)
        if self._credentials is None or rejection.reason not in ("credentials", "path"):
            return answer
        return self._after_failure(answer, ticket)

    def _after_failure(self, answer: Answer, ticket: Ticket) -> "Answer | asyncio.Future[Answer]":
        """Count a wrong secret against the source; return the answer to it, which comes the later the more of them there were."""
        ticket.fail()
        delay_s = ticket.source.delay_s(self._admission.clock())
        return asyncio.ensure_future(asyncio.sleep(delay_s, answer)) if delay_s else answer

    def _count_refusal(self, reason: str, ticket: Ticket, text: str, status: str = "", **fields: str) -> None:
        """Count a refusal and log it; repeated ones of one source are sampled, each line with the number left out."""
        self._tally.rejected[reason] += 1
        left_out = self._said.due((reason, ticket.source.name), self._admission.clock())
        if left_out is None:
            return
        more = {"LEFT_OUT": str(left_out)} if left_out else {}
        ours = {"OURS": "1"} if ticket.ours else {}
        said = {"EVENT": "refused", "REASON": reason, "REMOTE": ticket.host, **fields, **more, **ours}
        count = f", and {left_out} more of this kind from there" if left_out else ""
        # Opening the URL in a browser is harmless.
        level = logging.INFO if reason == "not_websocket" else logging.WARNING
        log.log(level, "🚫 Refused%s: %s%s", status, text, count, extra={"fields": said})

    def _may_know(self, head: Head, ticket: Ticket) -> bool:
        """Return True for this host and listed addresses, but not for requests that a proxy forwards from a loopback."""
        if self._settings.open_metrics or inside(ticket.host, self._metrics_sources):
            return True
        return inside(ticket.host, _THIS_HOST) and not (ticket.moved or any(name in head.headers for name in _FORWARDED))

    def _answer_http(self, head: Head, target: Target, ticket: Ticket, *, named: bool) -> "Answer | asyncio.Future[Answer]":
        if head.method not in ("GET", "HEAD"):
            self._count_refusal("bad_method", ticket, "neither GET nor HEAD")
            return Answer(405, _TEXT, "GET or HEAD\n", (("Allow", "GET, HEAD"),))
        if target.path == "/health":
            return Answer(200, _JSON, _compact(self._health()))
        if self._passthru and self._passthru.asked(target):
            return self._next_applet(self._passthru, target, ticket, named=named)
        if ticket.may_know and target.path == "/ready":
            state = "draining" if self._draining() else "full" if self._full() else "ready"
            return Answer(200 if state == "ready" else 503, _JSON, _compact({"status": state}))
        if ticket.may_know and target.path == "/metrics":
            return asyncio.ensure_future(self._scrape())
        self._count_refusal("not_websocket", ticket, "a request for no WebSocket")
        more = " Over HTTP there are /health, /ready and /metrics." if ticket.may_know else ""
        return Answer(426 if target.path == "/" else 404, _TEXT, f"Exotel connects here by WebSocket.{more}\n", _UPGRADE)

    def _next_applet(
        self, passthru: Passthru, target: Target, ticket: Ticket, *, named: bool
    ) -> "Answer | asyncio.Future[Answer]":
        if not passthru.admits(target):
            self._count_refusal("passthru", ticket, "a request for the next applet without the secret in its path", " with 404")
            return self._after_failure(Answer(404, _TEXT, "Not found\n"), ticket)
        ticket.prove()
        answer = passthru.answer(target, ticket.host)
        return answer._replace(headers=answer.headers + _PROVEN) if named else answer

    async def _scrape(self) -> Answer:
        try:
            return Answer(200, CONTENT_TYPE, await self._scrapes.text())
        except OSError as error:
            log.error("metrics can't be read: %s", error)
            return Answer(503, _TEXT, "metrics can't be read\n")

    def _reject(self, head: Head, request: Request, target: Target) -> Rejection | None:
        if rejection := unfit(head):
            return rejection
        credentials = self._credentials
        if credentials and "Authorization" in request.headers and not credentials.in_header(request.headers):
            text, detail = "the Authorization header holds no valid credential", self._retired(request, target) or "wrong"
            return Rejection(401, "credentials", text, detail, (("WWW-Authenticate", 'Basic realm="exotel-voicebot"'),))
        if self._settings.paths and target.path not in self._settings.paths and not self._shows_credential(target):
            text = "this path is not served; see 'paths' in the settings"
            return Rejection(404, "path", text, self._retired(request, target))
        assert request.ticket is not None
        if why := self._lacks_place(request, target, request.ticket):
            return Rejection(503, "full", why)
        return None

    def _retired(self, request: Request, target: Target) -> str:
        """Return the word for the log if the refused credential was good before; else an empty text."""
        return "retired" if self._credentials and self._credentials.had(request.headers, target, {}) else ""

    def _lacks_place(self, request: Request, target: Target, ticket: Ticket) -> str:
        credentials = self._credentials
        if credentials and credentials.in_handshake(request.headers, target):
            ticket.prove()
        # A full mode is no obstacle while an unproven call can lose its place at the start.
        return ticket.open() or ("" if self._admission.has_idle_call(ticket) else self._mode.full())

    def _full(self) -> bool:
        """Return True if an unknown caller would be turned away."""
        return bool(self._admission.full()) or (not self._admission.has_idle_call(None) and bool(self._mode.full()))

    def _shows_credential(self, target: Target) -> bool:
        return self._credentials is not None and bool(self._credentials.in_target(target))


def kept_out(bound: str) -> Answer:
    """Return the answer to a client that a bound of admission keeps out; without a proxy it gets none."""
    return Answer(429, _TEXT, "too many requests\n") if bound in _TOO_SOON else Answer(503, _TEXT, "full\n")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
