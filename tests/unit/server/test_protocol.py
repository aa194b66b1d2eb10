"""The reader and the writer of Exotel's messages."""

import base64
import json
from typing import Any

import pytest
from exotel_ws import protocol
from exotel_ws.protocol import Clear, Connected, Dtmf, Mark, Media, ProtocolFault, Start, Stop, Unknown, Writer

PCM = b"\x01\x02\x03\x04"
PAYLOAD = base64.b64encode(PCM).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"event":"connected"}\n', Connected()),
        ('{"event":"connected","protocol":"Call"}', Connected()),
        (
            '{"event":"start","stream_sid":"s","sequence_number":"1","start":{"stream_sid":"s","call_sid":"c","leg_sid":"l",'
            '"account_sid":"a","from":"09876543210","to":"02012345678",'
            '"media_format":{"encoding":"base64","sample_rate":"8000","bit_rate":"128kbps"}}}',
            Start("s", "c", "l", "a", "09876543210", "02012345678", "base64", 8000),
        ),
        ('{"event":"start","streamSid":"s"}', Start("s")),
        ('{"event":"start","start":{"streamSid":"s"}}', Start("s")),
        ('{"event":"start","stream_sid":"snake","streamSid":"camel"}', Start("snake")),
        ('{"event":"start","stream_sid":"top","start":{"stream_sid":"inside"}}', Start("top")),
        ('{"event":"start","start":{"stream_sid":7,"from":1,"to":null}}', Start("7", from_="1")),
        ('{"event":"start","stream_sid":"s","start":{"media_format":{"sample_rate":16000.0}}}', Start("s", sample_rate=16000)),
        ('{"event":"start","stream_sid":"s","start":{"media_format":{"sample_rate":" 8000 "}}}', Start("s", sample_rate=8000)),
        ('{"event":"start","stream_sid":"s","start":{"media_format":{"sample_rate":"fast"}}}', Start("s", rate_said="'fast'")),
        ('{"event":"start","stream_sid":"s","start":{"media_format":{"sample_rate":"inf"}}}', Start("s", rate_said="'inf'")),
        ('{"event":"start","stream_sid":"s","start":{"media_format":{"sample_rate":[8000]}}}', Start("s", rate_said="[8000]")),
        ('{"event":"start","stream_sid":"s","start":{"media_format":{"sample_rate":"16 kHz"}}}', Start("s", sample_rate=16000)),
        (
            '{"event":"start","stream_sid":"s","call_sid":"c","leg_sid":"l","account_sid":"a","from":"+1","to":2,'
            '"media_format":{"encoding":"raw/slin","sample_rate":"16000"},"custom_parameters":{"x":"y"}}',
            Start("s", "c", "l", "a", "+1", "2", "raw/slin", 16000, {"x": "y"}, {"x": "y"}),
        ),
        (
            '{"event":"start","stream_sid":"s","encoding":"mulaw"}',
            Start("s", encoding="mulaw"),
        ),
        (
            '{"event":"start","stream_sid":"s","call_sid":"flat","to":"2","start":{"call_sid":"nested","to":null}}',
            Start("s", "nested", to="2"),
        ),
        ('{"event":"stop","call_sid":"c","reason":"flat"}', Stop("", "flat", "c")),
        ('{"event":"start","stream_sid":"s","start":{"media_format":"raw"}}', Start("s")),
        (
            '{"event":"start","stream_sid":"s","start":{"custom_parameters":{"a":"1","b":2,"c":null,"d":[]}}}',
            Start("s", custom_parameters=(told := {"a": "1", "b": "2", "c": "", "d": ""}), raw_parameters=told),
        ),
        (
            '{"event":"start","stream_sid":"s","start":{"custom_parameters":"a=1&b=2"}}',
            Start("s", custom_parameters={"a": "1", "b": "2"}, raw_parameters={"a=1&b=2": ""}),
        ),
        ('{"event":"start","stream_sid":"s","start":{"custom_parameters":""}}', Start("s")),
        ('{"event":"start","stream_sid":"s","start":{"custom_parameters":[1]}}', Start("s")),
        (
            '{"event":"media","stream_sid":"s","sequence_number":"100",'
            '"media":{"chunk":"99","timestamp":"1980","payload":"' + PAYLOAD + '"}}',
            Media("s", PAYLOAD, PCM, "99", "1980"),
        ),
        (f'{{"event":"media","media":{{"chunk":99.0,"payload":"{PAYLOAD}"}}}}', Media("", PAYLOAD, PCM, 99.0)),
        (f'{{"event":"media","media":{{"chunk":99,"timestamp":1980,"payload":"{PAYLOAD}"}}}}', Media("", PAYLOAD, PCM, 99, 1980)),
        (f'{{"event":"media","streamSid":"s","media":{{"payload":"{PAYLOAD}"}}}}', Media("s", PAYLOAD, PCM)),
        (f'{{"event":"media","stream_sid":"","streamSid":"s","media":{{"payload":"{PAYLOAD}"}}}}', Media("s", PAYLOAD, PCM)),
        (f'{{"media":{{"payload":"{PAYLOAD}"}},"event":"media"}}', Media("", PAYLOAD, PCM)),
        (
            '{"event":"start","streamSid":"s","callSid":"c","legSid":"l","accountSid":"a","from":"f","to":"t",'
            '"mediaFormat":{"encoding":"base64","sampleRate":16000},"customParameters":{"x":"1"}}',
            Start("s", "c", "l", "a", "f", "t", "base64", 16000, {"x": "1"}, {"x": "1"}),
        ),
        ('{"event":"start","start":{"streamSid":"s","callSid":"c","call_sid":"d"}}', Start("s", "d")),
        ('{"event":"start","callSid":"c","start":{"stream_sid":"s","call_sid":null}}', Start("s", "c")),
        ('{"event":"start","stream_sid":"s","sample_rate":"16 kHz"}', Start("s", sample_rate=16000)),
        ('{"event":"start","stream_sid":"s","start":{"sampleRate":24000}}', Start("s", sample_rate=24000)),
        ('{"event":"mark","stream_sid":"s","mark":{"name":"mark_1"}}', Mark("s", "mark_1")),
        ('{"event":"mark","name":"flat"}', Mark("", "flat")),
        ('{"event":"mark","mark":{"name":7}}', Mark("", "7")),
        ('{"event":"dtmf","stream_sid":"s","dtmf":{"digit":"5","duration":"100"}}', Dtmf("s", "5", 100)),
        ('{"event":"dtmf","digit":"*","duration":100}', Dtmf("", "*", 100)),
        ('{"event":"dtmf","dtmf":{"digit":0}}', Dtmf("", "0")),
        ('{"event":"dtmf","dtmf":{"digit":"#","duration":"long"}}', Dtmf("", "#")),
        ('{"event":"clear","stream_sid":"s"}', Clear("s")),
        (
            '{"event":"stop","stream_sid":"s","sequence_number":"2436",'
            '"stop":{"call_sid":"c","reason":"canceled or call ended"}}',
            Stop("s", "canceled or call ended", "c"),
        ),
        ('{"event":"stop"}', Stop("")),
        ('{"event":"stop","stop":{"reason":{"code":1}}}', Stop("")),
        ('{"event":"heartbeat","data":{"x":[1,2]}}', Unknown("heartbeat")),
        ('{"event":"Start","stream_sid":"s"}', Unknown("Start")),
        ('{"event":""}', Unknown("")),
        ('  \r\n {"event":"connected"} \n\n', Connected()),
        (b'{"event":"connected"}', Connected()),
    ],
)
def test_read(text: str | bytes, message: protocol.Message) -> None:
    assert protocol.read(text) == message


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "not_json"),
        ("{", "not_json"),
        ('{"event":"connected"}x', "not_json"),
        (b"\xff\xfe", "not_json"),
        ('{"event":"x","a":' + "[" * 100_000, "not_json"),
        ('{"event":"start","start":{"a":' + "[" * 100_000, "not_json"),
        ("[]", "bad_type"),
        ('{"event":1}', "bad_type"),
        ('{"event":"media","media":[]}', "bad_type"),
        ('{"event":"start","stream_sid":1}', "bad_type"),
        ('{"event":"start","stream_sid":"s","from":1e999}', "bad_type"),
        ('{"event":"stop","reason":1e999}', "bad_type"),
        ('{"event":"start","start":{"stream_sid":"' + "x" * 257 + '"}}', "bad_type"),
        ('{"event":"media","streamSid":"' + "x" * 257 + '","media":{"payload":"AQI="}}', "bad_type"),
        ("{}", "no_event"),
        ('{"event":"media"}', "missing_field"),
        ('{"event":"media","media":{"payload":null}}', "missing_field"),
        ('{"event":"start"}', "missing_field"),
        ('{"event":"mark","mark":{}}', "missing_field"),
        ('{"event":"mark","mark":{"name":"' + "m" * 257 + '"}}', "too_long"),
        ('{"event":"dtmf"}', "bad_digit"),
        ('{"event":"dtmf","digit":"D"}', "bad_digit"),
        ('{"event":"dtmf","digit":""}', "bad_digit"),
        ('{"event":"dtmf","digit":12}', "bad_digit"),
    ],
)
def test_read_faults(text: str | bytes, kind: str) -> None:
    with pytest.raises(ProtocolFault) as fault:
        protocol.read(text)
    assert fault.value.kind == kind
    assert str(fault.value)


