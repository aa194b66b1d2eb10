"""The edge's lines: who was refused and why, in the words of its log format; whom the doctor counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exotel_phone import call_token
from exotel_phone.exits import Refusal
from exotelctl import journal
from exotelctl.doctor.facts import edge as of_doctor
from exotelctl.doctor.facts.edge import Retired
from exotelctl.edge import facts, log
from exotelctl.edge.log import Seen
from exotelctl.edge.runtime import Silent
from exotelctl.keys import usage

from tests.unit.tools.doctor_edge_facts import EDGE
from tests.unit.tools.doctor_facts import NOW

LINE = (
    "edge frontend=wss client=203.0.113.9 port=51834 status=401 reason=key_wrong ended=PR tls=TLSv1.3 bytes_in=1 bytes_out=1 ms=3"
)
HANDSHAKE = (
    "edge frontend=wss client=203.0.113.9 port=5 status=0 reason=handshake error={} ended=-- tls=- bytes_in=0 bytes_out=0 ms=1"
)
HTTP = 0x0A00009C
"""OpenSSL 3's code for "http request"."""
STOPPED = "Proxy <HTTPCLIENT> stopped (cumulated conns: FE: 0, BE: 0)."
OF_A_RELOAD = [f"[WARNING]  (1360) : {STOPPED}", STOPPED, "Proxy wss stopped (cumulated conns: FE: 15, BE: 0)."]
"""Lines of HAProxy 2.6 and 3.0 about each proxy of a worker that ends: on stderr, and in their log."""


def line(**changes: str) -> str:
    words = dict(word.partition("=")[::2] for word in LINE.removeprefix("edge ").split())
    return "edge " + " ".join(f"{name}={value}" for name, value in {**words, **changes}.items())


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        (LINE, Seen(1.0, "wss", "203.0.113.9", 401, "key_wrong", "PR")),
        (line(status="101", reason="-", ended="--"), Seen(1.0, "wss", "203.0.113.9", 101, "", "--")),
        (line(test="-"), Seen(1.0, "wss", "203.0.113.9", 401, "key_wrong", "PR")),
        (line(test="1.a"), Seen(1.0, "wss", "203.0.113.9", 401, "key_wrong", "PR", "1.a")),
        (line(client="::ffff:203.0.113.9"), Seen(1.0, "wss", "203.0.113.9", 401, "key_wrong", "PR")),
        (line(client="2001:db8::7", status="-1"), Seen(1.0, "wss", "2001:db8::7", 0, "key_wrong", "PR")),
        (HANDSHAKE.format(HTTP), Seen(1.0, "wss", "203.0.113.9", 0, "plain_ws", "--")),
        (HANDSHAKE.format(0x0A000412), Seen(1.0, "wss", "203.0.113.9", 0, "handshake", "--")),
        (HANDSHAKE.format("-"), Seen(1.0, "wss", "203.0.113.9", 0, "handshake", "--")),
        ("edge frontend=wss", None),
        ("edge", None),
        ("Server voice/voice is DOWN", None),
        ("[NOTICE]   (1) : Loading success.", None),
    ],
)
def test_a_line_is_understood(message: str, seen: Seen | None) -> None:
    assert log.parse(1.0, message) == seen


@pytest.mark.parametrize(
    ("message", "tells"),
    [
        (LINE, True),
        (line(status="101", reason="-"), False),
        (HANDSHAKE.format(0), False),
        ("Server voice/voice is DOWN", True),
        ("[NOTICE]   (1) : Proxy voice was not stopped (cumulated conns: ?)", True),
        *((said, False) for said in OF_A_RELOAD),
    ],
)
def test_a_line_tells_more_than_that_a_call_came_through(message: str, tells: bool) -> None:
    assert log.tells(message) is tells


