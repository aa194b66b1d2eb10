"""The first difference between two calls."""

import dataclasses
import json

import msgspec
import pytest
from exotel_phone.captures.calls import Call
from exotel_phone.captures.diff import Comparison, compare
from exotel_phone.captures.records import Close
from exotel_phone.wire import Ids

from tests.unit.exotel_phone.captures.captured import FRAMES, captured

WHOLE = b"".join(FRAMES)


def parting(a: Call, b: Call) -> tuple[str | None, int, str, int | None, bool | None]:
    first = compare(a, b).partings[0]
    return first.side, first.message, first.kind, first.offset, first.same_audio


def test_a_call_and_itself() -> None:
    assert compare(captured(), captured()) == Comparison((), (), ())


def test_another_call_of_the_same_content_is_the_same() -> None:
    other = captured(ids=Ids.new(), began=5_000_000.0, numbered=7)
    assert other.messages[1].text != captured().messages[1].text
    assert compare(captured(), other) == Comparison((), (), ())


def rechunked(size: int) -> list[bytes]:
    return [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]


FLIPPED = [*FRAMES[:4], FRAMES[4][:100] + bytes([FRAMES[4][100] ^ 1]) + FRAMES[4][101:], *FRAMES[5:]]
LATER = [*FRAMES[:2], *rechunked(640)[1:4], *FRAMES[8:]]


@pytest.mark.parametrize(
    ("echo", "expected", "text"),
    [
        (
            rechunked(640),
            ("server", 1, "media", 0, True),
            "A has 320 bytes in a message, B 640, from byte 0 on; the audio is the same",
        ),
        (LATER, ("server", 3, "media", 640, True), "A has 320 bytes in a message, B 640, from byte 640 on"),
        (FLIPPED, ("server", 5, "media", 4 * 320 + 100, False), "the audio differs from byte 1380 on"),
        ([*FRAMES[:3], *FRAMES[4:]], ("server", 4, "media", 960, False), "the audio differs from byte 960 on"),
        (FRAMES[:6], ("server", 7, "media", 1920, None), "B has nothing more, A 4 messages"),
        ([*FRAMES, bytes(320)], ("server", 11, "media", 3200, None), "A has nothing more, B 1 message"),
        ([], ("server", 1, "media", 0, None), "B has nothing more, A 10 messages"),
        (
            [*rechunked(640)[:2], b"\1" * 640, *rechunked(640)[3:]],
            ("server", 1, "media", 1280, False),
            "the audio differs from byte 1280",
        ),
    ],
    ids=[
        "re-chunked",
        "re-chunked later",
        "a bit",
        "a frame lost",
        "ends sooner",
        "one too many",
        "silent",
        "re-chunked and altered",
    ],
)
def test_the_first_difference_of_an_echo(echo: list[bytes], expected: tuple[object, ...], text: str) -> None:
    a, b = captured(), captured(echo=echo)
    assert parting(a, b) == expected
    assert text in compare(a, b).partings[0].text
    assert not compare(a, b).same


def test_the_context_shows_both_around_the_place() -> None:
    first = compare(captured(), captured(echo=FLIPPED)).partings[0]
    assert first.at_s == pytest.approx(0.1)
    assert len(first.context_a) == 5
    assert first.context_a[2] == ">     0.100 s  server  media, 320 bytes"
    assert [line[0] for line in first.context_b] == [" ", " ", ">", " ", " "]


def marked(name: str, **more: object) -> str:
    return json.dumps({"event": "mark", "stream_sid": "s" * 32, "mark": {"name": name}, **more})


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (marked("a"), marked("b"), "mark.name: A 'a', B 'b'"),
        (marked("a"), marked("a", extra=1), "extra is in B only"),
        (marked("a"), '{"event":"clear","stream_sid":"' + "s" * 32 + '"}', "A has mark, B has clear"),
        (marked("a"), "rubbish", "A has mark, B has malformed"),
        ("rubbish", "nonsense", "text: A 'rubbish', B 'nonsense'"),
        (marked("a", sequence_number="5"), marked("a", sequence_number=5), "sequence_number: A 0 after the first, in quotes"),
        (marked("\x1b[2J"), marked("b"), r"mark.name: A '\x1b[2J', B 'b'"),
    ],
)
def test_other_messages(one: str, other: str, text: str) -> None:
    first = compare(captured(extra=[one]), captured(extra=[other])).partings[0]
    assert first.text.startswith(text)
    assert (first.message, first.offset) == (11, None)
    assert all(line.isprintable() for line in (first.text, *first.context_a, *first.context_b))


def test_a_skipped_number_is_a_difference_though_ids_are_not() -> None:
    """A skipped number is a difference, though another first number is not."""
    a, b = captured(), captured(ids=Ids.new(), numbered=3)
    at = next(index for index, message in enumerate(b.messages) if '"chunk":"9"' in message.text)
    text = b.messages[at].text.replace('"chunk":"9"', '"chunk":"12"')
    b.messages[at] = msgspec.structs.replace(b.messages[at], text=text)
    assert parting(a, b)[:3] == ("exotel", 8, "media")
    assert "media.chunk: A 5 after the first, in quotes, B 8 after the first" in compare(a, b).partings[0].text


def test_numbers_of_callers_are_not_shown() -> None:
    a, b = captured(ids=Ids("s", "c", "l", from_="09876543210")), captured(ids=Ids("s", "c", "l", from_="09876500000"))
    first = compare(a, b).partings[0]
    assert first.text.startswith("start.from: ")
    shown = " ".join((first.text, *first.context_a, *first.context_b))
    assert "98765" not in shown


def test_how_it_ended_is_compared() -> None:
    b = captured()
    b.close = Close(2000.0, "conn_1", "no_stop", 1006)
    (end,) = compare(captured(), b).partings
    assert (end.kind, end.text) == ("end", "A ended by stop (1006), B by no_stop (1006)")


def test_a_slower_pace_is_told_and_is_no_difference() -> None:
    comparison = compare(captured(), captured(step=0.03))
    assert comparison.same
    changed = {(gap.side, gap.kind): (gap.a.p50, gap.b.p50) for gap in comparison.gaps}
    assert changed == {("exotel", "media"): (20.0, 30.0), ("server", "media"): (20.0, 30.0)}


def test_a_pace_that_is_a_little_off_is_not_told() -> None:
    assert compare(captured(), captured(step=0.0205)).gaps == ()


def test_what_a_capture_lacks_is_said() -> None:
    b = captured()
    b.opening = msgspec.structs.replace(b.opening, joined=True)
    b.lost, b.close = 3, None
    assert compare(captured(), b).doubts == ("B lacks its beginning and 3 messages and its end",)


def test_audio_left_out_is_compared_by_its_length() -> None:
    def without(call: Call, characters: int) -> Call:
        messages = [
            msgspec.structs.replace(message, text='{"event":"media","media":{"payload":""}}', omitted=characters)
            if '"media"' in message.text and message.from_ == "server"
            else message
            for message in call.messages
        ]
        return dataclasses.replace(call, messages=messages)

    assert compare(without(captured(), 428), without(captured(), 428)).same
    assert not compare(without(captured(), 428), without(captured(), 856)).same
