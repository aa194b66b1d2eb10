"""The record of which credential was shown where and when, and what it says of one that is no longer good."""

import asyncio
import base64
import fcntl
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from exotel_ws import key_usage
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.handshake import Credentials, Target, Use, fingerprint
from exotel_ws.key_usage import MOST_KEYS, Book, Key, KeyUsage, Uses, merge
from exotel_ws.metrics.tally import Tally
from exotel_ws.settings import Limits

OLD, NEW = "exotel:old-key-of-20-signs", "exotel:new-key-of-20-signs"
BARE = "bare-key-of-20-signs"


def mark(entry: str) -> str:
    return hashlib.sha256(entry.encode()).hexdigest()[:16]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers wait for as long as a busy machine takes."""
    monkeypatch.setattr(key_usage, "_FINISH_S", 60.0)
    monkeypatch.setattr(key_usage, "_LOCK_S", 60.0)


class Worker:
    """A worker with these credentials and one use of the file; its clock is the test's."""

    def __init__(self, path: Path, *entries: str) -> None:
        self.credentials = Credentials(list(entries))
        self.path = path
        self.now = 1000.0

    def work(self, *uses: Use, serving: bool = True) -> None:
        """Start, note ``uses``, and end."""

        async def life() -> None:
            usage = KeyUsage(self.credentials, self.path, lambda: self.now)
            usage.start(lambda: serving)
            await asyncio.sleep(0)
            for use in uses:
                self.credentials.note(use, None)
            await usage.finish()

        asyncio.run(life())

    def keys(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())["keys"]
        return found


def test_each_use_is_counted_by_key_and_place(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "usage.json", OLD, NEW, BARE)
    old, new = mark(OLD), mark(NEW)
    worker.work(Use(old, "header"), Use(old, "header"), Use(old, "start"), Use(new, "path"))
    worker.now = 2000
    worker.work(Use(new, "path"))
    assert worker.keys() == {
        old: {
            "name": "exotel",
            "since": 1000,
            "retired": None,
            "token": mark(OLD.partition(":")[2]),
            "places": {"header": {"count": 2, "last": 1000}, "start": {"count": 1, "last": 1000}},
        },
        new: {
            "name": "exotel",
            "since": 1000,
            "retired": None,
            "token": mark(NEW.partition(":")[2]),
            "places": {"path": {"count": 2, "last": 2000}},
        },
        mark(BARE): {"name": f"key-{mark(BARE)[:4]}", "since": 1000, "retired": None, "token": mark(BARE), "places": {}},
    }
    assert (tmp_path / "usage.json").stat().st_mode & 0o077 == 0
    for secret in (OLD, NEW, BARE):
        assert secret.rpartition(":")[2] not in (tmp_path / "usage.json").read_text()


def test_a_key_that_is_gone_is_retired_and_good_again_if_it_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    Worker(path, OLD, NEW).work(Use(mark(OLD), "header"))
    later = Worker(path, NEW)
    later.now = 2000
    later.work()
    assert [later.keys()[key]["retired"] for key in (mark(OLD), mark(NEW))] == [2000, None]
    later.now = 3000
    later.work()
    assert later.keys()[mark(OLD)]["retired"] == 2000, "when it was, not when it was last seen to be"
    assert later.keys()[mark(OLD)]["places"] == {"header": {"count": 1, "last": 1000}}
    rolled_back = Worker(path, OLD)
    rolled_back.work()
    assert [rolled_back.keys()[key]["retired"] for key in (mark(OLD), mark(NEW))] == [None, 1000]
    assert rolled_back.keys()[mark(OLD)]["since"] == 1000


