"""The conversation: complete, in order, at every rate."""

import base64
import json

import pytest
from exotel_phone.protocol_test.script import EchoScript
from exotel_phone.wire import Ids, Stream, frame_bytes


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_every_message_of_the_conversation_is_a_call(rate: int) -> None:
    script = EchoScript(Stream(Ids.new(), rate), 0.4)
    steps = [*script.opening(), *script.conversation(), script.closing()]
    names = [step.name for step in steps]
    assert len(names) == len(set(names))
    sent = [json.loads(text) for step in steps for text in step.sends]
    assert [message["event"] for message in sent[:3]] == ["connected", "start", "media"]
    assert sent[-1]["event"] == "stop"
    numbers = [int(message["sequence_number"]) for message in sent if "sequence_number" in message]
    assert numbers == list(range(1, len(numbers) + 1))
    payloads = [message["media"]["payload"] for message in sent if message["event"] == "media"]
    assert {len(base64.b64decode(payload)) for payload in payloads} == {frame_bytes(rate)}


def test_strings_and_integers_are_both_sent() -> None:
    sent = [text for step in EchoScript(Stream(Ids.new(), 8000), 0.4).conversation() for text in step.sends]
    kinds = {type(json.loads(text)["media"]["chunk"]) for text in sent if json.loads(text)["event"] == "media"}
    assert kinds == {str, int}
