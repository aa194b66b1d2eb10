"""Exotel's API for calls, as documented, over HTTP on loopback: it notes what is asked, and gives its answers in turn."""

import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

SID = "b6455fc02f4c9dae9ab1e4a2bdbe1a4r"
PLACED = f'{{"Call": {{"Sid": "{SID}", "Status": "in-progress", "Direction": "outbound-api", "RecordingUrl": null}}}}'


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    authorization: str
    form: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer; ``late`` is never given, until the server closes."""

    status: int = 200
    body: str = PLACED
    headers: dict[str, str] = field(default_factory=dict)
    late: bool = False


@dataclass
class ExotelApi:
    url: str
    replies: list[Reply]
    """Answers that are still to be given; the last one is given again and again."""
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(*replies: Reply) -> Iterator[ExotelApi]:
    """Serve the API until the block ends."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            api.asked.append(Asked(self.command, self.path, self.headers.get("Authorization", ""), form))
            reply = api.replies.pop(0) if len(api.replies) > 1 else api.replies[0]
            if reply.late:
                ended.wait(60)
                return
            body = reply.body.encode()
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api = ExotelApi(f"http://127.0.0.1:{server.server_port}", list(replies) or [Reply()])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


if __name__ == "__main__":  # on another host: the address on the first line, then each request on one
    with serving() as running:
        print(running.url, flush=True)
        told = 0
        while True:
            threading.Event().wait(0.1)
            for one in running.asked[told:]:
                print(json.dumps(dataclasses.asdict(one)), flush=True)
            told = len(running.asked)
