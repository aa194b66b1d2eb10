"""The messages are those of a live call: key order, types, newline."""

import base64
import dataclasses
import json

import pytest
from exotel_phone.wire import Ids, Stream, frame_bytes

IDS = Ids("e33f4r", "a9504r", "3Cvk00000", "acmevoice1", "09876543210", "02012345678")


def test_a_stream_is_byte_for_byte_what_was_captured() -> None:
    stream = Stream(IDS, 8000)
    payload = base64.b64encode(bytes(320)).decode()
    assert stream.connected() == '{"event":"connected"}\n'
    assert stream.start() == (
        '{"event":"start","stream_sid":"e33f4r","sequence_number":"1","start":{"stream_sid":"e33f4r",'
        '"call_sid":"a9504r","leg_sid":"3Cvk00000","account_sid":"acmevoice1","from":"09876543210","to":"02012345678",'
        '"media_format":{"encoding":"base64","sample_rate":"8000","bit_rate":"128kbps"}}}\n'
    )
    assert stream.media(bytes(320)) == (
        '{"event":"media","stream_sid":"e33f4r","sequence_number":"2",'
        f'"media":{{"chunk":"1","timestamp":"20","payload":"{payload}"}}}}\n'
    )
    assert stream.mark("mark_1") == '{"event":"mark","stream_sid":"e33f4r","mark":{"name":"mark_1"}}\n'
    assert stream.dtmf("5") == (
        '{"event":"dtmf","sequence_number":"3","stream_sid":"e33f4r","dtmf":{"digit":"5","duration":"100"}}\n'
    )
    assert stream.stop() == (
        '{"event":"stop","stream_sid":"e33f4r","sequence_number":"4","stop":{"call_sid":"a9504r",'
        '"leg_sid":"3Cvk00000","account_sid":"acmevoice1","reason":"canceled or call ended"}}\n'
    )


def test_chunk_timestamp_and_sequence_go_on_as_captured() -> None:
    """Chunk, timestamp and sequence go on as captured: on the live call message 100 was chunk 99 at 1980 ms."""
    stream = Stream(IDS, 8000)
    stream.start()
    for _ in range(98):
        stream.media(b"\0\0")
    message = json.loads(stream.media(b"\0\0"))
    assert (message["sequence_number"], message["media"]["chunk"], message["media"]["timestamp"]) == ("100", "99", "1980")


def test_custom_parameters_and_ints_only_where_asked_for() -> None:
    stream = Stream(IDS, 16000)
    start = json.loads(stream.start({"sample-rate": "16000"}))["start"]
    assert start["custom_parameters"] == {"sample-rate": "16000"}
    assert start["media_format"] == {"encoding": "base64", "sample_rate": "16000", "bit_rate": "256kbps"}
    stream.ints = True
    assert json.loads(stream.media(b"\0\0"))["media"]["timestamp"] == 20


@pytest.mark.parametrize(("rate", "size"), [(8000, 320), (16000, 640), (24000, 960)])
def test_frame_size(rate: int, size: int) -> None:
    assert frame_bytes(rate) == size


def test_ids_look_real_and_differ() -> None:
    one, two = Ids.new(), Ids.new()
    assert not set(dataclasses.astuple(one)[:3]) & set(dataclasses.astuple(two)[:3])
    assert (len(one.stream_sid), len(one.call_sid), len(one.leg_sid)) == (32, 32, 32)
