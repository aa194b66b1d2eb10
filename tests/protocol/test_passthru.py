"""Exotel's Passthru applet asks a real server what follows a call: a transfer and a goodbye are told apart."""

import asyncio
import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, RawClient
from .process import ServerProcess, eventually
from .speaker import Caller

pytestmark = pytest.mark.timeout(180)

SECRET = secrets.token_hex(16)
FLOW = """
greeting: Hi.
fallback: [Pardon]
intents:
  agent: {examples: [talk to a human], dtmf: 0, say: Hold on., then: transfer}
  bye: {examples: [goodbye then], dtmf: 9, say: Bye., then: hang_up}
"""


@pytest.fixture
def start_worker(start_server: StartServer, tmp_path: Path) -> Callable[..., ServerProcess]:
    """Return a function that starts a worker of one host: all share the directory of the admin sockets. Mode ``ai`` talks."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/passthru").write_text(f"{SECRET}\n")
    (tmp_path / "flow.yml").write_text(FLOW)
    (tmp_path / "run").mkdir()

    def start(mode: str = "echo", then: str = "hang_up", **settings: object) -> ServerProcess:
        admin = tmp_path / "run" / f"{secrets.token_hex(4)}.sock"
        arguments = ("--admin-socket", str(admin), "--log-format", "json")
        environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "keys")}
        ai = {"mode": "ai", "ai": {"flow": str(tmp_path / "flow.yml")}, "ai.failure": {"then": then}}
        talks = ai if mode == "ai" else {}
        return start_server({**talks, **settings}, *arguments, environment=environment)

    return start


async def call(server: ServerProcess, sid: str, key: str) -> tuple[int, str]:
    """Call, press a key, and return how the bot closed the stream."""
    async with Phone(server.url()) as phone:
        await phone.open(sid, call_sid=f"call-{sid}")
        caller = Caller(phone, 8000, sid)
        await caller.hears_something()
        await caller.hears_nothing()
        await phone.send(wire.dtmf(key, sid))
        closed = await caller.ended()
        await caller.hang_up()
        return closed


def asks(server: ServerProcess, query: str, secret: str = SECRET) -> tuple[int, bytes]:
    status, _, body = server.fetch(f"/exotel/next/{secret}?{query}")
    return status, body


def test_a_transfer_and_a_goodbye_are_told_apart_by_any_worker_and_after_the_callers_was_killed(
    start_worker: Callable[..., ServerProcess],
) -> None:
    talks, other = start_worker("ai"), start_worker()
    assert asyncio.run(call(talks, "s1", "0")) == (1000, "transfer")
    assert asyncio.run(call(talks, "s2", "9")) == (1000, "hang_up")
    for worker in (talks, other):
        assert asks(worker, "CallSid=call-s1&Direction=incoming&Stream%5BStatus%5D=completed") == (200, b"transfer\n")
        assert asks(worker, "CallSid=call-s2&From=0123") == (302, b"end\n")
    talks.signal(signal.SIGKILL)
    talks.ended()
    newer = start_worker()
    for worker in (other, newer):
        assert asks(worker, "CallSid=call-s1")[0] == 200
        assert asks(worker, "CallSid=call-s2")[0] == 302
    assert newer.metric('passthru_total{outcome="transfer"}') == 1
    assert newer.metric('passthru_total{outcome="end"}') == 1
    (line,) = [line for line in newer.fields("passthru") if line["call_sid"] == "call-s1"]
    assert (line["outcome"], line["how"], line["code"]) == ("transfer", "transfer", "200")
    assert SECRET not in talks.log() + other.log() + newer.log()


def test_a_call_whose_worker_was_killed_goes_where_a_failed_one_does(
    start_worker: Callable[..., ServerProcess],
) -> None:
    talks, other = start_worker("ai", then="transfer"), start_worker()

    async def begin() -> None:
        async with Phone(talks.url()) as phone:
            await phone.open("s3", call_sid="call-s3")
            assert (await phone.receive())["event"] == "media"
            talks.signal(signal.SIGKILL)

    asyncio.run(begin())
    talks.ended()
    assert asks(other, "CallSid=call-s3") == (200, b"transfer\n")
    assert asks(other, "CallSid=call-s4") == (302, b"end\n")


def test_what_no_call_ended_with_is_answered_by_the_setting_and_never_by_a_fault(
    start_worker: Callable[..., ServerProcess],
) -> None:
    server = start_worker(passthru={"unknown": "transfer"}, paths=["/bot"])
    for query in ("CallSid=nobody", "", "CallSid=" + "x" * 1500, "CallSid=%00%ff%2e%2e%2f", "&" * 500, "CallSid"):
        assert asks(server, query) == (200, b"transfer\n"), query[:40]
    assert server.metric('passthru_total{outcome="unknown"}') == 2
    assert server.metric('passthru_total{outcome="no_call_sid"}') == 4
    assert server.fetch(f"/exotel/next/{SECRET}?CallSid=" + "x" * 3000)[0] == 414


def test_a_wrong_secret_is_counted_delayed_and_at_last_kept_away(start_worker: Callable[..., ServerProcess]) -> None:
    server = start_worker()
    for wrong in ("", "wrong", f"{SECRET}x"):
        assert asks(server, "CallSid=a", wrong)[0] == 404
    assert server.metric('handshakes_rejected_total{reason="passthru"}') == 3
    assert len(server.fields("refused")) == 3
    assert SECRET not in server.log()
    with ExitStack() as crowd:
        for _ in range(30):
            client = crowd.enter_context(RawClient(server.port, source="127.0.0.9"))
            client.socket.sendall(b"GET /exotel/next/wrong HTTP/1.1\r\nHost: x\r\n\r\n")

        def barred() -> bool:
            with socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.9", 0)):
                return server.metric('bounds_total{bound="barred"}') >= 1

        eventually(barred, "the source is kept away")
    assert asks(server, "CallSid=a")[0] == 302, "others are not"


def test_without_a_secret_the_path_is_not_there(server: ServerProcess) -> None:
    before = server.metric('handshakes_rejected_total{reason="not_websocket"}')
    assert server.fetch("/exotel/next/anything?CallSid=a")[0] == 404
    assert server.metric('handshakes_rejected_total{reason="not_websocket"}') == before + 1
    assert server.metric('handshakes_rejected_total{reason="passthru"}') == 0


def test_a_proxy_learns_that_who_knows_the_secret_is_no_stranger(start_worker: Callable[..., ServerProcess]) -> None:
    server = start_worker(limits={"proxies": ["127.0.0.2"]})

    def headers(secret: str) -> dict[str, str]:
        with RawClient(server.port, source="127.0.0.2") as client:
            return client.fetch(f"/exotel/next/{secret}?CallSid=a", "X-Forwarded-For: 198.51.100.7")[1]

    assert headers(SECRET)["x-exotel-proven"] == "1"
    assert "x-exotel-proven" not in headers("wrong")
