"""Reports of ended calls reach the user's system, signed, at least once, and do not press one that is down."""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from exotel_ws.ai.ended import address, courier
from exotel_ws.ai.ended.courier import Courier
from exotel_ws.ai.ended.spool import Spool
from exotel_ws.ai.outward.client import Destination, Outward
from exotel_ws.ai.records.tally import AiTally
from exotel_ws.ai.settings import Ai
from exotel_ws.ai.settings import Spool as SpoolSettings

SECRET = "a-secret-of-nobody"
BEGAN: dict[str, Any] = {"call_sid": "call1", "outcome": "", "transcript": [], "transcript_lost": 0}


class Hook:
    """System of the user's: answers ``statuses`` in turn, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.at_once = self.most_at_once = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        body = await request.read()
        stamp = request.headers["X-Exotel-Voicebot-Timestamp"]
        made = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert request.headers["X-Exotel-Voicebot-Signature"] == f"v1={made}"
        self.requests.append((request.headers["Idempotency-Key"], json.loads(body)))
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def serving(hook: Hook, port: int = 0) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/ended", hook.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def worker(directory: Path, port: int, **settings: Any) -> AsyncIterator[tuple[Courier, AiTally]]:
    outward, tally = Outward(), AiTally()
    to = Destination(f"http://127.0.0.1:{port}/ended", signing=SECRET, allow_loopback=True, status_alone=True)
    spool = Spool(SpoolSettings(directory=str(directory), **settings))
    made = Courier(spool, to, outward, tally, time.time)
    try:
        yield made, tally
    finally:
        await made.close()
        await outward.close()


async def until(what: Callable[[], Any], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not what():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_FIRST_S", 0.01)
    monkeypatch.setattr(courier, "_LOOK_S", 0.05)


def test_a_call_is_reported_once_it_has_ended_and_not_before(tmp_path: Path) -> None:
    async def test() -> None:
        hook = Hook()
        async with serving(hook) as port, worker(tmp_path / "s", port) as (sender, tally):
            report = sender.report(BEGAN)
            await asyncio.sleep(0.2)
            assert hook.requests == []
            report.end({"outcome": "transfer", "reason": "angry", "summary": "Order 12."})
            await until(lambda: tally.ended_reports["sent"])
            ((key, told),) = hook.requests
            assert told == {**BEGAN, "outcome": "transfer", "reason": "angry", "summary": "Order 12.", "id": key}
            assert list((tmp_path / "s").iterdir()) == []
            assert tally.ended_reports == {"sent": 1, "failed": 0, "dropped": 0}

    asyncio.run(test())


def test_it_is_sent_again_with_the_same_key_until_it_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        hook = Hook(500, 404, 302)
        async with serving(hook) as port, worker(tmp_path / "s", port) as (sender, tally):
            sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["sent"])
            assert len(hook.requests) == 4
            assert len({key for key, _ in hook.requests}) == 1
            assert tally.ended_reports == {"sent": 1, "failed": 3, "dropped": 0}
            await until(lambda: tally.ended_pending == 0)

    asyncio.run(test())
    fields = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert {told["REASON"].rpartition(": ")[2] for told in fields if told["OUTCOME"] == "failed"} == {
        f"HTTP {s}" for s in (500, 404, 302)
    }
    assert SECRET not in caplog.text


def test_what_was_not_sent_before_a_restart_is_sent_after_it(tmp_path: Path) -> None:
    async def test() -> None:
        hook = Hook()
        async with serving(hook) as port:
            pass
        async with worker(tmp_path / "s", port) as (sender, tally):
            for _ in range(3):
                sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["failed"] and tally.ended_pending == 3)
            assert tally.ended_reports["failed"] < 20
        assert len(list((tmp_path / "s").iterdir())) == 3
        async with serving(hook, port), worker(tmp_path / "s", port) as (_, tally):
            await until(lambda: tally.ended_reports["sent"] == 3)
        assert len({key for key, _ in hook.requests}) == 3

    asyncio.run(test())


def test_one_that_ends_as_the_worker_does_is_on_disk(tmp_path: Path) -> None:
    async def test() -> None:
        async with worker(tmp_path / "s", 9) as (sender, _):
            sender.report(BEGAN).end({"outcome": "drained"})
        (file,) = (tmp_path / "s").iterdir()
        assert json.loads(file.read_bytes())["outcome"] == "drained"

    asyncio.run(test())


def test_several_workers_share_the_work_and_none_of_it_is_done_twice(tmp_path: Path) -> None:
    async def test() -> None:
        hook = Hook()
        async with (
            serving(hook) as port,
            worker(tmp_path / "s", port) as (one, first),
            worker(tmp_path / "s", port) as (two, second),
        ):
            for _ in range(20):
                for sender in (one, two):
                    sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: first.ended_reports["sent"] + second.ended_reports["sent"] == 40)
            assert len(hook.requests) == 40
            assert len({key for key, _ in hook.requests}) == 40
            assert list((tmp_path / "s").iterdir()) == []

    asyncio.run(test())


def test_a_system_that_is_down_is_asked_for_one_at_a_time(tmp_path: Path) -> None:
    async def test() -> None:
        hook = Hook(*[503] * 8)
        async with serving(hook) as port, worker(tmp_path / "s", port) as (sender, tally):
            sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["failed"])
            hook.most_at_once = 0
            for _ in range(10):
                sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["failed"] == 7)
            assert hook.most_at_once == 1
            await until(lambda: tally.ended_reports["sent"] == 11)

    asyncio.run(test())


def test_one_that_is_never_taken_keeps_no_other_from_being_sent(tmp_path: Path) -> None:
    async def test() -> None:
        hook = Hook()

        async def refuse(request: web.Request) -> web.Response:
            told = json.loads(await request.read())
            hook.requests.append((request.headers["Idempotency-Key"], told))
            return web.Response(status=422 if told["call_sid"] == "bad" else 200)

        hook.answer = refuse  # type: ignore[method-assign]
        async with serving(hook) as port, worker(tmp_path / "s", port) as (sender, tally):
            sender.report({**BEGAN, "call_sid": "bad"}).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["failed"])
            for _ in range(5):
                sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["sent"] == 5)

    asyncio.run(test())


def test_what_is_too_much_is_dropped_oldest_first_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with worker(tmp_path / "s", 9, most_records=2) as (sender, tally):
            for _ in range(5):
                sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["dropped"] == 3)
            await until(lambda: tally.ended_pending == 2)

    asyncio.run(test())
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) >= 1
    assert "ai.spool" in caplog.text


def test_a_disk_that_takes_nothing_is_told_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "s").write_text("a file")

    async def test() -> None:
        async with worker(tmp_path / "s", 9) as (sender, tally):
            sender.report(BEGAN).end({"outcome": "hang_up"})
            await until(lambda: tally.ended_reports["dropped"])

    asyncio.run(test())
    assert "the spool takes nothing" in caplog.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ended_url": "hooks.example/x"}, "ai.ended_url: is no address to post to"),
        ({"ended_url": "http://169.254.169.254/x"}, "where nothing is sent"),
        ({"ended_url": "https://user:word@hooks.example/x"}, "take it out"),
        ({"ended_url": "https://hooks.example/x", "ended_credential": "mine"}, "exotel_ws_ai_keys: {mine:"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (problem,) = address.problems(Ai(**settings), read_keys=True)  # type: ignore[arg-type]
    assert said in problem


def test_reports_are_signed_where_there_is_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = Ai(ended_url="https://hooks.example/x")
    assert address.problems(settings, read_keys=True) == []
    assert "anybody could make them" in caplog.text
    (tmp_path / "ended").write_text(SECRET)
    made = address.destination(settings)
    assert made is not None
    assert (made.signing, made.allow_loopback) == (SECRET, False)
    assert address.destination(Ai()) is None


def test_a_record_that_cannot_be_read_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        hook = Hook(503)
        take = Spool.take

        def sometimes(spool: Spool, one: Any) -> Any:
            if one.name.startswith(bad):
                raise PermissionError(13, "Permission denied")
            return take(spool, one)

        monkeypatch.setattr(Spool, "take", sometimes)
        async with serving(hook) as port:
            spool = Spool(SpoolSettings(directory=str(tmp_path)))
            held = [spool.begin(BEGAN) for _ in range(3)]
            bad = min(one.id for one in held)
            for one in held:
                spool.end(one, BEGAN)
            async with worker(tmp_path, port):
                while len({key for key, _ in hook.requests}) < 2 or len(os.listdir(tmp_path)) > 1:
                    await asyncio.sleep(0.05)
        assert {key for key, _ in hook.requests} == {one.id for one in held} - {bad}
        assert os.listdir(tmp_path) == [f"{bad}.0.json"]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_what_was_sent_and_cannot_be_removed_is_not_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        hook, tries = Hook(), []
        sent = Spool.sent

        def late(spool: Spool, one: Any) -> None:
            tries.append(one)
            if len(tries) < 4:
                raise OSError(30, "Read-only file system")
            sent(spool, one)

        monkeypatch.setattr(Spool, "sent", late)
        monkeypatch.setattr(courier, "_LOOK_S", 0.05)
        async with serving(hook) as port, worker(tmp_path, port) as (made, tally):
            made.report(dict(BEGAN)).end({"outcome": "hang_up"})
            while len(tries) < 4 or os.listdir(tmp_path):
                await asyncio.sleep(0.05)
        assert (len(hook.requests), tally.ended_reports["sent"]) == (1, 1)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_mistake_in_one_round_ends_no_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        hook, looks = Hook(), []
        look = Spool.look

        def broken_once(spool: Spool) -> Any:
            looks.append(1)
            if len(looks) == 1:
                raise RuntimeError("nobody thought of this")
            return look(spool)

        monkeypatch.setattr(Spool, "look", broken_once)
        monkeypatch.setattr(courier, "_LOOK_S", 0.05)
        async with serving(hook) as port, worker(tmp_path, port) as (made, _):
            made.report(dict(BEGAN)).end({"outcome": "hang_up"})
            while not hook.requests:
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_report_that_was_begun_is_ended_however_much_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        hook, busy = Hook(), threading.Event()
        async with serving(hook) as port, worker(tmp_path, port) as (made, tally):
            made.do(lambda: busy.wait(10) and None)
            report = made.report(dict(BEGAN))
            monkeypatch.setattr(courier, "_MOST_WAITING", 0)
            made.report(dict(BEGAN))
            report.end({"outcome": "hang_up"})
            busy.set()
            while not hook.requests or os.listdir(tmp_path):
                await asyncio.sleep(0.05)
            assert [record["outcome"] for _, record in hook.requests] == ["hang_up"]
            assert tally.ended_reports["dropped"] == 1

    asyncio.run(asyncio.wait_for(main(), 30))