@pytest.mark.parametrize(
    ("payload", "pcm", "fault"),
    [
        ("", b"", "holds 0 bytes"),
        ("AQ", b"\1", "not base64"),
        ("AQID", b"\1\2\3", "holds 3 bytes"),
        ("AQI=AQI=", b"\1\2\1\2", "not base64"),
        ("AQI=AQI", b"\1\2\1\2", "not base64"),
        ("AQ==AQ==", b"\1\1", "not base64"),
        ("AQI=1", b"\1\2", "not base64"),
        ("AQ\nI=\r\n", b"\1\2", "not base64"),
        ("AQ I CAw", b"\1\2\2\3", "not base64"),
        ("AQ_-", b"\1\x0f\xfe", "not base64"),
        ("é===", b"", "not base64"),
        ('"},"event":"x', None, "not base64"),
        ("=" * 9, b"", "not base64"),
    ],
)
def test_a_payload_that_is_not_well_formed_is_decoded_as_far_as_it_goes(payload: str, pcm: bytes | None, fault: str) -> None:
    media = protocol.read(json.dumps({"event": "media", "media": {"payload": payload}}))
    assert isinstance(media, Media)
    assert media.payload == payload
    assert fault in media.fault
    assert pcm is None or media.pcm == pcm


def test_pieces_of_base64_without_end_are_not_looked_for() -> None:
    media = protocol.read(json.dumps({"event": "media", "media": {"payload": "AQI=" * 60_000}}))
    assert isinstance(media, Media)
    assert media.pcm == b"\1\2" * 64


