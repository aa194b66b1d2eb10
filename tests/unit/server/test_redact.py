"""A message leaves the worker as fields of the protocol without secrets; parameters, audio and numbers on request."""

import base64
import json
import random
import re
import time
import unicodedata
from typing import Any
from urllib.parse import unquote

import pytest
from exotel_ws import protocol
from exotel_ws.tap.redact.known import Secrets
from exotel_ws.tap.redact.noise import Noise
from exotel_ws.tap.redact.redactor import MOST_TEXT, Audio, Redactor

from tests.protocol import wire

TOKEN = "correct-horse-battery"
NOISE = Noise()


def redactor(
    audio: Audio = "keep", *, mask: bool = False, secrets: tuple[str, ...] = (TOKEN,), parameters: bool = False
) -> Redactor:
    return Redactor(audio, mask=mask, secrets=Secrets(secrets), noise=NOISE, parameters=parameters)


@pytest.mark.parametrize(
    "text",
    [
        wire.connected(),
        wire.start(),
        wire.start(custom_parameters={"sample-rate": "8000", "Sample_Rate": 16000}),
        wire.start(from_="+91 98765-43210", to="sip:agent-1@pbx.example"),
        wire.start(rate=8000).replace("stream_sid", "streamSid").replace("media_format", "mediaFormat"),
        wire.media(bytes(range(256))),
        wire.mark("turn-3-end"),
        wire.dtmf("#"),
        wire.stop(),
        '{ "media" : { "payload": "AAAA", "chunk": 1 }, "event" : "media" }',
        '{"event":"media","media":{"payload":"AA_-\\n AA==","track":"inbound"}}',
        '{"event":"dtmf","digit":5,"duration":100.5}',
        '{"event":"mark","name":"turn-3"}',
        "",
    ],
)
def test_what_is_the_protocols_leaves_as_it_came(text: str) -> None:
    assert redactor().message(text) == (text, 0)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"event":"later","deep":[1,{"a":[null,true,"\\u00e9"]}]}', '{"event":"later","xxxx":[9,{"x":[null,true,"xxxxxx"]}]}'),
        ('{"event":"start","start":{"extra":"a b"}}', '{"event":"start","start":{"xxxxx":"xxx"}}'),
        ('{"event":"mark","mark":{"name":"a sentence"}}', '{"event":"mark","mark":{"name":"xxxxxxxxxx"}}'),
        ('{"event":"mark","mark":{"payload":"AAAA"}}', '{"event":"mark","mark":{"xxxxxxx":"xxxx"}}'),
        ('{"event":["mark"],"mark":["name",{"name":"a"}]}', '{"event":["xxxx"],"mark":["xxxx",{"xxxx":"x"}]}'),
        ('{"event":"media","media":{"payload":"!a=b!"}}', '{"event":"media","media":{"payload":"-----"}}'),
        ('{"event":"media","media":{"chunk":"one"}}', '{"event":"media","media":{"chunk":"xxx"}}'),
        ('{"event":"media","media":{"payload":1.5e3}}', '{"event":"media","media":{"payload":9.9e0}}'),
        ('{"x":{"media":{"payload":"AAAA"}}}', '{"x":{"xxxxx":{"xxxxxxx":"xxxx"}}}'),
        ('{"start":{"start":{"from":"098"}}}', '{"start":{"start":{"xxxx":"xxx"}}}'),
        ('["event", 12]', '["xxxxx", 99]'),
        ('"event"', '"xxxxx"'),
        ("not JSON at all", "x" * 15),
        ('{"event":"connected"', "x" * 20),
    ],
)
def test_what_is_not_the_protocols_is_overwritten_at_its_length(text: str, left: str) -> None:
    assert len(left) == len(text)
    for parameters in (False, True):
        assert redactor(secrets=(), parameters=parameters).message(text) == (left, 0)


SECRET_PLACES: list[tuple[str, Any]] = [
    ("a value that is one", {"who": TOKEN}),
    ("a value that contains one", {"who": f"<{TOKEN}>"}),
    ("user and token", {"who": f"exotel:{TOKEN}"}),
    ("base64, as in a header", {"who": "Basic " + base64.b64encode(f"exotel:{TOKEN}".encode()).decode()}),
    ("a key", {TOKEN: ""}),
    ("mangled, in a key", {f"token:{TOKEN}=": ""}),
    ("the whole query as a key", {f"sample-rate=8000&token={TOKEN}": ""}),
    ("the whole query as a text", f"?sample-rate=8000&token={TOKEN}"),
    ("below other keys", {"a": [{"b": TOKEN}]}),
]


