"""Systems of a bot's owner on the lab's own machine: a tool, and what is told of each call's end. Both check who asks."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from tests.unit.server.test_ai_outward import is_genuine

HOST: Final = "198.18.65.1"


class Systems:
    """HTTP server: ``/order`` is a tool, ``/ended`` takes reports. Each answers 403 to what is not signed with its secret."""

    def __init__(self, secrets: dict[str, str]) -> None:
        """``secrets`` are those by which a path's requests are signed."""
        self.secrets = secrets
        self.asked: list[dict[str, Any]] = []
        """Bodies that the tool was sent."""
        self.reports: list[tuple[str, dict[str, Any]]] = []
        """Idempotency key and body of each report that was taken."""
        self.refused: list[str] = []
        """Idempotency key of each report that was answered 503."""
        self.takes_reports = threading.Event()
        systems = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, told = systems.answer(self.path, dict(self.headers), body)
                said = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *_: Any) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="systems")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        if not is_genuine(self.secrets[path], headers, body, now=time.time()):
            return 403, {}
        told = json.loads(body)
        if path == "/order":
            self.asked.append(told)
            return 200, {"status": "on its way"}
        key = headers["Idempotency-Key"]
        if not self.takes_reports.is_set():
            self.refused.append(key)
            return 503, {}
        self.reports.append((key, told))
        return 200, {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
