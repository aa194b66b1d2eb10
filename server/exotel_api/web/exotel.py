"""Answer what Exotel asks about a call: the Passthru applet behind the Voicebot, and status callbacks.

Passthru waits with the caller on the line, so its answer comes from what it tells, and waits for no disk.
"""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Final

from exotel_ws.admission.sampler import Sampler
from exotel_ws.logs import printable
from exotel_ws.path_secrets import PathSecrets
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from exotel_api.callbacks.call_status import CallStatus
from exotel_api.callbacks.ended_stream import EndedStream
from exotel_api.callbacks.fields import MOST_BODY, Fields, read
from exotel_api.callbacks.inbox import Full, Inbox, Kind
from exotel_api.settings import Settings
from exotel_api.web.tally import Tally

_BODY_S: Final = 5.0
"""Seconds in which a body has to come; what has not come by then counts as not sent."""
_METHODS: Final = ["GET", "POST"]
_LINES: Final = 100
"""Lines of one kind at once, then one a second."""
_NO_STORE: Final = {"Cache-Control": "no-store"}

log = logging.getLogger("exotel_api")


class Exotel:
    """Routes below ``/exotel``, for who knows one of the ``secrets``."""

    def __init__(self, settings: Settings, secrets: PathSecrets, inbox: Inbox, tally: Tally) -> None:
        self._settings = settings
        self._secrets = secrets
        self._inbox = inbox
        self._tally = tally
        self._sampler = Sampler(1.0, _LINES)
        self.routes: Final = APIRouter(prefix="/exotel", tags=["Exotel"])
        self.routes.add_api_route("/passthru/{secret}", self.passthru, methods=_METHODS, response_class=PlainTextResponse)
        self.routes.add_api_route("/status/{secret}", self.status, methods=_METHODS, response_class=PlainTextResponse)

    async def passthru(self, secret: str, request: Request) -> Response:
        """Say which way a call goes on: 200 the first, 302 the second. In any shape, with any fields, by GET or POST."""
        received = time.time()
        fields = await self._told("passthru", secret, request)
        ended = EndedStream.of(fields)
        way = ended.way(self._settings.passthru.second_way)
        how = f"stream {ended.status or 'of unknown end'}, ended by {ended.ended_by}"
        self._say("passthru", ended.call_sid, f"🔀 Passthru: {printable(how)}: {way}", way)
        keep = BackgroundTask(self._keep, "passthru", fields, _remote(request), received)
        return PlainTextResponse(f"{way}\n", way, _NO_STORE, background=keep)

    async def status(self, secret: str, request: Request) -> Response:
        """Take the status of a call that was placed by Exotel's API. Once it is answered with 200, it is on the disk."""
        received = time.time()
        fields = await self._told("status", secret, request)
        told = CallStatus.of(fields)
        kept = await run_in_threadpool(self._keep, "status", fields, _remote(request), received)
        code = HTTPStatus.OK if kept else HTTPStatus.SERVICE_UNAVAILABLE
        self._say("status", told.call_sid, f"📬 Call {printable(told.status or 'without a status', 40)}", code)
        if not kept:
            raise HTTPException(code, "it could not be kept", {"Retry-After": "10"})
        return PlainTextResponse("kept\n", headers=_NO_STORE)

    async def _told(self, kind: Kind, secret: str, request: Request) -> Fields:
        """Return the fields of a request. Raises HTTPException for one with another secret."""
        if not self._secrets.admit(secret):
            self._tally.callbacks.labels(kind, "refused").inc()
            self._warn("refused", f"⛔ A request for {kind} with a wrong secret in its path, from {_remote(request)}")
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return read(request.url.query, await _body(request))

    def _keep(self, kind: Kind, fields: Fields, remote: str, received: float) -> bool:
        """Put a callback on the disk. Return False, and say so, if that is not possible."""
        try:
            self._inbox.put(kind, fields, remote, received)
        except Full as full:
            self._tally.callbacks.labels(kind, "lost").inc()
            self._warn("lost", f"🕳️ A callback is lost: {full}")
            return False
        self._tally.callbacks.labels(kind, "kept").inc()
        return True

    def _say(self, kind: Kind, call_sid: str, text: str, code: int) -> None:
        left_out = self._sampler.due(kind, time.monotonic())
        if left_out is None:
            return
        said = {"EVENT": "callback", "KIND": kind, "CODE": str(int(code))}
        said |= {"CALL_SID": printable(call_sid, 128)} if call_sid else {}
        said |= {"LEFT_OUT": str(left_out)} if left_out else {}
        log.info("%s", text, extra={"fields": said})

    def _warn(self, why: str, text: str) -> None:
        left_out = self._sampler.due(why, time.monotonic())
        if left_out is not None:
            said = {"EVENT": "callback", "KIND": why} | ({"LEFT_OUT": str(left_out)} if left_out else {})
            log.warning("%s", text, extra={"fields": said})


def _remote(request: Request) -> str:
    return request.client.host if request.client else ""


async def _body(request: Request) -> bytes:
    """Return the body as far as it came in time, and one byte more than is read at most."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BODY:
                    break
    except (TimeoutError, ClientDisconnect):
        pass
    return bytes(body[: MOST_BODY + 1])