@pytest.mark.parametrize("parameters", [value for _, value in SECRET_PLACES], ids=[name for name, _ in SECRET_PLACES])
@pytest.mark.parametrize("audio", ["keep", "noise", "omit"])
def test_a_credential_of_the_server_is_overwritten_wherever_it_is(audio: Audio, parameters: Any) -> None:
    text = wire.start(custom_parameters=parameters)
    for keeps in (False, True):
        left = redactor(audio, secrets=(TOKEN, f"exotel:{TOKEN}"), parameters=keeps).message(text).text
        assert TOKEN not in left
        assert base64.b64encode(f"exotel:{TOKEN}".encode()).decode() not in left
        assert len(left) == len(text)
        json.loads(left)


PARAMETERS = {"plan": "gold", "language": "hi", "n": 7, "note": "call back: at 5 & 6", "": "empty"}


def test_parameters_are_overwritten_unless_they_are_asked_for() -> None:
    text = wire.start(custom_parameters=PARAMETERS)
    left = redactor().message(text)
    assert (len(left.text), left.omitted) == (len(text), 0)
    hidden = json.loads(left.text)["start"]["custom_parameters"]
    assert set(_strings(hidden)) <= set("x9.\0 ")
    assert redactor(parameters=True).message(text) == (text, 0)
    assert redactor(parameters=True, mask=True).message(text) == redactor(mask=True).message(text), "any may be a number"
    whole = wire.start(custom_parameters="plan=gold&language=hi")
    assert "gold" not in redactor().message(whole).text
    assert redactor(parameters=True).message(whole) == (whole, 0)


NAMES = [
    "token",
    "auth",
    "Authorization",
    "api_key",
    "apiKey",
    "X-Api-Key",
    "password",
    "pass",
    "pwd",
    "client_secret",
    "jwt",
    "PIN",
]


@pytest.mark.parametrize("key", NAMES)
def test_a_value_under_a_secret_looking_key_is_overwritten_though_nobody_knows_it(key: str) -> None:
    text = wire.start(custom_parameters={key: "Zx9-unknown", "plan": "gold", f"a {key}": {"b": ["Zx9-unknown", 123]}})
    left = redactor(secrets=(), parameters=True).message(text).text
    assert "Zx9-unknown" not in left
    hidden = {"x" * len(key): "x" * 11, "plan": "gold", "x" * len(f"a {key}"): {"x": ["x" * 11, 999]}}
    assert json.loads(left)["start"]["custom_parameters"] == hidden
    assert not {"Zx9", "gold", key} & set(re.split(r"\W", redactor(secrets=()).message(text).text))


@pytest.mark.parametrize("spelling", ["\\u0063orrect-horse-battery", "correct\\u002dhorse-battery"])
def test_escapes_hide_nothing(spelling: str) -> None:
    text = wire.start(custom_parameters={"who": "HERE"}).replace("HERE", spelling)
    left = json.loads(redactor(parameters=True).message(text).text)
    assert left["start"]["custom_parameters"] == {"who": "x" * len(spelling)}
    for field in ("stream_sid", "from", "reason"):
        assert redactor().message(f'{{"event":"start","{field}":"{spelling}"}}').text.endswith(f':"{"x" * len(spelling)}"}}')