def test_a_worker_that_drains_counts_but_does_not_bring_a_retired_key_back(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    Worker(path, OLD).work()
    Worker(path, NEW).work()
    draining = Worker(path, OLD)
    draining.now = 2000
    draining.work(Use(mark(OLD), "start"), serving=False)
    assert draining.keys()[mark(OLD)]["retired"] == 1000
    assert draining.keys()[mark(OLD)]["places"] == {"start": {"count": 1, "last": 2000}}
    assert draining.keys()[mark(NEW)]["retired"] is None


def test_a_retired_key_is_known_by_all_its_forms(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    Worker(path, OLD, BARE).work()
    worker = Worker(path, NEW)
    had = worker.credentials.had
    token = OLD.partition(":")[2]
    root = Target.parse("/")
    assert not had({}, Target.parse(f"/{token}"), {}), "nothing is known yet"
    worker.work()
    for target in (f"/{token}", f"/a/{OLD}", f"/?token={token}", f"/{BARE}"):
        assert had({}, Target.parse(target), {}), target
    for text in (OLD, token, BARE):
        assert had({"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}, root, {})
        assert had({"Authorization": f"Bearer {text}"}, root, {})
        assert had({}, root, {"token": text})
        assert had({}, root, {f"token:{text}=": ""})
    for text in ("wrong", "", token[:-1], NEW, "x" * 10_000, "\udcff"):
        assert not had({"Authorization": f"Bearer {text}"}, Target.parse(f"/{text}"), {"token": text})


def test_a_test_call_is_no_use() -> None:
    """The operator's own calls are not counted: they would say that a new key is in use before Exotel has it."""
    told: list[Use] = []
    credentials = Credentials([NEW])
    credentials.on_use = told.append
    ticket = Admission(Limits(), Tally()).accept("192.0.2.1", lambda: None)
    assert isinstance(ticket, Ticket)
    use = credentials.in_target(Target.parse(f"/{NEW}"))
    assert use == Use(mark(NEW), "path")
    credentials.note(use, ticket)
    ticket.vouch()
    credentials.note(use, ticket)
    assert told == [use]


@pytest.mark.parametrize(
    ("headers", "target", "raw", "place"),
    [
        ({"Authorization": f"Bearer {BARE}"}, "/", {}, "header"),
        ({}, f"/{BARE}", {}, "path"),
        ({}, f"/?a={BARE}", {}, "query"),
        ({}, "/", {"a": BARE}, "start"),
    ],
)
def test_the_place_of_a_use(headers: dict[str, str], target: str, raw: dict[str, str], place: str) -> None:
    credentials = Credentials([NEW, BARE])
    use = credentials.in_handshake(headers, Target.parse(target)) or credentials.in_parameters(raw)
    assert use == (mark(BARE), place)


def test_the_file_is_bounded_and_forgets_what_was_retired_first() -> None:
    book = Book({f"{number:016x}": Key("old", since=1, retired=number) for number in range(1, MOST_KEYS + 50)})
    credentials = Credentials([NEW])
    merge(book, credentials.known, {}, 9999, serving=True)
    assert len(book.keys) == MOST_KEYS
    assert mark(NEW) in book.keys
    assert min(key.retired for key in book.keys.values() if key.retired) == 51
    many = Credentials([f"user:token-{number}" for number in range(3 * MOST_KEYS)])
    uses = {(fingerprint(f"user:token-{number}"), "path"): Uses(1, 1) for number in range(3 * MOST_KEYS)}
    merge(book, many.known, uses, 9999, serving=True)  # type: ignore[arg-type]
    assert len(book.keys) == MOST_KEYS
    assert all(key.retired is None for key in book.keys.values())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"keys": 5}', b'{"keys": {"a": {"name": 1}}}', b"\xff\xfe", b'{"keys": {}}' + b" " * 2_000_000 + b"x"],
    ids=["empty", "half", "list", "number", "name", "not UTF-8", "huge"],
)
def test_a_file_that_is_broken_is_put_aside_and_begun_afresh(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "usage.json"
    path.write_bytes(content)
    worker = Worker(path, NEW)
    worker.work(Use(mark(NEW), "header"))
    assert worker.keys()[mark(NEW)]["places"]["header"]["count"] == 1
    assert (tmp_path / "usage.json.broken").read_bytes() == content
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "counted afresh" in caplog.text


def test_a_file_that_can_not_be_had_is_said_once_and_counted_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble with the file is said once, however often it is tried; what was counted meanwhile is not lost."""
    monkeypatch.setattr(key_usage, "EVERY_S", 0.01)
    path = tmp_path / "missing" / "usage.json"
    worker = Worker(path, NEW)

    async def life() -> None:
        usage = KeyUsage(worker.credentials, path, lambda: worker.now)
        usage.start(lambda: True)
        for _ in range(3):
            worker.credentials.note(Use(mark(NEW), "header"), None)
            await asyncio.sleep(0.1)
        assert len(caplog.records) == 1
        assert "calls go on" in caplog.text
        path.parent.mkdir()
        await usage.finish()

    asyncio.run(life())
    assert worker.keys()[mark(NEW)]["places"] == {"header": {"count": 3, "last": 1000}}


def test_a_lock_that_is_held_keeps_nobody_waiting_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_usage, "_LOCK_S", 0.05)
    path = tmp_path / "usage.json"
    with (tmp_path / "usage.json.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        Worker(path, NEW).work(Use(mark(NEW), "header"))
    assert not path.exists()
    assert "held by another process" in caplog.text


def test_workers_of_a_host_add_up(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"

    async def lives() -> None:
        credentials = [Credentials([NEW]) for _ in range(8)]
        usages = [KeyUsage(one, path, lambda: 1000.0) for one in credentials]
        for usage in usages:
            usage.start(lambda: True)
        for one in credentials * 25:
            one.note(Use(mark(NEW), "header"), None)
            await asyncio.sleep(0)
        await asyncio.gather(*(usage.finish() for usage in usages))

    asyncio.run(lives())
    assert Worker(path, NEW).keys()[mark(NEW)]["places"]["header"]["count"] == 200
    assert sorted(os.listdir(tmp_path)) == ["usage.json", "usage.json.lock"]
