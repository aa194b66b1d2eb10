"""A call's credential reaches no responder, and so no webhook, prompt, record or transcript."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from exotel_ws.call import Call
from exotel_ws.echo.mode import Echo
from exotel_ws.handshake import Credentials, Target
from exotel_ws.metrics.tally import Tally
from exotel_ws.protocol import Start, Writer
from exotel_ws.settings import Settings
from exotel_ws.withheld import Withheld

TOKEN = "s3cret-Token+of/16="
ENTRY = f"exotel:{TOKEN}"
CREDENTIALS = Credentials([ENTRY, "another-token-0123456789"])


def begun(*starts: dict[str, Any], shown_before: bool = False) -> list[Start]:
    """Return each `Start` that the responders of one connection get."""
    told: list[Start] = []

    def respond(start: Start, writer: Writer, _rate: int) -> Echo:
        told.append(start)
        return Echo(writer)

    call = Call(
        *("conn_1", "203.0.113.9", Target("/", {}), Settings(), Tally()),
        respond=respond,
        credentials=None if shown_before else CREDENTIALS,
        withheld=Withheld(CREDENTIALS),
    )
    for start in starts:
        call.receive(json.dumps({"event": "start", "stream_sid": "s", "start": {"call_sid": "c", **start}}))
    return told


def assert_nothing_of_it(start: Start) -> None:
    text = repr(start)
    for spelling in (TOKEN, quote(TOKEN, safe=""), base64.b64encode(ENTRY.encode()).decode(), TOKEN.rstrip("=")):
        assert spelling not in text


@pytest.mark.parametrize(
    "parameters",
    [
        {"token": TOKEN},
        {"exotel": TOKEN},
        {"": TOKEN},
        {TOKEN: ""},
        {ENTRY: ""},
        {f"token:{TOKEN}=": ""},
        {f"token:{TOKEN}": "="},
        {f"token={TOKEN}": ""},
        {f"language=hi&token={TOKEN}": ""},
        {f"?token={TOKEN}&language=hi": None},
        {"query": f"a=1&token={TOKEN}"},
        f"token={TOKEN}",
        {"token": TOKEN, "again": TOKEN, "header": "Basic " + base64.b64encode(ENTRY.encode()).decode()},
        {"token": TOKEN, "url": f"https://bot.example/?token={quote(TOKEN, safe='')}"},
        {"token": TOKEN, "note": f"it is {TOKEN}, keep it"},
        {"token": TOKEN, "other": "another-token-0123456789"},
    ],
)
def test_parameters_that_hold_a_credential_are_left_out(parameters: Any) -> None:
    for shown_before in (False, True):
        [start] = begun({"custom_parameters": parameters}, shown_before=shown_before)
        assert_nothing_of_it(start)
        assert "another-token-0123456789" not in repr(start)


def test_what_is_no_credential_stays() -> None:
    [start] = begun({"custom_parameters": {f"token={TOKEN}&language=hi": "", "order": "4711", "exotel": "yes"}})
    assert start.custom_parameters == {"language": "hi", "order": "4711", "exotel": "yes"}
    assert start.call_sid == "c"


def test_other_texts_of_a_start_hold_none_either() -> None:
    [start] = begun(
        {"call_sid": TOKEN, "from": f"+91 {TOKEN}", "to": ENTRY, "account_sid": TOKEN, "custom_parameters": {"t": TOKEN}}
    )
    assert_nothing_of_it(start)


def test_a_second_start_of_the_connection_is_looked_at_too() -> None:
    first, second = begun({"custom_parameters": {"t": TOKEN}}, {"custom_parameters": {"language": "hi", "t": TOKEN}})
    assert_nothing_of_it(first)
    assert_nothing_of_it(second)
    assert second.custom_parameters == {"language": "hi"}


def test_a_stream_named_like_a_credential_keeps_its_name_on_the_wire_alone() -> None:
    told: list[Start] = []

    def respond(start: Start, writer: Writer, _rate: int) -> Echo:
        told.append(start)
        return Echo(writer)

    call = Call(*("conn_1", "203.0.113.9", Target("/", {}), Settings(), Tally()), respond=respond, withheld=Withheld(CREDENTIALS))
    call.receive(json.dumps({"event": "start", "stream_sid": TOKEN, "start": {}}))
    [answer] = call.receive(json.dumps({"event": "media", "stream_sid": TOKEN, "media": {"payload": "AQIDBA=="}}))
    assert json.loads(answer)["stream_sid"] == TOKEN
    assert_nothing_of_it(told[0])
    assert call.facts()["stream_sid"] != TOKEN