HUSH = "HUNTER2X"
UNKNOWN: list[Any] = [
    {"ctx": json.dumps({"token": HUSH})},
    {"ctx": json.dumps({"a": json.dumps({"b": [{"apiKey": HUSH}]})})},
    {"ctx": "ctx=" + json.dumps({"token": HUSH})},
    {"ctx": "{'token': '" + HUSH + "'}"},
    {"ctx": f"{{token: {HUSH}}}"},
    {"ctx": f"a=1&access_token={HUSH}&b=2"},
    {"ctx": f"a=1&access%5Ftoken%3D{HUSH}"},
    {"ctx": f"a=%7B%22to%6ben%22%3A%22{HUSH}%22%7D"},
    {"ctx": f"a%253D1%2526token%253D{HUSH}"},
    {"ctx": f"t\\u006fken={HUSH}"},
    {"ctx": json.dumps(json.dumps({"to\u0001ken": HUSH, "token": HUSH}))},
    {"ctx": f"Authorization: Bearer {HUSH}"},
    {"ctx": f"Bearer {HUSH}"},
    {"ctx": f"bearer+{HUSH}"},
    {"ctx": f"Bearer%20{HUSH}"},
    {"ctx": f"Basic {HUSH}=="},
    {"ctx": f"Token  {HUSH}"},
    {"ctx": f"my password is: {HUSH}"},
    {"ctx": f"X-Api-Key : {HUSH}"},
    {"ctx": "https://user:" + HUSH + "@host.example/path?q=1"},
    {"ctx": "wss://" + HUSH + "@host/"},
    {"ctx": "wss://a:b@c/" + HUSH + "@host"},
    {"ctx": "https%3A%2F%2Fuser%3A" + HUSH + "%40host"},
    {"ctx": "admin:" + HUSH + "@host"},
    {"ctx": "eyJ" + HUSH + "abcdef.eyJxyz.sig"},
    {"Api_Key": HUSH},
    {"x-api-key": HUSH},
    {"apikey": {"v": [HUSH]}},
    {"token": {HUSH: ""}},
    {"%74oken": HUSH},
    {"t-o-k-e-n": HUSH},
    {"\uff34oken": HUSH},
    {"userPin": HUSH},
    {"otp_code": HUSH},
    {"sample-rate=8000&token": HUSH},
    {f"token:{HUSH}=": ""},
    {"name": "token", "value": HUSH},
    {"value": HUSH, "key": "auth_token"},
    [{"name": "Authorization", "value": {"v": [HUSH]}}],
    [["token", HUSH], ["plan", "gold"]],
    {"media": {"payload": f"token={HUSH}"}},
    {"media": {"payload": "Zx9" * 60 + "eyJ" + HUSH}},
    {"payload": "Zx9" * 60 + "eyJ" + HUSH},
    {"payload": json.dumps({"token": HUSH})},
    f"?plan=gold&token={HUSH}",
    json.dumps({"token": HUSH}),
]


@pytest.mark.parametrize("parameters", UNKNOWN, ids=str)
@pytest.mark.parametrize("name", ["custom_parameters", "customParameters", "Custom-Parameters", "extra"])
def test_a_secret_that_nobody_knows_is_overwritten_however_it_is_wrapped(name: str, parameters: Any) -> None:
    text = wire.start().replace('"media_format"', f'"{name}":{json.dumps(parameters)},"media_format"')
    left = redactor(secrets=()).message(text)
    assert HUSH not in left.text
    assert (len(left.text), left.omitted) == (len(text), 0)
    start = json.loads(left.text)["start"]
    assert {key: start[key] for key in ("from", "call_sid")} == {
        key: json.loads(text)["start"][key] for key in ("from", "call_sid")
    }


@pytest.mark.parametrize("message", [wire.mark, wire.dtmf, lambda text: wire.stop().replace("stream", text.replace('"', ""))])
def test_a_secret_is_one_in_any_message(message: Any) -> None:
    assert HUSH not in redactor(secrets=()).message(message(f"token={HUSH}")).text


@pytest.mark.parametrize("parameters", UNKNOWN, ids=str)
def test_parameters_that_look_like_a_secret_are_overwritten_though_parameters_are_kept(parameters: Any) -> None:
    text = wire.start(custom_parameters=parameters)
    left = redactor(secrets=(), parameters=True).message(text)
    assert (HUSH in left.text, len(left.text), left.omitted) == (False, len(text), 0)


@pytest.mark.parametrize("wrap", [json.dumps, lambda text: text.replace("%", "%25")], ids=["JSON", "percent"])
def test_a_secret_that_is_wrapped_often_is_overwritten(wrap: Any) -> None:
    value = "token%3D" + HUSH
    for _ in range(7):
        value = wrap(value)
    text = wire.start(custom_parameters={"ctx": value})
    for parameters in (False, True):
        left = redactor(secrets=(), parameters=parameters).message(text)
        assert (HUSH in left.text, len(left.text), left.omitted) == (False, len(text), 0)


@pytest.mark.parametrize("text", [wire.mark("session-token"), '{"event":"auth","mark":{"name":"key"}}'])
def test_a_name_that_names_nothing_is_kept(text: str) -> None:
    assert redactor(secrets=()).message(text) == (text, 0)


def test_a_parameter_that_only_sounds_like_a_secret_is_kept_where_parameters_are() -> None:
    parameters = {
        "plan": "basic",
        "note": "all is well: call back at 5",
        "city": "pincode 560001",
        "url": "https://h/p?a=b",
    }
    text = wire.start(custom_parameters=parameters)
    assert redactor(secrets=(), parameters=True).message(text) == (text, 0)


