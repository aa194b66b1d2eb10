"""The Compute API on a port of this machine, held to Google's description of it.

Each request is checked against the document before it is answered, and so is each answer before it is sent. A mistake in
either is a violation: a test that has one fails, whatever it asserts. Every request needs a token that this server issued, or one
that its service account signed, with a scope that the method accepts.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.modules.compute import identity, injected
from tests.modules.compute.answers import ApiError, Call
from tests.modules.compute.discovery import Document, Json, Method, compute_v1
from tests.modules.compute.handlers import HANDLERS, Handler
from tests.modules.compute.store import Store
from tests.modules.compute.tokens import Denied, Grant, Tokens, write_credentials


@dataclass(frozen=True)
class Request:
    """A request of the Compute API as it came. `body` is None when it had none; `principal` is the caller, "" if unknown."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    principal: str = ""


class Requests(list[Request]):
    """The requests of the Compute API, in the order in which they came."""

    @property
    def writes(self) -> list[Request]:
        """Return the requests that change something: all but GET, and but the POST that waits for an operation."""
        return [one for one in self if one.method != "GET" and not one.path.endswith("/wait")]


class Dropped(Exception):
    """Order to close the connection without an answer."""


class ComputeServer:
    """Server on a free port of 127.0.0.1, in threads of this process. Any thread may use it."""

    def __init__(self, handlers: Mapping[str, Handler] = HANDLERS) -> None:
        self.document: Document = compute_v1()
        self.store = Store()
        self.requests = Requests()
        self.violations: list[str] = []
        self.tokens = Tokens(self.document.root)
        self._handlers = handlers
        self._faults = injected.Faults()
        self._lock = threading.RLock()
        self._http = _Http(("127.0.0.1", 0), self._reply)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end all connections, once or again."""
        self._http.shutdown()
        self._http.server_close()
        self._http.end_connections()
        self._thread.join()

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int,
        reason: str = "",
        message: str = "",
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        details: list[Json] | None = None,
        raw: str | None = None,
    ) -> None:
        """Answer the next `times` requests of `method` whose path matches the regular expression `path` with an error only.

        `details` are added to Google's JSON; `raw` is sent in its place.
        """
        with self._lock:
            self._faults.fail(method, path, injected.error(status, reason, message, headers, details, raw), times)

    def drop(self, method: str, path: str, times: int = 1, *, carried_out: bool = False) -> None:
        """Leave the next `times` such requests without an answer. `carried_out`: they take effect."""
        with self._lock:
            self._faults.drop(method, path, times, carried_out=carried_out)

    def fail_operation(self, kind: str, *, code: str, message: str) -> None:
        """End the next operation of `kind` ("insert", "update", "delete") with an error and without effect."""
        with self._lock:
            self.store.operations.fail_next(kind, code, message)

    def stall_operations(self) -> None:
        """Let no operation end from now on."""
        self.store.operations.stalled = True

    def credentials_file(self, directory: Path) -> Path:
        """Write a service account's key file in `directory`, readable by its owner; its token_uri is this server."""
        return write_credentials(self.tokens, f"{self.url}/token", directory)

    def take_violations(self) -> list[str]:
        """Return and forget the violations so far, for a test that provokes them."""
        with self._lock:
            taken, self.violations = self.violations, []
            return taken

    def _reply(self, http: str, target: str, headers: Mapping[str, str], body: bytes) -> identity.Reply:
        """Return the answer to one request, whose headers have names in lower case. Raises Dropped."""
        url = urlsplit(target)
        try:
            with self._lock:
                reply = self._answered(http, url.path, url.query, headers, body)
        except ApiError as error:
            return identity.Reply(error.status, error.body(), error.headers)
        if url.path.endswith("/wait") and isinstance(reply.body, dict) and reply.body.get("status") == "RUNNING":
            time.sleep(self.store.operations.wait_seconds)
        return reply

    def _answered(self, http: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> identity.Reply:
        fault = self._faults.next(http, path)
        if not path.startswith(self.document.base_path):
            return self._identified(fault, http, path, query, headers, body)
        grant = self._grant(headers)
        method, call = self._understood(http, path, query, headers, body, grant.principal if grant else "")
        if fault and not fault.carried_out:
            _strike(fault)
        if grant is None:
            raise ApiError(401, "required", "Login Required.", {"WWW-Authenticate": "Bearer"})
        if not grant.scopes & method.scopes:
            raise ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        reply = identity.Reply(200, self._done(method, call), {})
        _strike(fault)
        return reply

    def _identified(
        self, fault: injected.Fault | None, http: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> identity.Reply:
        """Return the answer to a request that is not of the Compute API."""
        if fault and fault.error:
            return identity.refused(path, fault.error)
        _strike(fault)
        reply = identity.answer(self.tokens, http, path, query, headers, body)
        if reply is None:
            raise self._violation(f"{http} {path}", ["there is no such path"], 404)
        return reply

    def _grant(self, headers: Mapping[str, str]) -> Grant | None:
        try:
            return self.tokens.holder(headers.get("authorization", ""))
        except Denied:
            return None

    def _understood(
        self, http: str, path: str, query: str, headers: Mapping[str, str], body: bytes, principal: str
    ) -> tuple[Method, Call]:
        """Record a request and return its method and its call. Raises ApiError: it is a violation."""
        given, what, complaints = parse_qs(query, keep_blank_values=True), f"{http} {path}", []
        sent = None
        if body:
            try:
                sent = json.loads(body)
            except ValueError as error:
                complaints.append(f"the body is no JSON: {error}")
            if headers.get("content-type", "").partition(";")[0] != "application/json":
                complaints.append(f"the body is sent as {headers.get('content-type')}, not as application/json")
        flat = {name: values[-1] for name, values in given.items()}
        self.requests.append(Request(http, path, flat, deepcopy(sent), principal))
        routed = self.document.route(http, path)
        if routed is None:
            raise self._violation(what, ["the API has no such method"], 404)
        method, parameters = routed
        if not complaints:
            complaints = self.document.of_call(method, parameters, given, sent)
        if complaints:
            raise self._violation(what, complaints, 400)
        return method, Call(method.id, parameters, flat, sent or {}, principal)

    def _done(self, method: Method, call: Call) -> Json:
        """Return the handler's answer, held to the document."""
        handler = self._handlers.get(method.id)
        if handler is None:
            raise self._violation(method.id, ["this server has no such method yet"], 501)
        answer = deepcopy(self.store.operations.repeated(call) or handler(self.store, call))
        if complaints := self.document.of_answer(method, answer):
            raise self._violation(f"the answer of {method.id}", complaints, 500)
        return answer

    def _violation(self, what: str, complaints: list[str], status: int) -> ApiError:
        """Remember a violation and return the error for the caller."""
        said = [f"{what}: {complaint}" for complaint in complaints]
        self.violations.extend(said)
        return ApiError(status, "badRequest" if status == 400 else "contractViolation", "; ".join(said))


def _strike(fault: injected.Fault | None) -> None:
    """Raise the ApiError or Dropped of a fault."""
    if fault is not None:
        raise fault.error or Dropped()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], reply: Callable[[str, str, Mapping[str, str], bytes], identity.Reply]) -> None:
        super().__init__(address, _Connection)
        self.reply = reply
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """End the connections that clients keep open for further requests."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    """Connection of a client, kept open between requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Http

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            reply = self.server.reply(self.command, self.path, headers, body)
        except Dropped:
            self.close_connection = True
            return
        is_text = isinstance(reply.body, str)
        data = str(reply.body).encode() if is_text else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a test has `requests`."""