@pytest.mark.parametrize(
    "payload", ["AQID", "AQI=AQI=", 'a"b\\c', "\n\x00\x1f\x7f", "é€😀\u2028", "not base64!!", "", "=", "a" * 200_001]
)
@pytest.mark.parametrize("numbered", [False, True])
def test_an_echo_is_the_text_that_came(payload: str, numbered: bool) -> None:
    media = protocol.read(json.dumps({"event": "media", "media": {"payload": payload}}))
    assert isinstance(media, Media)
    messages = [json.loads(message) for message in Writer("s", number_frames=numbered).echo(media)]
    assert "".join(message["media"]["payload"] for message in messages) == payload
    assert all(set(message) - {"sequence_number"} == {"event", "stream_sid", "media"} for message in messages)
    assert all(len(message["media"]["payload"]) <= 133_120 for message in messages)


def test_what_is_kept_of_a_start_is_bounded() -> None:
    long = "x" * 250_000
    body = dict.fromkeys(("call_sid", "leg_sid", "account_sid", "from", "to"), long)
    body |= {"media_format": {"encoding": long, "sample_rate": long}}
    body |= {"custom_parameters": {"a": "1", "b": long, long: "c"} | {f"n{count}": "" for count in range(1000)}}
    start = protocol.read(json.dumps({"event": "start", "stream_sid": "s", "start": body}))
    assert isinstance(start, Start)
    assert len(repr(start)) < 5_000
    assert start.cut == ("custom_parameters", "call_sid", "leg_sid", "account_sid", "from", "to")
    assert start.custom_parameters["a"] == "1"
    assert len(start.custom_parameters) == 32
    stop = protocol.read(json.dumps({"event": "stop", "stop": {"reason": long, "call_sid": long}}))
    unknown = protocol.read(json.dumps({"event": long}))
    assert len(repr(stop)) < 1000
    assert len(repr(unknown)) < 1000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("8000", 8000),
        (8000, 8000),
        (8000.0, 8000),
        ("1e3", 1000),
        (None, None),
        ("", None),
        ("x", None),
        ("nan", None),
        ("inf", None),
        ("9" * 100_000, None),
        ("1e300", None),
    ],
)
def test_number(value: protocol.Number, expected: int | None) -> None:
    assert protocol.number(value) == expected