NUMBERS: list[Any] = [
    "9876543210",
    "+919876543210",
    "%2B919876543210",
    "%252B919876543210",
    "00919876543210",
    "098-7654-3210",
    "098 7654 3210",
    "098%207654+3210",
    "(098) 7654.3210",
    "098_7654_3210",
    "0\u00a09\u00a08\u00a07\u00a06\u00a05\u00a04\u00a03\u00a02\u00a01\u00a00",
    "\u0966\u096f\u096e\u096d\u096c\u096b\u096a\u0969\u0968\u0967\u0966",
    "tel:+91-98765-43210",
    json.dumps({"mobile": 9876543210}),
    json.dumps({"to": "9876543210"}),
    9876543210,
    919876543210,
    9.87654321e9,
    "765432",
]


def _decimals(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())


@pytest.mark.parametrize("number", NUMBERS, ids=str)
@pytest.mark.parametrize("key", ["mobile", "caller_id", "note", "callerNumber"])
def test_a_callers_number_is_masked_in_any_spelling(number: Any, key: str) -> None:
    text = wire.start(custom_parameters={key: number})
    left = redactor(mask=True).message(text)
    assert len(left.text) == len(text)
    said = json.loads(left.text)["start"]["custom_parameters"]["x" * len(key)]
    assert not set("012345678") & set(_decimals(str(said))), said


@pytest.mark.parametrize("number", ["9876543210", "+91-98765-43210", "098%207654%203210", "x987654"])
def test_a_callers_number_is_masked_in_every_message_of_the_call(number: str) -> None:
    hide = redactor(mask=True)
    hide.message(wire.start())
    for text in (wire.mark(f"for {number}"), wire.media(bytes(320), number.strip("+%x")), wire.dtmf(number)):
        left = hide.message(text).text
        assert len(left) == len(text)
        assert "987" not in left
    assert "987" not in hide.word(f"call-{number}")
    in_hindi = "".join(chr(0x966 + int(char)) if char.isascii() and char.isdecimal() else char for char in unquote(number))
    assert not _decimals(json.loads(hide.message(wire.mark(in_hindi)).text)["mark"]["name"]).strip("091")


def test_a_number_of_anybody_is_masked_in_parameters() -> None:
    text = wire.start(custom_parameters={"note": "call 044 9912 7731", "id": 8023456, "sample-rate": "16000"})
    for parameters in (False, True):
        start = json.loads(redactor(mask=True, parameters=parameters).message(text).text)["start"]
        assert start["custom_parameters"] == {"xxxx": "x" * 18, "xx": 9999999, "sample-rate": "16000"}
    assert redactor(mask=True).message(wire.mark("1234567890")).text == wire.mark("1234567890"), "an id of the bot's"


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"dtmf","dtmf":{"digits":"1234"}}',
        '{"event":"dtmf","dtmf":"1234"}',
        '{"event":"dtmf","digits":"1234"}',
        '{"event":"dtmf","dtmf":{"pressed":["1234"],"duration":"100"}}',
        '{"event":"dtmf","dtmf":{"Digit":1234}}',
    ],
)
def test_keys_pressed_are_masked_wherever_a_dtmf_message_has_them(text: str) -> None:
    left = redactor(mask=True).message(text).text
    assert "1234" not in left
    assert len(left) == len(text)
    json.loads(left)


@pytest.mark.parametrize("number", ["1e300", "1234567e300", "123456789e5", "-1234567.25E+10", "0.12345678"])
def test_a_masked_number_is_still_one(number: str) -> None:
    for text in ('{"custom_parameters":{"n":' + number + "}}", '{"from":' + number + "}", '{"sequence_number":' + number + "}"):
        left = redactor(mask=True).message(text).text
        assert float("inf") not in _numbers(json.loads(left))
        assert len(left) == len(text)


@pytest.mark.parametrize("audio", ["noise", "omit"])
def test_speech_under_another_name_is_speech(audio: Audio) -> None:
    speech = base64.b64encode(random.Random(1).randbytes(320)).decode()
    for text in (
        json.dumps({"event": "media", "media": {"audio": speech}}),
        json.dumps({"event": "other", "custom_parameters": {"x": [speech]}}),
        json.dumps({"event": "other", "wrapped": json.dumps({"payload": speech})}),
        json.dumps({"event": "media", "Media": {"Payload": speech[:100]}}),
    ):
        left = redactor(audio).message(text)
        assert speech[:20] not in left.text
        json.loads(left.text)


