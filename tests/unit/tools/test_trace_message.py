"""A message is recognised, its faults are named, and its secrets stay hidden."""

import base64
import json

import pytest
from exotel_phone.captures.calls import decode
from exotel_phone.captures.records import Message, Side
from exotel_ws.encodings import Encoding
from exotelctl.trace import level, message


def _message(text: str, sender: Side = "exotel", *, binary: bool = False, omitted: int = 0) -> Message:
    return Message(1.0, "conn_1", sender, text, binary, omitted)


def _media(size: int) -> str:
    return json.dumps({"event": "media", "stream_sid": "s", "media": {"payload": base64.b64encode(bytes(size)).decode()}})


@pytest.mark.parametrize(
    ("text", "sender", "kind", "faults"),
    [
        ('{"event":"connected"}\n', "exotel", "connected", ()),
        ('{"event":"connected"}', "server", "unknown", ("unknown event",)),
        ('{"event":"dtmf","digit":"5"}', "exotel", "dtmf", ()),
        ('{"event":"hello"}', "exotel", "unknown", ("unknown event",)),
        ('{"event":"clear","streamSid":"x"}', "server", "clear", ("camelCase streamSid",)),
        ('{"event":"start","start":{"callSid":"x"}}', "exotel", "start", ("camelCase callSid",)),
        ('{"event":"start","start":{"custom_parameters":{"myToken":"x"}}}', "exotel", "start", ()),
        (_media(320), "server", "media", ()),
        (_media(640), "exotel", "media", ()),
        (_media(322), "server", "media", ("322 bytes, not a multiple of 320",)),
        (_media(322), "exotel", "media", ()),
        ('{"event":"media","media":{}}', "exotel", "media", ("no audio",)),
        ('{"event":"media","media":[1]}', "exotel", "media", ("no audio",)),
        ("not JSON", "exotel", "malformed", ("not a JSON object",)),
        ("[1]", "exotel", "malformed", ("not a JSON object",)),
        ('{"event":7}', "exotel", "malformed", ("no event",)),
        ("[" * 100_000, "exotel", "malformed", ("not a JSON object",)),
    ],
)
def test_kind_and_faults(text: str, sender: Side, kind: str, faults: tuple[str, ...]) -> None:
    seen = message.examine(decode(text), _message(text, sender))
    assert (seen.kind, tuple(seen.faults)) == (kind, faults)


def test_a_binary_message_and_one_that_was_left_out() -> None:
    assert message.examine(None, _message("AAAA", binary=True)).faults == ["binary message"]
    left_out = message.examine(None, _message("", omitted=2_000_000))
    assert (left_out.kind, left_out.faults) == ("left out", [])
    assert message.label(None, _message("", omitted=2_000_000)) == "(2000000 characters left out of this capture)"


@pytest.mark.parametrize("size", [320, 640, 960, 1600, 3200, 3840, 99_840, 322, 1000])
def test_the_size_of_audio_is_known_even_where_it_was_left_out(size: int) -> None:
    text = _media(size)
    omitted = len(base64.b64encode(bytes(size)))
    without = json.dumps({"event": "media", "media": {"payload": ""}})
    assert message.examine(decode(text), _message(text)).audio_bytes == size
    seen = message.examine(decode(without), _message(without, "server", omitted=omitted)).audio_bytes
    # Without the payload its padding is not known.
    assert seen == size if size % 320 == 0 else abs(seen - size) <= 2


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"event":"dtmf","dtmf":{"digit":"5","duration":"100"}}', "dtmf 5"),
        ('{"event":"dtmf","digit":"#"}', "dtmf #"),
        ('{"event":"mark","mark":{"name":"turn-3-end"}}', "mark turn-3-end"),
        ('{"event":"stop","stop":{"reason":"callended"}}', "stop callended"),
        ('{"event":"clear"}', "clear"),
        ('{"event":"start","start":{"from":"09876543210","to":"02012345678"}}', "start ? Hz, 098•••••210 → 020•••••678"),
        (
            '{"event":"media","media":{"chunk":"2","timestamp":"20","payload":"AAAA"}}',
            "media 3 bytes, chunk 2, 20 ms",
        ),
        ('{"event":"mark","mark":{"name":"\\u001b[31m[bold]\\u202e"}}', r"mark \x1b[31m[bold]\u202e"),
        ('{"event":"\\u001b]0;x\\u0007"}', r"\x1b]0;x\x07"),
        ("call 09876543210 \x1b[2J", r"call 098•••••210 \x1b[2J"),
        ("", "(empty)"),
    ],
)
def test_label(text: str, label: str) -> None:
    assert message.label(decode(text), _message(text)) == label


def test_numbers_are_whole_where_they_are_asked_for() -> None:
    text = '{"event":"start","start":{"from":"09876543210","to":"02012345678"}}'
    assert "09876543210 → 02012345678" in message.label(decode(text), _message(text), unmasked=True)


@pytest.mark.parametrize(
    ("number", "shown"), [("09876543210", "098•••••210"), ("xxxxxxxxxxx", "xxxxxxxxxxx"), ("", ""), ("\x1b[2J", r"\x1b[••")]
)
def test_a_number_as_it_may_be_shown(number: str, shown: str) -> None:
    assert message.shown_number(number, unmasked=False) == shown


@pytest.mark.parametrize(
    "parameters",
    [{"token": "s3cret"}, {"token:s3cret=": ""}, {"token=s3cret&x=1": ""}, "token=s3cret"],
    ids=["plain", "mangled", "whole query as a key", "no object"],
)
@pytest.mark.parametrize("name", ["custom_parameters", "customParameters"])
def test_a_value_of_a_custom_parameter_is_never_shown(name: str, parameters: object) -> None:
    document = {"event": "start", "start": {"from": "09876543210", name: parameters}}
    shown = "\n".join(message.pretty(document, unmasked=True))
    assert "s3cret" not in shown
    assert "token" in shown
    assert "09876543210" in shown
    assert "09876543210" not in "\n".join(message.pretty(document))


def test_a_payload_is_shortened_and_says_how_long_it_is() -> None:
    document = json.loads(_media(320))
    [payload] = [line for line in message.pretty(document) if "payload" in line]
    assert payload.endswith('… (428 characters)"')
    [payload] = [line for line in message.pretty({"event": "media", "media": {"payload": ""}}, omitted=428) if "payload" in line]
    assert "(428 characters left out of this capture)" in payload


def test_level() -> None:
    full_scale_square = base64.b64encode(b"\xff\x7f\x01\x80" * 80).decode()
    assert level.level_db(full_scale_square) == pytest.approx(0.0, abs=0.01)
    assert level.level_db(base64.b64encode(b"\x00\x20" * 80).decode()) == pytest.approx(-12.04, abs=0.01)
    assert level.level_db(base64.b64encode(bytes(320)).decode()) == float("-inf")
    assert level.level_db("%") is None
    assert level.level_db(base64.b64encode(b"\x80" * 160).decode(), Encoding.MULAW) == pytest.approx(-0.18, abs=0.01)
    assert level.level_db("") is None


@pytest.mark.parametrize(("db", "full"), [(0.0, 10), (-30.0, 5), (-60.0, 0), (float("-inf"), 0), (3.0, 10)])
def test_bar(db: float, full: int) -> None:
    assert level.bar(db, 10) == "█" * full + "·" * (10 - full)