@pytest.mark.parametrize(
    ("said", "query", "parameters", "rate"),
    [
        (16000, {"sample-rate": "24000"}, {"sample-rate": "8000"}, 16000),
        (None, {"sample-rate": "24000"}, {"sample-rate": "16000"}, 24000),
        (None, {"sample_rate": "24000"}, {"sample-rate": "16000"}, 24000),
        (None, {"sample-rate": "16000", "sample_rate": "24000"}, {}, 16000),
        (None, {}, {"sample-rate": "16000"}, 16000),
        (None, {}, {"sample_rate": "24000"}, 24000),
        (44100, {"sample-rate": "16000"}, {}, 16000),
        (0, {"sample-rate": "-8000"}, {"sample-rate": "24000"}, 24000),
        (None, {"sample-rate": ""}, {"sample-rate": "x"}, 8000),
        (None, {"sample-rate": "16000Hz"}, {}, 16000),
        (None, {}, {"sample-rate": "24k"}, 24000),
        (None, {}, {}, 8000),
    ],
)
def test_sample_rate(said: int | None, query: dict[str, str], parameters: dict[str, str], rate: int) -> None:
    assert protocol.sample_rate(Start("s", sample_rate=said, custom_parameters=parameters), query) == rate


def test_sample_rate_before_start() -> None:
    assert protocol.sample_rate(None, {"sample-rate": "16000"}) == 16000
    assert protocol.sample_rate(None, {}) == 8000


def read_back(text: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(text)
    return message


def test_the_writer_spells_as_documented() -> None:
    writer = Writer("sid")
    assert writer.echo(Media("other", PAYLOAD, PCM)) == (
        '{"event":"media","stream_sid":"sid","media":{"payload":"' + PAYLOAD + '"}}',
    )
    assert writer.mark("end") == '{"event":"mark","stream_sid":"sid","mark":{"name":"end"}}'
    assert writer.clear() == '{"event":"clear","stream_sid":"sid"}'


@pytest.mark.parametrize("sid", ['"', "\\", "\n", "ü", "\u2028", "\ud800", "</script>"])
def test_the_writer_escapes(sid: str) -> None:
    writer = Writer(sid)
    for text in (writer.mark(sid), writer.clear(), *writer.audio(PCM)):
        assert read_back(text)["stream_sid"] == sid
    assert read_back(writer.mark(sid))["mark"]["name"] == sid


def test_the_writer_needs_an_id() -> None:
    with pytest.raises(ValueError, match="stream_sid is empty"):
        Writer("")


@pytest.mark.parametrize("size", [2, 320, 99_840, 99_842, 100_000, 199_680, 250_002])
@pytest.mark.parametrize("numbered", [False, True])
def test_audio_in_pieces(size: int, numbered: bool) -> None:
    pcm = bytes(index % 251 for index in range(size))
    messages = Writer("s", number_frames=numbered).audio(pcm)
    pieces = [base64.b64decode(read_back(message)["media"]["payload"]) for message in messages]
    assert b"".join(pieces) == pcm
    assert all(len(piece) <= 100_000 for piece in pieces)
    assert all(len(piece) % 320 == 0 for piece in pieces[:-1])


def test_an_echo_too_big_is_split() -> None:
    pcm = bytes(120_000)
    messages = Writer("s").echo(Media("s", base64.b64encode(pcm).decode(), pcm))
    assert [len(base64.b64decode(read_back(message)["media"]["payload"])) for message in messages] == [99_840, 20_160]


@pytest.mark.parametrize(("rate", "times"), [(8000, ["0", "20", "60"]), (16000, ["0", "10", "30"]), (24000, ["0", "6", "20"])])
def test_numbered_frames(rate: int, times: list[str]) -> None:
    writer = Writer("s", sample_rate=rate, number_frames=True)
    messages = [read_back(writer.audio(bytes(size))[0]) for size in (320, 640, 320)]
    assert [message["sequence_number"] for message in messages] == ["1", "2", "3"]
    assert [message["media"]["chunk"] for message in messages] == ["1", "2", "3"]
    assert [message["media"]["timestamp"] for message in messages] == times