def test_a_key_that_is_there_twice_hides_nothing() -> None:
    text = '{"event":"start","start":{"custom_parameters":{"token":"one-secret"}},"start":{"custom_parameters":{"a":"b"}}}'
    assert "one-secret" not in redactor().message(text).text


@pytest.mark.parametrize("spelling", ["gr%C3%BC%C3%9Fe-aus-pune", "gr%c3%bc%c3%9fe%2Daus-pune", "gr\\u00fc\\u00dfe-aus-pune"])
def test_letters_beyond_ascii_hide_nothing(spelling: str) -> None:
    text = wire.start(custom_parameters={"a": spelling}, leg_sid=spelling)
    for parameters in (False, True):
        start = json.loads(redactor(secrets=("grüße-aus-pune",), parameters=parameters).message(text).text)["start"]
        assert set("".join(start["custom_parameters"].values())) == set(start["leg_sid"]) == {"x"}


@pytest.mark.parametrize(
    "value",
    ["a=1&" * 600, "a" * 15_000 + "%2541\\\\n", json.loads("[" * 40 + "]" * 40), [1] * 600],
    ids=["pairs", "characters", "levels", "values"],
)
def test_much_is_overwritten_as_little_is(value: Any) -> None:
    text = wire.start(custom_parameters={"a": value})
    assert len(text) < 16 * 1024
    left = redactor().message(text)
    assert (len(left.text), left.omitted) == (len(text), 0)
    assert not set(_strings(json.loads(left.text)["start"]["custom_parameters"])) - set("x9\0")


def test_what_is_too_long_is_left_away_whole() -> None:
    text = wire.start(custom_parameters={"a": "b" * 16 * 1024})
    assert redactor(parameters=True).message(text) == redactor().message(text) == ("", len(text))


def test_a_short_credential_is_looked_for_in_parameters_only() -> None:
    left = redactor(secrets=("80",), parameters=True).message(wire.start(custom_parameters={"a": "80"})).text
    document = json.loads(left)["start"]
    assert document["custom_parameters"] == {"a": "xx"}
    assert document["media_format"]["sample_rate"] == "8000"


def test_no_secret_survives() -> None:
    """No secret survives in random messages with random secrets at random places, in random spellings."""
    source = random.Random(7)
    alphabet = 'abcXYZ019-_.~/+=&:é"\\ '
    for _ in range(2000):
        secret = "".join(source.choice(alphabet) for _ in range(source.randint(6, 24)))
        if not secret.strip('"\\ '):
            continue
        value = source.choice([secret, f"u:{secret}", f"a={secret}&b=c", [secret], {"deep": secret}, {secret: 1}])
        parameters = {source.choice(["a", "token", "x y", secret]): value, "plan": "gold"}
        message: dict[str, Any] = {"event": source.choice(["start", "other", "media"]), "stream_sid": "s"}
        message[source.choice(["start", "custom_parameters", "more"])] = {"custom_parameters": parameters}
        text = json.dumps(message, ensure_ascii=source.random() < 0.5, indent=source.choice([None, 1]))
        audio: Audio = source.choice(["keep", "noise", "omit"])
        mask, keeps = source.random() < 0.5, source.random() < 0.5
        left = redactor(audio, mask=mask, secrets=(secret, f"u:{secret}"), parameters=keeps).message(text).text
        assert secret not in _strings(json.loads(left)), (secret, text, left)


def _strings(value: object) -> str:
    """Yield every string of a document, unescaped."""
    if isinstance(value, dict):
        return "\0".join([*value, *map(_strings, value.values())])
    return "\0".join(map(_strings, value)) if isinstance(value, list) else str(value)


def _numbers(value: object) -> list[object]:
    """Yield every number of a document."""
    if isinstance(value, dict | list):
        return [number for item in (value.values() if isinstance(value, dict) else value) for number in _numbers(item)]
    return [] if isinstance(value, str) else [value]


@pytest.mark.parametrize(
    "text", [wire.media(bytes(320))[:-9], f'{{"who":"{TOKEN}', '{"token": "hush", ', "[" * 5000, '{"event":"\ud800"}', '{"a":01}']
)
def test_what_cannot_be_read_is_overwritten_whole(text: str) -> None:
    for hide in (redactor(), redactor("noise"), redactor("omit"), redactor(mask=True), redactor(parameters=True)):
        assert hide.message(text) == ("x" * len(text), 0)