@pytest.mark.parametrize(
    ("words", "once"),
    [
        (["[WARNING]  (638) : voice/voice is DOWN", "voice/voice is DOWN"], ["[WARNING]  (638) : voice/voice is DOWN"]),
        (["a", "b", "a"], ["b", "a"]),
        (["[ALERT]    (1) : no", "[ALERT]    (2) : no"], ["[ALERT]    (1) : no"]),
        (
            ["backend voice: 1", "backend voice: 2"],
            ["backend voice: 1", "backend voice: 2"],
        ),
    ],
)
def test_what_haproxy_says_twice_is_kept_once_where_it_was_said_last(words: list[str], once: list[str]) -> None:
    assert log.once(words) == once


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the look of the doctor these lines of the edge, and what HAProxy and the workers know of sources and keys."""
    said: list[str] = []

    def read(**_: Any) -> Iterator[journal.Entry]:
        return (journal.Entry(NOW - 9 + at, text, 6, journal.EDGE_UNIT, "", {}) for at, text in enumerate(said))

    known = {
        "a" * 16: usage.Record("old", NOW - 9e5, NOW - 60, {}),
        "b" * 16: usage.Record("new", NOW - 60, None, {}),
        "c" * 16: usage.Record("older", NOW - 9e5, NOW - 7e5, {}),
    }
    monkeypatch.setattr(journal, "read", read)
    monkeypatch.setattr(facts, "look", lambda: EDGE)
    monkeypatch.setattr(facts, "proven", lambda _, source: source == "203.0.113.9")
    monkeypatch.setattr(usage, "read", lambda: known)
    return said


def test_refusals_are_counted_but_for_those_of_this_host(lines: list[str]) -> None:
    lines += [LINE, line(client="127.0.0.1"), line(status="101", reason="-"), line(client="192.0.2.1"), "Server voice is DOWN"]
    lines += OF_A_RELOAD
    seen = of_doctor.look(NOW - 60)
    assert [(one.reason, one.remote) for one in seen.refusals] == [("key_wrong", "203.0.113.9"), ("key_wrong", "192.0.2.1")]
    assert seen.words == ("Server voice is DOWN",)
    assert seen.proven == ("203.0.113.9",)
    assert seen.retired == (Retired("old", NOW - 60), Retired("older", NOW - 7e5))


def test_haproxy_is_asked_about_a_bounded_number_of_sources_wrong_keys_first(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(facts, "proven", lambda _, source: asked.append(source))
    lines += [line(client="192.0.2.1"), line(client="192.0.2.2"), line(client="192.0.2.1")]
    lines += [line(client=f"198.51.100.{number}", reason="key_missing") for number in range(30)]
    of_doctor.look(NOW - 60)
    assert asked[:3] == ["192.0.2.1", "192.0.2.2", "198.51.100.29"]
    assert len(asked) == 20


def test_the_last_words_are_different_ones(lines: list[str]) -> None:
    for at in range(12):
        lines += [f"[WARNING]  (638) : Server {at} is DOWN", f"Server {at} is DOWN"]
    assert of_doctor.look(NOW - 60).words == tuple(f"[WARNING]  (638) : Server {at} is DOWN" for at in range(4, 12))


def test_a_test_call_of_ours_is_not_counted(lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test call of ours is known by the host's key; what was made with another key, long ago or never counts."""
    key = tmp_path / "test-call-key"
    monkeypatch.setattr(call_token, "KEY", key)
    told = call_token.make(b"k", NOW - 10)[:-48]
    others = [call_token.make(b"other", NOW - 10)[:-48], call_token.make(b"k", NOW - 5000)[:-48], told[:-1], "1.", ".", "é", "-"]
    lines += [line(test=told), *(line(test=other) for other in others)]
    assert len(of_doctor.look(NOW - 60).refusals) == len(lines)
    key.write_bytes(b"k")
    assert len(of_doctor.look(NOW - 60).refusals) == len(others)


def test_what_cannot_be_asked_stays_empty(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> bool:
        raise Silent("no answer")

    def unreadable() -> dict[str, usage.Record]:
        raise usage.Unreadable("no record")

    monkeypatch.setattr(facts, "proven", silent)
    monkeypatch.setattr(usage, "read", unreadable)
    lines.append(LINE)
    seen = of_doctor.look(NOW - 60)
    assert (len(seen.refusals), seen.proven, seen.retired) == (1, (), ())


def test_a_journal_that_may_not_be_read_is_the_reason(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Iterator[journal.Entry]:
        raise Refusal("root only")

    monkeypatch.setattr(journal, "read", refuse)
    assert of_doctor.look(NOW - 60).unread == "root only"
