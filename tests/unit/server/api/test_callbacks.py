"""Requests of Exotel's about a call, in the shapes of live captures, of documents, and in those that nobody sends."""

import json
from urllib.parse import quote, urlencode

import pytest
from exotel_api.callbacks.call_status import ENDED, ORDER, CallStatus, later
from exotel_api.callbacks.ended_stream import FIRST_WAY, SECOND_WAY, Condition, EndedStream
from exotel_api.callbacks.fields import MOST_BODY, MOST_DEPTH, MOST_FIELDS, MOST_NAME, MOST_TEXT, REST, Fields, read
from hypothesis import given
from hypothesis import strategies as some

SID = "8b0de6af53bcfdd29e5cb990936df94r"
STREAM = {
    "StreamSID": "stream-1",
    "Status": "failed",
    "Duration": "31.4",
    "RecordingUrl": "https://recordings.exotel.com/a/b.mp3",
    "StreamUrl": "wss://user:geheim@voice.example.com/geheim?token=geheim",
    "DisconnectedBy": "user",
    "Error": "3009: no audio",
}
LIKE_FORM = {"CallSid": SID, "flow_id": "7", **{f"Stream[{name}]": value for name, value in STREAM.items()}}
SHAPES = {
    "query": (urlencode(LIKE_FORM), b""),
    "form": ("", urlencode(LIKE_FORM).encode()),
    "an object in a text": (urlencode({"CallSid": SID, "Stream": json.dumps(STREAM)}), b""),
    "JSON": ("", json.dumps({"CallSid": SID, "Stream": STREAM}).encode()),
    "JSON in a list": (f"CallSid={SID}", json.dumps({"Stream": json.dumps(STREAM)}).encode()),
    "lower case": ("", urlencode({name.lower(): value for name, value in LIKE_FORM.items()}).encode()),
    "with underlines": ("", json.dumps({"call_sid": SID, "stream": {"stream_sid": "stream-1", **STREAM}}).encode()),
    "with dots": ("&".join(f"{name.replace('[', '.').rstrip(']')}={quote(value)}" for name, value in LIKE_FORM.items()), b""),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stream_is_read_in_every_shape(shape: str) -> None:
    assert EndedStream.of(read(*SHAPES[shape])) == EndedStream(
        call_sid=SID,
        stream_sid="stream-1",
        status="failed",
        duration_s=31.4,
        ended_by="caller",
        error="3009: no audio",
        address="wss://voice.example.com",
        recording_url="https://recordings.exotel.com/a/b.mp3",
    )


def test_fields_that_are_not_known_are_kept() -> None:
    told = read("CallSid=1&New=a+b", json.dumps({"Legs": [{"Status": "busy"}, {"Status": "completed"}], "Paid": True}).encode())
    assert told.values == {"CallSid": "1", "New": "a b", "Legs.0.Status": "busy", "Legs.1.Status": "completed", "Paid": "True"}
    assert told.get("legs.1.status") == "completed"
    assert told.get("nothing", "NEW") == "a b"


def test_a_name_that_comes_twice_counts_once_and_an_empty_one_is_no_value() -> None:
    told = read("CallSid=first&callsid=&CallSid=second&Status=", b"Status=completed")
    assert told.values == {"CallSid": "first", "callsid": "", "Status": ""}
    assert told.get("CALLSID") == "first"


@pytest.mark.parametrize(
    ("query", "body", "left_out"),
    [
        ("&".join(f"n{number}=1" for number in range(MOST_FIELDS + 5)), b"", 1),
        ("n=1", json.dumps({str(number): 1 for number in range(MOST_FIELDS + 5)}).encode(), 6),
        ("n=" + "x" * (MOST_TEXT + 1), b"", 1),
        ("x" * (MOST_NAME + 1) + "=1&n=1", b"", 1),
        ("n=1", b"x" * (MOST_BODY + 1), 2),
        ("n=1&m=" + "x" * MOST_BODY, b"", 2),
    ],
)
def test_what_is_too_much_is_left_out_and_counted(query: str, body: bytes, left_out: int) -> None:
    told = read(query, body)
    assert told.left_out == left_out
    assert len(told.values) <= MOST_FIELDS
    assert max(map(len, told.values.values())) <= MOST_TEXT
    assert any(name.startswith("n") for name in told.values)


def test_groups_within_groups_end_and_what_is_within_is_kept_as_text() -> None:
    deep: object = "end"
    for _ in range(MOST_DEPTH + 2):
        deep = {"a": deep}
    assert read("", json.dumps(deep).encode()).values == {".".join("a" * MOST_DEPTH): '{"a": {"a": "end"}}'}


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b'{"a": ' * 10_000, b"<xml/>", b"\xff\xfe", b"9" * 5000, b'{"a": 1' + b"0" * 5000 + b"}"]
)
def test_a_body_in_no_form_that_is_known_is_kept(body: bytes) -> None:
    assert read("", body).get(REST) == body.decode("utf-8", "replace")[:MOST_TEXT]


