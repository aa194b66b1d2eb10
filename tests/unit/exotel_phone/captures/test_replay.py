"""The playable part of a captured call; a capture file may be anybody's work."""

import msgspec
import pytest
from exotel_phone.captures.calls import Call
from exotel_phone.captures.diff import compare, summary
from exotel_phone.captures.records import Message
from exotel_phone.captures.replay import unplayable

from tests.unit.exotel_phone.captures.captured import captured


def altered(call: Call, index: int, **fields: object) -> Call:
    call.messages[index] = msgspec.structs.replace(call.messages[index], **fields)
    return call


def joined() -> Call:
    call = captured()
    call.opening = msgspec.structs.replace(call.opening, joined=True)
    return call


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (captured(), ""),
        (altered(captured(), 2, text="AAE=", binary=True), ""),
        (altered(captured(), 2, text="no base64!", binary=True), "a message in it can't be sent"),
        (altered(captured(), 2, omitted=428), "its audio was left out (take it with --audio keep, or noise)"),
        (altered(captured(), -1, at=1e12), "its times make no sense"),
        (altered(captured(), -1, at=1.0), "its times make no sense"),
        (joined(), "its beginning was not captured"),
        (Call(captured().opening), "nothing came from Exotel"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_reason(call: Call, fault: str) -> None:
    assert unplayable(call) == fault


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"event":"x","a":' + '{"a":' * 900 + "1" + "}" * 901,
        '{"event":"media","media":{"payload":"not base64","chunk":"' + "9" * 5000 + '"}}',
        '{"event":{"\\u001b[2J":1}}',
        '{"event":"\x9b2J\u202e"}',
        '{"event":"start","start":["from"]}',
        "",
    ],
)
def test_a_hostile_message_is_compared_and_shown_without_harm(text: str) -> None:
    first = compare(captured(), captured(extra=[text])).partings[0]
    other = compare(captured(extra=["{}"]), captured(extra=[text]))
    assert not other.same
    for line in (first.text, *first.context_b, other.partings[0].text, summary(Message(1.0, "c", "server", text))):
        assert line.isprintable()
        assert len(line) < 500
