"""A call answers, faults or hangs up on any input; its memory and output are bounded; an echo is exact."""

import binascii
import json

from exotel_ws import parameters, protocol
from exotel_ws.call import Call
from exotel_ws.echo.mode import Echo
from exotel_ws.handshake import Credentials, Target
from exotel_ws.metrics.tally import BOUNDS, FAULT_KINDS, Tally
from exotel_ws.protocol import Media, ProtocolFault, Start
from exotel_ws.responder import HangUp
from exotel_ws.settings import Output, Settings
from hypothesis import given
from hypothesis import strategies as st

from . import strangers

KEPT = 48 * 1024
"""Most characters kept of one message: 32 parameters of 1024, and short fields."""


def _echo(_start: Start, writer: protocol.Writer, _rate: int) -> Echo:
    return Echo(writer)


def read(text: str | bytes) -> protocol.Message | None:
    message = fault = None
    try:
        message = protocol.read(text)
    except ProtocolFault as error:
        fault = error
    assert fault is None or (fault.kind in FAULT_KINDS and str(fault))
    return message


@given(strangers.messages)
def test_a_message_is_read_or_is_a_fault(text: str) -> None:
    message = read(text)
    if isinstance(message, Start):
        kept = [getattr(message, name) for name in message.__struct_fields__]
        assert sum(len(str(value)) for value in kept) < 4 * KEPT
        assert protocol.sample_rate(message, {}) in protocol.SAMPLE_RATES
        protocol.rates_unused(message, {})
    elif isinstance(message, Media):
        assert (message.fault == "") == (len(message.pcm) > 0 and len(message.pcm) % 2 == 0 and _is_base64(message))
        assert len(message.pcm) <= len(message.payload)
    elif message is not None:
        assert sum(len(str(getattr(message, name))) for name in message.__struct_fields__) < 1000


def _is_base64(media: Media) -> bool:
    try:
        # Python 3.11 accepts too much padding.
        return len(media.payload) % 4 == 0 and binascii.a2b_base64(media.payload, strict_mode=True) == media.pcm
    except ValueError:
        return False


@given(st.binary(max_size=100))
def test_bytes_are_read_or_are_a_fault(data: bytes) -> None:
    read(data)


@given(
    st.lists(strangers.messages | st.binary(max_size=8), max_size=30),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_call_answers_faults_or_hangs_up(messages: list[str | bytes], private: bool, numbered: bool, guarded: bool) -> None:
    tally = Tally()
    settings = Settings(output=Output(number_frames=numbered))
    credentials = Credentials(["user:token-of-twenty-signs"]) if guarded else None
    call = Call("conn_1", "203.0.113.9", Target("/", {}), settings, tally, _echo, credentials, private=private)
    for message in messages:
        hang_up = None
        try:
            answers = call.receive(message)
        except HangUp as error:
            hang_up = error
        if hang_up:
            assert hang_up.code in (1003, 1008, 1013)
            assert len(hang_up.reason.encode()) <= 123
            assert hang_up.bound in ("", *BOUNDS)
            break
        assert isinstance(message, str) or not answers
        assert sum(map(len, answers)) <= 4 * len(message) + 4096
        for answer in answers:
            document = json.loads(answer)
            assert document["event"] in ("media", "mark")
            assert document["stream_sid"] == call.start.stream_sid
        if guarded and not call.start.stream_sid:
            assert not answers
    json.dumps(call.facts())
    call.over()


@given(st.lists(strangers.base64s, max_size=10), st.booleans())
def test_an_echo_is_exact(payloads: list[str], numbered: bool) -> None:
    call = Call("conn_1", "x", Target("/", {}), Settings(output=Output(number_frames=numbered)), Tally(), _echo)
    call.receive('{"event":"start","stream_sid":"s"}')
    for payload in payloads:
        for written in (json.dumps(payload), json.dumps(payload, ensure_ascii=False)):
            answers = call.receive('{"event":"media","media":{"payload":' + written + "}}")
            pieces = [json.loads(answer)["media"]["payload"] for answer in answers]
            assert "".join(pieces) == payload
            assert all(len(piece) <= 133_120 for piece in pieces)


@given(strangers.parameters)
def test_parameters_are_read_as_far_as_they_go(raw: object) -> None:
    collected, _ = parameters.collect(raw)
    told = parameters.restore(collected)
    for found in (collected, told):
        assert len(found) <= parameters.MOST_PARAMETERS
        assert all(len(name) <= parameters.MOST_TEXT and len(value) <= parameters.MOST_TEXT for name, value in found.items())
    protocol.rate_asked({}, told)


words = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789-_.~", min_size=1, max_size=20)


@given(st.dictionaries(words, words, min_size=1, max_size=3))
def test_every_mangled_form_is_undone(told: dict[str, str]) -> None:
    query = "&".join(f"{name}={value}" for name, value in told.items())
    for raw in (
        told,
        {query: ""},
        {f"?{query}": ""},
        {"": query},
        {f"{name}:{value}=": "" for name, value in told.items()},
        {f"{name}:{value}": "" for name, value in told.items()},
        {f"{name}={value}": "" for name, value in told.items()},
    ):
        assert parameters.restore(raw) == told


@given(strangers.values)
def test_a_rate_is_a_number_of_hertz_or_none(value: object) -> None:
    rate = parameters.rate(value)
    assert rate is None or 0 <= rate <= 10**12


@given(st.text(max_size=200))
def test_a_target_is_read_as_far_as_it_goes(raw: str) -> None:
    target = Target.parse(raw)
    assert target.path
    assert len(target.query) <= 32
    protocol.rate_asked(target.query, {})
    assert not Credentials(["user:token-of-twenty-signs"]).in_target(target)