def test_no_depth_of_groups_is_a_fault_of_ours() -> None:
    for depth in (*range(1, 12), *range(800, 1100, 7), 20_000):
        nested = "[" * depth + "1" + "]" * depth
        assert read("", nested.encode()).values
        assert read(f"a={nested}", b"").values


def test_no_text_holds_what_a_database_does_not_take() -> None:
    told = read("a=%00b&c=%ED%A0%80", json.dumps({"d\0": "\ud800"}).encode())
    assert "".join((*told.values, *told.values.values())).encode().count(b"\0") == 0
    assert told.values["d\N{REPLACEMENT CHARACTER}"] == "\N{REPLACEMENT CHARACTER}"


JSON = some.recursive(
    some.none() | some.booleans() | some.floats() | some.integers() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=30,
)
BODIES = (
    some.binary(max_size=300)
    | JSON.map(lambda told: json.dumps(told).encode())
    | some.text().map(lambda it: it.encode("utf-8", "replace"))
)


@given(
    some.text(max_size=300) | some.dictionaries(some.text(), some.text()).map(lambda told: urlencode(told, errors="replace")),
    BODIES,
)
def test_no_shape_is_a_fault_of_ours(query: str, body: bytes) -> None:
    told = read(query, body)
    for name, value in told.values.items():
        assert (len(name) <= MOST_NAME, len(value) <= MOST_TEXT) == (True, True)
        (name + value).encode()
    assert EndedStream.of(told).way(["stream_failed"]) in (FIRST_WAY, SECOND_WAY)
    assert CallStatus.of(told).conversation_s is None or told.get("ConversationDuration")


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ("stream_failed", {"Stream.Status": "FAILED"}),
        ("stream_failed", {"Stream.Error": "3009"}),
        ("stream_cancelled", {"Stream.Status": "canceled"}),
        ("caller_ended", {"Stream.DisconnectedBy": "caller"}),
        ("bot_ended", {"Stream.DisconnectedBy": "bot"}),
        ("nothing_known", {"CallSid": "1"}),
    ],
)
def test_the_second_way_is_taken_where_its_condition_is_met(condition: Condition, fields: dict[str, str]) -> None:
    ended = EndedStream.of(Fields(fields))
    others: list[Condition] = ["stream_failed", "stream_cancelled", "caller_ended", "bot_ended", "nothing_known"]
    others.remove(condition)
    assert (ended.way([condition]), ended.way(others), ended.way([])) == (SECOND_WAY, FIRST_WAY, FIRST_WAY)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//host/x", "https://[::1", "https://a b/", "ftp://host/a.mp3", ""])
def test_only_a_web_address_is_a_recording(url: str) -> None:
    assert EndedStream.of(Fields({"Stream.RecordingUrl": url})).recording_url == ""


def test_a_recording_is_linked_without_the_user_in_its_address() -> None:
    told = Fields({"RecordingUrl": "https://key:token@host/a.mp3?signed=1"})
    assert EndedStream.of(told).recording_url == CallStatus.of(told).recording_url == "https://host/a.mp3?signed=1"


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e9"])
def test_no_duration_is_made_of_anything_else(text: str) -> None:
    assert EndedStream.of(Fields({"Stream.Duration": text})).duration_s is None


def test_a_status_is_read() -> None:
    form = {
        "CallSid": SID,
        "EventType": "terminal",
        "Status": "Canceled",
        "From": "+911",
        "To": "+912",
        "ConversationDuration": "7",
    }
    told = CallStatus.of(read("", urlencode(form).encode()))
    assert (told.call_sid, told.event, told.status, told.caller, told.called) == (SID, "terminal", "cancelled", "+911", "+912")
    assert told.conversation_s == 7


@given(some.permutations([*ORDER, "in-progress", "ringing"]))
def test_statuses_in_any_order_come_to_the_same_end(told: list[str]) -> None:
    known = ""
    for each in told:
        known = later(known, each)
    assert known == "completed"


@pytest.mark.parametrize("end", sorted(ENDED))
def test_nothing_follows_an_end(end: str) -> None:
    for told in (*ORDER, *ENDED, "unheard-of"):
        assert later(end, told) == end
    assert later("ringing", end) == end
    assert later("ringing", "unheard-of") == "ringing"
