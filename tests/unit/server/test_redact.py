"""What leaves the worker of a message: everything but secrets, and audio and numbers as asked."""

import base64
import json
import random
import time
from typing import Any

import pytest
from exotel_ws import protocol
from exotel_ws.redact import MOST_TEXT, Audio, Noise, Redactor, Secrets

from tests.protocol import wire

TOKEN = "correct-horse-battery"
NOISE = Noise()


def redactor(audio: Audio = "keep", *, mask: bool = False, secrets: tuple[str, ...] = (TOKEN,)) -> Redactor:
    return Redactor(audio, mask=mask, secrets=Secrets(secrets), noise=NOISE)


@pytest.mark.parametrize(
    "text",
    [
        wire.connected(),
        wire.start(),
        wire.start(custom_parameters={"sample-rate": "8000", "plan": "gold"}),
        wire.media(bytes(range(256))),
        wire.mark("turn-3-end"),
        wire.dtmf("#"),
        wire.stop(),
        '{ "media" : { "payload": "AAAA", "chunk": 1 }, "event" : "media" }',
        '{"event":"later","deep":[1,{"a":[null,true,"\\u00e9"]}]}',
        "not JSON at all",
        "",
    ],
)
def test_what_holds_no_secret_leaves_as_it_came(text: str) -> None:
    assert redactor().message(text) == (text, 0)


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
    left = redactor(audio, secrets=(TOKEN, f"exotel:{TOKEN}")).message(text).text
    assert TOKEN not in left
    assert base64.b64encode(f"exotel:{TOKEN}".encode()).decode() not in left
    assert len(left) == len(text)
    json.loads(left)


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
    left = redactor(secrets=()).message(wire.start(custom_parameters={key: "Zx9-unknown", "plan": "gold"})).text
    assert "Zx9-unknown" not in left
    assert json.loads(left)["start"]["custom_parameters"] == {key: "x" * 11, "plan": "gold"}


@pytest.mark.parametrize("spelling", ["\\u0063orrect-horse-battery", "correct\\u002dhorse-battery"])
def test_escapes_hide_nothing(spelling: str) -> None:
    text = wire.start(custom_parameters={"who": "HERE"}).replace("HERE", spelling)
    left = json.loads(redactor().message(text).text)
    assert set(left["start"]["custom_parameters"]["who"]) == {"x"}


def test_a_key_that_is_there_twice_hides_nothing() -> None:
    text = '{"event":"start","start":{"custom_parameters":{"token":"one-secret"}},"start":{"custom_parameters":{"a":"b"}}}'
    assert "one-secret" not in redactor().message(text).text


def test_a_short_credential_is_looked_for_in_parameters_only() -> None:
    left = redactor(secrets=("80",)).message(wire.start(custom_parameters={"a": "80"})).text
    document = json.loads(left)["start"]
    assert document["custom_parameters"] == {"a": "xx"}
    assert document["media_format"]["sample_rate"] == "8000"


def test_no_secret_survives() -> None:
    """Random messages with random secrets at random places, in random spellings."""
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
        left = redactor(audio, mask=source.random() < 0.5, secrets=(secret, f"u:{secret}")).message(text).text
        assert secret not in _strings(json.loads(left)), (secret, text, left)


def _strings(value: object) -> str:
    """Every string of a document, as it is meant."""
    if isinstance(value, dict):
        return "\0".join([*value, *map(_strings, value.values())])
    return "\0".join(map(_strings, value)) if isinstance(value, list) else str(value)


def test_what_cannot_be_read_is_left_away_where_something_has_to_be_left_out() -> None:
    broken = wire.media(bytes(320))[:-9]
    assert redactor().message(broken) == (broken, 0)
    assert redactor("noise").message(broken) == ("", len(broken))
    assert redactor(mask=True).message(broken) == ("", len(broken))
    assert redactor().message(f'{{"who":"{TOKEN}').text == ""
    assert "hush" not in redactor(secrets=()).message('{"token": "hush", ').text


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
    text = wire.start(custom_parameters={"caller": "anna", "note": "from 09876543210"})
    start = json.loads(hide.message(text).text)["start"]
    assert (start["from"], start["to"]) == ("x" * 11, "x" * 11)
    assert start["custom_parameters"] == {"caller": "xxxx", "note": f"from {'x' * 11}"}
    assert json.loads(hide.message(wire.dtmf("7")).text)["dtmf"] == {"digit": "0", "duration": "100"}
    assert json.loads(hide.message('{"event":"dtmf","digit":5}').text)["digit"] == 9
    assert "09876543210" not in hide.message(wire.mark("for 09876543210")).text


def test_a_binary_message_is_kept_only_where_everything_is() -> None:
    assert redactor().binary(b"abc") == (b"abc", 0)
    assert redactor("noise").binary(b"abc") == (b"", 3)
    assert redactor().binary(f"..{TOKEN}".encode()) == (b"", 2 + len(TOKEN))


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
    """A quadratic look at a quarter of a megabyte would take minutes."""
    began = time.thread_time()
    for audio in ("keep", "noise"):
        redactor(audio, mask=audio == "noise").message(text)  # type: ignore[arg-type]
    assert time.thread_time() - began < 2


def test_a_huge_message_is_left_away() -> None:
    huge = wire.media(bytes(MOST_TEXT))
    assert redactor().message(huge) == ("", len(huge))
