"""Typed times: absolute ones mean the same instant on every host."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from exotelctl.timestamp import since, timestamp

INDIA = timezone(timedelta(hours=5, minutes=30))
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=INDIA)


def at(*moment: int, zone: timezone = INDIA) -> str:
    return f"@{datetime(*moment, tzinfo=zone).timestamp():.0f}"  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("2026-11-25 10:00", at(2026, 11, 25, 10, 0)),
        ("2026-11-25 10:00:07", at(2026, 11, 25, 10, 0, 7)),
        ("2026-11-25", at(2026, 11, 25)),
        ("10:15", at(2026, 11, 28, 10, 15)),
        ("2026-11-25 10:00:00 UTC", at(2026, 11, 25, 10, zone=UTC)),
        ("2026-11-25T10:00:00Z", at(2026, 11, 25, 10, zone=UTC)),
        ("2026-11-25 10:00:00 +0530", at(2026, 11, 25, 10)),
        ("2026-11-25T10:00:00+05:30", at(2026, 11, 25, 10)),
        ("2026-11-25 10:00:00 -0300", at(2026, 11, 25, 13, zone=UTC)),
        ("2026-11-25 10:00 Asia/Kolkata", at(2026, 11, 25, 10)),
        ("11-25 10:28:30.594 +0000", at(2026, 11, 25, 10, 28, 30, zone=UTC) + ".594"),
        ("12-25 10:28:30.594 +0000", at(2025, 12, 25, 10, 28, 30, zone=UTC) + ".594"),
    ],
)
def test_an_absolute_time_is_an_instant(typed: str, means: str) -> None:
    assert timestamp(typed, NOW) == means


@pytest.mark.parametrize(
    "typed",
    [
        *("", "-2h", "2h ago", "-30min", "today", "yesterday", "now", "@1764060000", "soon", "+0530", "UTC", "x" * 999),
        *("2026-13-40 10:00", "10:99", "10:00:61", "2026-11-25 10:00 Mars/Base"),
    ],
)
def test_what_is_relative_or_no_time_is_left_to_the_host(typed: str) -> None:
    assert timestamp(typed, NOW) == typed


@pytest.fixture
def in_india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(os.environ, "TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_time_without_a_zone_is_of_this_machine(in_india: None) -> None:
    assert timestamp("2026-11-25 10:00") == at(2026, 11, 25, 10)


def test_the_doctor_takes_a_time_with_its_zone(in_india: None) -> None:
    assert since("2026-11-25 10:00:00 UTC", 0.0) == datetime(2026, 11, 25, 10, tzinfo=UTC).timestamp()
    assert since("2026-11-25 10:00", 0.0) == datetime(2026, 11, 25, 10, tzinfo=INDIA).timestamp()


@pytest.mark.parametrize(
    ("text", "ago_s"),
    [("-1h", 3600), ("-30min", 1800), ("-2d", 172_800), ("90s", 90), ("5 min ago", 300), ("@1000", None), ("1970-01-02", None)],
)
def test_a_window_begins(text: str, ago_s: int | None) -> None:
    now = 1_000_000.0
    begins = since(text, now)
    assert begins == (now - ago_s if ago_s is not None else begins)
    assert begins < now
