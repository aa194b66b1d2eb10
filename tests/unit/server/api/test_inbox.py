"""Callbacks on disk, until the database has them."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import msgspec
import pytest
from exotel_api.callbacks.fields import Fields
from exotel_api.callbacks.inbox import Callback, Full, Inbox


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.5

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def kept(inbox: Inbox) -> list[Callback]:
    return [msgspec.json.decode(file.read_bytes(), type=Callback) for file in inbox.waiting()]


def test_callbacks_wait_in_their_order_whole_and_for_this_user_alone(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox", clock=Clock())
    for number in range(12):
        inbox.put("status", Fields({"CallSid": str(number), "From": "+911"}, number), "10.0.0.1", 1_800_000_000 + number / 1000)
    assert [one.values["CallSid"] for one in kept(inbox)] == [str(number) for number in range(12)]
    assert kept(inbox)[3] == Callback("status", 1_800_000_000.003, "10.0.0.1", {"CallSid": "3", "From": "+911"}, 3)
    assert {oct(file.stat().st_mode & 0o777) for file in inbox.waiting()} == {"0o600"}
    assert (tmp_path / "inbox").stat().st_mode & 0o777 == 0o700


def test_no_key_of_a_stream_is_kept_wherever_it_comes(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, clock=Clock())
    url = "wss://user:geheim@voice.example.com:443/geheim?token=geheim"
    inbox.put(
        "passthru", Fields({"Stream.StreamUrl": url, "body": f'<a href="{url}">', "Note": f"{url}, ws://h/geheim"}), "", 1.0
    )
    [one] = kept(inbox)
    assert b"geheim" not in inbox.waiting()[0].read_bytes()
    assert one.values == {
        "Stream.StreamUrl": "wss://voice.example.com:443",
        "body": '<a href="wss://voice.example.com:443">',
        "Note": "wss://voice.example.com:443 ws://h",
    }


def test_there_is_a_bound_and_a_place_again_once_some_are_taken(tmp_path: Path) -> None:
    clock = Clock()
    inbox = Inbox(tmp_path, most=3, clock=clock)
    for _ in range(3):
        inbox.put("status", Fields({}), "", 1.0)
    with pytest.raises(Full, match="holds 3 callbacks that the database has not taken"):
        inbox.put("status", Fields({}), "", 1.0)
    inbox.waiting()[0].unlink()
    with pytest.raises(Full):
        inbox.put("status", Fields({}), "", 1.0)
    clock.now += 10
    inbox.put("status", Fields({}), "", 1.0)
    assert len(inbox.waiting()) == 3


def test_the_first_callbacks_may_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread counts what waits; the others have to wait for the count, and not to find that there is no place."""
    inbox, counts, count = Inbox(tmp_path, clock=Clock()), threading.Event(), Inbox.waiting

    def slowly(its: Inbox) -> list[Path]:
        counts.set()
        sleep(0.1)
        return count(its)

    with ThreadPoolExecutor(2) as threads, monkeypatch.context() as patched:
        patched.setattr(Inbox, "waiting", slowly)
        first = threads.submit(inbox.put, "status", Fields({}), "", 1.0)
        assert counts.wait(30)
        second = threads.submit(inbox.put, "status", Fields({}), "", 1.0)
        first.result(30)
        second.result(30)
    assert len(inbox.waiting()) == 2


def test_a_disk_that_takes_nothing_is_told_and_nothing_half_done_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(tmp_path, clock=Clock())

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Full, match="No space left on device"):
        inbox.put("status", Fields({}), "", 1.0)
    assert list(tmp_path.iterdir()) == []