@pytest.mark.parametrize("pcm", [b"", b"\0\0", bytes(319), bytes(320), random.Random(1).randbytes(100_000)])
@pytest.mark.parametrize("spelling", [wire.media, lambda pcm: wire.media(pcm).replace('{"chunk"', '{ "extra":1, "chunk"')])
def test_noise_has_the_size_of_the_speech_and_nothing_else_of_it(pcm: bytes, spelling: Any) -> None:
    text = spelling(pcm)
    left = redactor("noise").message(text)
    if len(text) > 16 * 1024 and spelling is not wire.media:
        assert left == ("", len(text)), "too long to be searched"
        return
    assert (len(left.text), left.omitted) == (len(text), 0)
    noise = base64.b64decode(json.loads(left.text)["media"]["payload"], validate=True)
    assert len(noise) == len(pcm)
    assert len(pcm) < 300 or sum(a == b for a, b in zip(noise, pcm, strict=True)) < len(pcm) / 2
    if pcm and len(pcm) % 2 == 0:
        assert isinstance(protocol.read(left.text), protocol.Media)


def test_a_number_that_is_learned_later_is_overwritten_from_then_on() -> None:
    sid, hides = "call-919876543210-1", redactor(mask=True)
    media = f'{{"event":"media","stream_sid":"{sid}","media":{{"payload":"AAAA"}}}}'
    hides.learn("08012345678")
    assert sid in hides.message(media).text
    hides.learn("09876543210")
    assert sid not in hides.message(media).text


def test_the_same_speech_becomes_the_same_noise() -> None:
    said, echoed = wire.media(b"ab" * 160), f'{{"event":"media","stream_sid":"s","media":{{"payload":"{"YWJh" * 10}"}}}}'
    assert redactor("noise").message(said) == redactor("noise").message(said)
    assert redactor("noise").message(echoed) == redactor("noise").message(echoed)


def test_speech_left_out_says_how_much_it_was() -> None:
    left = redactor("omit").message(wire.media(bytes(320)))
    assert left.omitted == 428
    assert json.loads(left.text)["media"] == {"chunk": "1", "timestamp": "20", "payload": ""}


def test_numbers_and_keys_pressed_are_masked_with_the_same_length() -> None:
    hide = redactor(mask=True)
    text = wire.start(custom_parameters={"caller": "anna", "notes": "from 09876543210"}, account_sid="of-9876543210")
    start = json.loads(hide.message(text).text)["start"]
    assert (start["from"], start["to"]) == ("x" * 11, "x" * 11)
    assert start["custom_parameters"] == {"xxxxxx": "xxxx", "xxxxx": "x" * 16}
    assert start["account_sid"] == "x" * 13
    assert json.loads(hide.message(wire.start(to="+91 20-1234")).text)["start"]["to"] == "+xx xx-xxxx"
    assert json.loads(redactor().message(text).text)["start"]["from"] == "09876543210"
    assert json.loads(hide.message(wire.dtmf("7")).text)["dtmf"] == {"digit": "0", "duration": "100"}
    assert json.loads(hide.message('{"event":"dtmf","digit":5}').text)["digit"] == 9
    assert "09876543210" not in hide.message(wire.mark("for 09876543210")).text


def test_a_binary_message_is_overwritten_whole() -> None:
    for hide in (redactor(), redactor("noise"), redactor(mask=True), redactor(parameters=True)):
        assert hide.binary(f"..{TOKEN}".encode()) == (b"x" * (2 + len(TOKEN)), 0)
        assert hide.binary(bytes(MOST_TEXT + 1)) == (b"", MOST_TEXT + 1)


@pytest.mark.parametrize(
    "text",
    [
        '{"custom_parameters":"' + "key" * 80_000 + '"}',
        "key" * 80_000,
        "token=" * 40_000,
        "[" * 200_000,
        json.dumps([1] * 80_000),
        '{"a":"' + "\\n" * 120_000 + '"}',
        "{" + '"event":"a",' * 20_000,
        '{"media":{' + '"chunk":1,' * 20_000,
        '{"event":"media","media":{"payload":"' + "A" * 250_000,
        "1" * 250_000,
        '"' + "\\" * 250_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_message_takes_long(text: str) -> None:
    """No message takes long: a quadratic look at a quarter of a megabyte would take minutes."""
    began = time.thread_time()
    for audio in ("keep", "noise"):
        redactor(audio, mask=audio == "noise").message(text)  # type: ignore[arg-type]
    assert time.thread_time() - began < 2


def test_a_huge_message_is_left_away() -> None:
    huge = wire.media(bytes(MOST_TEXT))
    assert redactor().message(huge) == ("", len(huge))
