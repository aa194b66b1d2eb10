"""Bit-exactness, loss and round trips of an echo."""

import pytest
from exotel_phone.echo_meter import EchoMeter, percentile


def meter(*events: tuple[str, bytes, float]) -> EchoMeter:
    made = EchoMeter()
    for kind, pcm, at in events:
        (made.sent if kind == "sent" else made.received)(pcm, at)
    return made


def test_perfect() -> None:
    it = meter(("sent", b"abcd", 0), ("sent", b"efgh", 1), ("received", b"abcd", 0.5), ("received", b"efgh", 1.25))
    assert it.difference is None
    assert list(it.round_trips) == [0.5, 0.25]
    assert it.complete


def test_reframed_audio_is_still_bit_exact() -> None:
    it = meter(("sent", b"abcd", 0), ("sent", b"efgh", 1), ("received", b"abcdef", 2), ("received", b"gh", 3))
    assert it.difference is None
    assert list(it.round_trips) == [2, 2]


@pytest.mark.parametrize(
    ("received", "difference"),
    [
        ([b"abcd", b"eXgh"], 5),
        ([b"efgh", b"abcd"], 0),
        ([b"abcd"], 4),
        ([], 0),
        ([b"abcd", b"efgh", b"abcd"], 8),
        ([b"abcdefgh!"], 8),
    ],
)
def test_first_difference(received: list[bytes], difference: int) -> None:
    it = meter(("sent", b"abcd", 0), ("sent", b"efgh", 0), *(("received", pcm, 1.0) for pcm in received))
    assert it.difference == difference


def test_no_round_trip_is_made_up_behind_a_difference() -> None:
    it = meter(("sent", b"ab", 0), ("received", b"XX", 1), ("sent", b"cd", 2), ("received", b"cd", 3))
    assert list(it.round_trips) == []
    assert it.bytes_received == 4


@pytest.mark.parametrize(("percent", "value"), [(50, 5.0), (95, 10.0), (99, 10.0), (10, 1.0), (11, 2.0), (0, 1.0), (100, 10.0)])
def test_percentile_is_nearest_rank(percent: float, value: float) -> None:
    assert percentile([10.0, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value
