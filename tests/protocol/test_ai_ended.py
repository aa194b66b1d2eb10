"""Ended calls of real servers are reported to a real HTTP server that checks the signature, over a worker's SIGKILL too."""

import asyncio
import hashlib
import hmac
import json
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess, eventually
from .speaker import Caller

pytestmark = pytest.mark.timeout(400)

SECRET = secrets.token_hex(16)
FLOW = """
greeting: Hi.
fallback: [Pardon]
intents:
  agent: {examples: [talk to a human], dtmf: 0, say: Hold on., then: transfer}
"""


class Hook(ThreadingHTTPServer):
    """System of the user's. It takes reports while it is `up`, and answers 503 else."""

    daemon_threads = True

    def __init__(self) -> None:
        self.up = True
        self.refused = 0
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.forged: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ended"

    def of(self, call_sid: str) -> list[dict[str, Any]]:
        return [told for _, told in self.told if told["call_sid"] == call_sid]


class _Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        stamp = self.headers["X-Exotel-Voicebot-Timestamp"]
        made = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if self.headers["X-Exotel-Voicebot-Signature"] != f"v1={made}":
            self.server.forged.append(body)
        elif self.server.up:
            self.server.told.append((self.headers["Idempotency-Key"], json.loads(body)))
        else:
            self.server.refused += 1
        self.send_response(200 if self.server.up else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.shutdown()
    made.server_close()
    assert made.forged == []


@pytest.fixture
def start_bot(start_server: StartServer, tmp_path: Path, hook: Hook) -> Callable[[], ServerProcess]:
    """Return a function that starts a worker of one host: all share the spool."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/ended").write_text(f"{SECRET}\n")
    (tmp_path / "flow.yml").write_text(FLOW)
    spool = {"directory": str(tmp_path / "spool")}
    settings = {"mode": "ai", "ai": {"flow": str(tmp_path / "flow.yml"), "ended_url": hook.url}, "ai.spool": spool}
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "keys")}
    return lambda: start_server(settings, "--log-format", "json", environment=environment)


async def transferred(server: ServerProcess, sid: str) -> None:
    async with Phone(server.url()) as phone:
        await phone.open(sid, call_sid=f"call-{sid}")
        caller = Caller(phone, 8000, sid)
        await caller.hears_something()
        await caller.hears_nothing()
        await phone.send(wire.dtmf("0", sid))
        assert await caller.ended() == (1000, "transfer")
        await caller.hang_up()


async def cut(server: ServerProcess, sid: str) -> None:
    """Kill the worker in the middle of a call."""
    async with Phone(server.url()) as phone:
        await phone.open(sid, call_sid=f"call-{sid}")
        assert (await phone.receive())["event"] == "media"
        await asyncio.sleep(0.5)
        server.signal(signal.SIGKILL)
        server.ended()


def test_every_call_is_reported_once_over_an_outage_and_a_killed_worker(
    start_bot: Callable[[], ServerProcess], hook: Hook, tmp_path: Path
) -> None:
    talks = start_bot()
    asyncio.run(transferred(talks, "s1"))
    (told,) = eventually(lambda: hook.of("call-s1"), "a report of the call")
    assert (told["event"], told["outcome"], told["reason"], told["slots"]) == ("call.ended", "transfer", "agent", {})
    assert (told["stream_sid"], told["from"], told["to"]) == ("s1", "09876543210", "02012345678")
    assert told["duration_ms"] > 0
    assert told["latencies_ms"]["greeting"]
    assert [event["what"] for event in told["transcript"]] == ["bot", "dtmf", "tool", "bot"]
    eventually(lambda: list((tmp_path / "spool").iterdir()) == [], "nothing waits")

    hook.up = False
    asyncio.run(transferred(talks, "s2"))
    eventually(lambda: hook.refused, "a report that is refused")
    asyncio.run(cut(talks, "s3"))
    assert len(list((tmp_path / "spool").iterdir())) == 2, "one that was refused, and one that nobody ended"

    hook.up = True
    newer = start_bot()
    (late,) = eventually(lambda: hook.of("call-s2"), "the report that was refused before", 60)
    (lost,) = eventually(lambda: hook.of("call-s3"), "the report of the call that was cut", 60)
    assert late["outcome"] == "transfer"
    assert (lost["outcome"], lost["from"], lost["transcript"]) == ("lost", "09876543210", [])
    assert [len(hook.of(f"call-s{number}")) for number in (1, 2, 3)] == [1, 1, 1]
    assert len({key for key, _ in hook.told}) == 3
    eventually(lambda: newer.metric('ai_ended_reports_total{result="sent"}') == 2, "the count of them")
    assert newer.metric("ai_ended_pending") == 0
    for server in (talks, newer):
        assert SECRET not in server.log()
        assert "0987654" not in server.log(), "a number is in the log"
    assert {line["outcome"] for line in talks.fields("ended_report")} == {"sent", "failed"}
